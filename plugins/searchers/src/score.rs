//! What a search takes as an architecture's score.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The figure that a search makes the best of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Score {
    /// The share of images that are classified correctly: higher is better.
    #[default]
    Accuracy,
    /// The mean negative log-likelihood of the labels: lower is better.
    Nll,
}

impl Score {
    fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Nll => "nll",
        }
    }

    /// An entry's merit: its score, turned such that more is better.
    pub(crate) fn merit(self, scored: &Scored, entry: u32) -> Result<f64> {
        let value = scored.value(entry, self.name())?;
        Ok(or_worst(if self == Self::Nll { -value } else { value }))
    }

    /// A merit as the score that it was.
    pub(crate) fn show(self, merit: f64) -> String {
        match self {
            Self::Accuracy => format!("accuracy {:.2} %", 100.0 * merit),
            Self::Nll => format!("nll {:.4}", -merit),
        }
    }
}

/// What is not finite counts as the worst finite number, so that it can be ordered and saved.
pub(crate) fn or_worst(merit: f64) -> f64 {
    if merit.is_finite() { merit } else { f64::MIN }
}

/// Logs the best of so many scored architectures.
pub(crate) fn log_best(run: &Run, score: Score, scored: usize, best: Option<(&[u32], f64)>) -> Result<()> {
    if let Some((architecture, merit)) = best {
        let text = run.to_text(architecture)?;
        tracing::info!("{scored} architectures scored; the best so far: {}, {text}", score.show(merit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merits_are_shown_as_scores() {
        assert_eq!(Score::Accuracy.show(0.9137), "accuracy 91.37 %");
        assert_eq!(Score::Nll.show(-0.25), "nll 0.2500");
        assert_eq!(serde_json::to_string(&[Score::Accuracy, Score::Nll]).unwrap(), r#"["accuracy","nll"]"#);
    }

    #[test]
    fn what_is_not_finite_is_worst() {
        for merit in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(or_worst(merit) < -1e300);
        }
        assert!((or_worst(-2.5) + 2.5).abs() < 1e-15);
    }
}
