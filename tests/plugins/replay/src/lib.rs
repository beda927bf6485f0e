//! A sampler that replays given architectures, step by step.

use nshot_sdk::log::scalar;
use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is replayed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For each step its paths, each an architecture; repeated from the start when they are used up.
    steps: Vec<Vec<Vec<u32>>>,
    /// Whether it asks for the norms of gradients and records them.
    #[serde(default)]
    norms: bool,
}

struct Replay(Settings);

impl Sampler for Replay {
    type Settings = Settings;
    const ABOUT: &'static str = "Replays given architectures, step by step.";

    fn new(settings: Settings) -> Result<Self> {
        if settings.steps.is_empty() { Err(Error::new("`steps` is empty")) } else { Ok(Self(settings)) }
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let index = at.step() as usize % self.0.steps.len();
        for architecture in &self.0.steps[index] {
            step.path(architecture)?;
        }
        Ok(())
    }

    fn wants(&self) -> Wants {
        Wants { path_gradient_norm: self.0.norms, option_gradient_norm: self.0.norms, ..Wants::default() }
    }

    fn observe(&mut self, outcomes: &Outcomes) -> Result<()> {
        for path in 0..outcomes.path_count(0)? {
            scalar(&format!("path_{path}"), outcomes.path_value(0, path, "gradient_norm")?)?;
            for choice in 0..outcomes.run().choice_count() {
                let option = outcomes.selected(0, path, choice)?[0];
                let norm = outcomes.option_value(0, path, choice, option, "gradient_norm")?;
                scalar(&format!("path_{path}_choice_{choice}"), norm)?;
            }
        }
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot-tests"; sampler "replay" => Replay);
