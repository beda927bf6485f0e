//! Weight decay by role: which parameters an update decays, and which it only moves.

use nshot_sdk::{List, Result, Update};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Roles of parameters that can be decayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecayRole {
    /// Weights of convolutions and linear layers.
    Weight,
    /// Biases.
    Bias,
    /// Scales and shifts of norms.
    Norm,
    /// Logits of the architecture.
    Architecture,
}

/// All roles of a network's parameters, as in PyTorch, where nobody tells them apart.
pub(crate) const NETWORK: [DecayRole; 3] = [DecayRole::Weight, DecayRole::Bias, DecayRole::Norm];

impl DecayRole {
    fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Norm => "norm",
            Self::Architecture => "architecture",
        }
    }
}

/// Parameters of an update that share a weight decay.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// Their indices; nothing if these are all of the update's.
    indices: Option<Vec<u32>>,
    pub(crate) weight_decay: f64,
}

/// Splits `count` parameters, of which some are decayed, so that one operation serves each part: one part where all
/// agree.
fn parts(count: u32, mut with: Vec<u32>, weight_decay: f64) -> Vec<Part> {
    with.sort_unstable();
    let without: Vec<u32> = (0..count).filter(|index| with.binary_search(index).is_err()).collect();
    match (with.is_empty(), without.is_empty()) {
        (true, true) => vec![],
        (false, true) => vec![Part { indices: None, weight_decay }],
        (true, false) => vec![Part { indices: None, weight_decay: 0.0 }],
        (false, false) => vec![
            Part { indices: Some(with), weight_decay },
            Part { indices: Some(without), weight_decay: 0.0 },
        ],
    }
}

/// The parts of an update; without weight decay, roles need not be asked for.
pub(crate) fn parts_of(update: &Update, decayed: &[DecayRole], weight_decay: f64) -> Result<Vec<Part>> {
    if weight_decay == 0.0 {
        return Ok(vec![Part { indices: None, weight_decay }]);
    }
    let mut with = Vec::new();
    for role in decayed {
        with.extend(update.with_role(role.name())?);
    }
    Ok(parts(update.count(), with, weight_decay))
}

impl Part {
    /// The part of each of these lists.
    pub(crate) fn of(&self, update: &mut Update, lists: &[List]) -> Result<Vec<List>> {
        match &self.indices {
            None => Ok(lists.to_vec()),
            Some(indices) => lists.iter().map(|list| update.subset(*list, indices)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(count: u32, with: &[u32]) -> Vec<(Option<Vec<u32>>, f64)> {
        parts(count, with.to_vec(), 0.5).into_iter().map(|part| (part.indices, part.weight_decay)).collect()
    }

    #[test]
    fn splits_only_where_roles_differ() {
        assert_eq!(split(4, &[0, 3, 1, 2]), [(None, 0.5)]);
        assert_eq!(split(4, &[]), [(None, 0.0)]);
        assert_eq!(split(4, &[3, 0]), [(Some(vec![0, 3]), 0.5), (Some(vec![1, 2]), 0.0)]);
        assert_eq!(split(1, &[0]), [(None, 0.5)]);
        assert_eq!(split(0, &[]), []);
    }
}
