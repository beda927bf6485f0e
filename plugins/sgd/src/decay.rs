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

/// Splits parameters with the given roles, so that one operation serves each part: one part where all agree.
pub(crate) fn parts(roles: &[String], decayed: &[DecayRole], weight_decay: f64) -> Vec<Part> {
    let decays = |role: &String| decayed.iter().any(|decayed| decayed.name() == role);
    let (with, without): (Vec<u32>, Vec<u32>) =
        (0..roles.len() as u32).partition(|&at| decays(&roles[at as usize]));
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

/// [`parts`] of an update; without weight decay, roles need not be asked for.
pub(crate) fn parts_of(update: &Update, decayed: &[DecayRole], weight_decay: f64) -> Vec<Part> {
    if weight_decay == 0.0 {
        return vec![Part { indices: None, weight_decay }];
    }
    parts(&update.roles(), decayed, weight_decay)
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

    fn split(roles: &[&str], decayed: &[DecayRole]) -> Vec<(Option<Vec<u32>>, f64)> {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        parts(&roles, decayed, 0.5).into_iter().map(|part| (part.indices, part.weight_decay)).collect()
    }

    #[test]
    fn splits_only_where_roles_differ() {
        let roles = ["weight", "bias", "norm", "weight"];
        assert_eq!(split(&roles, &NETWORK), [(None, 0.5)]);
        assert_eq!(split(&roles, &[]), [(None, 0.0)]);
        assert_eq!(split(&roles, &[DecayRole::Weight]), [(Some(vec![0, 3]), 0.5), (Some(vec![1, 2]), 0.0)]);
        assert_eq!(split(&["weight"], &[DecayRole::Weight]), [(None, 0.5)]);
        assert_eq!(split(&["architecture", "bias"], &NETWORK), [(Some(vec![1]), 0.5), (Some(vec![0]), 0.0)]);
        assert_eq!(split(&[], &NETWORK), []);
    }
}
