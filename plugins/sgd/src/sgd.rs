//! Stochastic gradient descent with momentum, as `torch.optim.SGD`.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decay::{self, DecayRole};
use crate::setting::{below_one, not_negative};

/// Settings of `sgd`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Momentum, from 0 to below 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Nesterov's momentum: needs a momentum and no dampening.
    nesterov: bool,
    /// Dampening of the momentum, from 0 to below 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    dampening: f64,
    /// Weight decay, added to the gradient.
    #[schemars(range(min = 0.0))]
    weight_decay: f64,
    /// Roles that the weight decay is for; `["weight"]` spares biases and norms.
    decay_roles: Vec<DecayRole>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            nesterov: false,
            dampening: 0.0,
            weight_decay: 0.0,
            decay_roles: decay::NETWORK.to_vec(),
        }
    }
}

/// With gradient `g`, weight decay `λ`, momentum `μ` and dampening `τ`: `g ← g + λθ`, `b ← μb + (1 − τ)g` (at first
/// `b ← g`), `θ ← θ − lr·b`, or with Nesterov's `θ ← θ − lr·(g + μb)`.
pub(crate) struct Sgd(Settings);

impl Optimizer for Sgd {
    type Settings = Settings;
    const ABOUT: &'static str = "SGD with momentum, Nesterov's too, and weight decay by role.";

    fn new(settings: Settings) -> Result<Self> {
        below_one("momentum", settings.momentum)?;
        below_one("dampening", settings.dampening)?;
        not_negative("weight_decay", settings.weight_decay)?;
        if settings.nesterov && (settings.momentum == 0.0 || settings.dampening != 0.0) {
            return Err(Error::new(format!(
                "setting `nesterov` needs a `momentum` above 0 and a `dampening` of 0, found {} and {}",
                settings.momentum, settings.dampening
            )));
        }
        Ok(Self(settings))
    }

    fn step(&mut self, update: &mut Update) -> Result<()> {
        let Settings { momentum, nesterov, dampening, weight_decay, ref decay_roles } = self.0;
        let mut lists = vec![update.parameters()?, update.gradients()?];
        if momentum > 0.0 {
            lists.push(update.slot("momentum")?);
        }
        for part in decay::parts_of(update, decay_roles, weight_decay)? {
            let lists = part.of(update, &lists)?;
            let attributes = attributes! {
                lr: update.learning_rate(), momentum: momentum, dampening: dampening,
                weight_decay: part.weight_decay, nesterov: nesterov,
            };
            update.op("fused_sgd_", &lists, &attributes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Halves and quarters: exact.
mod tests {
    use nshot_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn refuses_settings_out_of_range() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            Sgd::new(settings).err().map(|error| error.text().to_owned()).unwrap_or_default()
        };
        assert_eq!(
            wrong(|s| s.momentum = 1.0),
            "setting `momentum` is 1, expected a number from 0 to below 1"
        );
        assert!(wrong(|s| s.dampening = f64::NAN).starts_with("setting `dampening` is NaN"));
        assert!(wrong(|s| s.weight_decay = -1e-4).starts_with("setting `weight_decay` is -0.0001"));
        assert!(wrong(|s| (s.nesterov, s.momentum) = (true, 0.0)).ends_with("found 0 and 0"));
        assert!(wrong(|s| (s.nesterov, s.dampening) = (true, 0.5)).ends_with("found 0.9 and 0.5"));
        assert_eq!(wrong(|s| s.nesterov = true), "");
    }

    /// `torch.optim.SGD`'s formulas, by hand, on one weight of 4 with gradients 1 and 3.
    #[test]
    fn updates_are_the_formulas() {
        let after = |settings| {
            let mut sgd = testing::optimizer::<Sgd>(settings).weight("w", &[4.0]);
            sgd.step(0.5, &[("w", &[1.0])]);
            sgd.step(0.5, &[("w", &[3.0])]);
            sgd.values("w")[0]
        };
        assert_eq!(after(json!({ "momentum": 0 })), 4.0 - 0.5 * (1.0 + 3.0));
        assert_eq!(after(json!({ "momentum": 0.5 })), 4.0 - 0.5 * (1.0 + 3.5));
        assert_eq!(
            after(json!({ "momentum": 0.5, "nesterov": true })),
            4.0 - 0.5 * (1.5 + (3.0 + 0.5 * 3.5))
        );
        assert_eq!(after(json!({ "momentum": 0.5, "dampening": 0.5 })), 4.0 - 0.5 * (1.0 + 2.0));
        assert_eq!(after(json!({ "momentum": 0, "weight_decay": 0.25 })), 3.0 - 0.5 * (3.0 + 0.75));
    }

    #[test]
    fn decay_goes_by_role_and_momentum_by_group() {
        let mut sgd = testing::optimizer::<Sgd>(json!({ "weight_decay": 0.5, "decay_roles": ["weight"] }))
            .weight("w", &[4.0])
            .parameter("b", Role::Bias, &[1], &[4.0]);
        sgd.step(1.0, &[("w", &[0.0]), ("b", &[0.0])]);
        assert_eq!((sgd.values("w"), sgd.values("b")), (&[2.0][..], &[4.0][..]));
        sgd.set_group(1);
        assert_eq!((sgd.slot(0, "momentum", "w"), sgd.slot(1, "momentum", "w")), (Some(&[2.0][..]), None));
        sgd.assert_scale_invariance();
        sgd.assert_resumes(5);
    }
}
