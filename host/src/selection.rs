//! What a path takes at each choice.

use serde::{Deserialize, Serialize};

/// One option of each choice.
pub type Architecture = Vec<u32>;

/// How the selected options of a choice are weighted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Weighting {
    /// Each counts once.
    Plain,
    /// By fixed factors, as bits, so that selections can be compared.
    Fixed(Vec<u64>),
    /// By the softmax of a parameter over the selected options.
    Parameter(String),
}

/// The options taken at one choice, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Picked {
    /// Indices of the options; never empty.
    pub options: Vec<u32>,
    /// Their weights.
    pub weighting: Weighting,
}

/// What a path takes at every choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Selection(pub Vec<Picked>);

impl Selection {
    /// One option of each choice.
    pub fn of(architecture: &[u32]) -> Self {
        let picked = |&option| Picked { options: vec![option], weighting: Weighting::Plain };
        Self(architecture.iter().map(picked).collect())
    }

    /// The architecture, if one plain option is taken at each choice.
    pub fn architecture(&self) -> Option<Architecture> {
        self.0
            .iter()
            .map(|picked| match (&picked.options[..], &picked.weighting) {
                ([option], Weighting::Plain) => Some(*option),
                _ => None,
            })
            .collect()
    }
}
