//! Adam with decoupled weight decay, as `torch.optim.AdamW`.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decay::{self, DecayRole};
use crate::setting::{below_one, not_negative};

/// Settings of `adamw`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Decay of the running means of the gradient and of its square, each from 0 to below 1.
    betas: [f64; 2],
    /// Added to the denominator.
    #[schemars(range(min = 0.0))]
    eps: f64,
    /// Weight decay, scaled by the learning rate.
    #[schemars(range(min = 0.0))]
    weight_decay: f64,
    /// Roles that the weight decay is for; `["weight"]` spares biases and norms.
    decay_roles: Vec<DecayRole>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, decay_roles: decay::NETWORK.to_vec() }
    }
}

/// With gradient `g` and weight decay `λ`: `θ ← θ − lr·λθ`, `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`,
/// `θ ← θ − lr·m̂/(√v̂ + ε)`, where `m̂ = m/(1 − β₁ᵗ)`, `v̂ = v/(1 − β₂ᵗ)` and `t` counts the parameter's own updates.
pub(crate) struct AdamW(Settings);

impl Optimizer for AdamW {
    type Settings = Settings;
    const ABOUT: &'static str = "Adam with decoupled weight decay, by role.";
    const CITATION: &'static str = "@inproceedings{loshchilov2019adamw, title={Decoupled Weight Decay \
        Regularization}, author={Loshchilov, Ilya and Hutter, Frank}, booktitle={ICLR}, year={2019}}";
    const GRADIENT_SCALE_INVARIANT: bool = true;

    fn new(settings: Settings) -> Result<Self> {
        below_one("betas[0]", settings.betas[0])?;
        below_one("betas[1]", settings.betas[1])?;
        not_negative("eps", settings.eps)?;
        not_negative("weight_decay", settings.weight_decay)?;
        Ok(Self(settings))
    }

    fn step(&mut self, update: &mut Update) -> Result<()> {
        let Settings { betas: [beta1, beta2], eps, weight_decay, ref decay_roles } = self.0;
        let lists =
            [update.parameters()?, update.gradients()?, update.slot("exp_avg")?, update.slot("exp_avg_sq")?];
        for part in decay::parts_of(update, decay_roles, weight_decay)? {
            let lists = part.of(update, &lists)?;
            let attributes = attributes! {
                lr: update.learning_rate(), beta1: beta1, beta2: beta2, eps: eps,
                weight_decay: part.weight_decay,
            };
            update.op("fused_adamw_", &lists, &attributes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_settings_out_of_range() {
        let wrong = |settings| {
            AdamW::new(settings).err().map(|error: Error| error.text().to_owned()).unwrap_or_default()
        };
        let default = Settings::default;
        assert_eq!(wrong(default()), "");
        let text = wrong(Settings { betas: [0.9, 1.0], ..default() });
        assert_eq!(text, "setting `betas[1]` is 1, expected a number from 0 to below 1");
        assert!(wrong(Settings { eps: -1.0, ..default() }).starts_with("setting `eps` is -1"));
        assert!(
            wrong(Settings { weight_decay: f64::NAN, ..default() }).starts_with("setting `weight_decay`")
        );
    }

    #[test]
    fn descends_whatever_the_gradients_scale() {
        let mut adamw = nshot_sdk::testing::optimizer::<AdamW>(()).weight("w", &[1.0, -2.0]);
        adamw.assert_scale_invariance();
        adamw.assert_resumes(5);
        assert!(adamw.minimise(0.05, 200) < 1e-3);
    }
}
