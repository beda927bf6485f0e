//! The reference backend against hand-computed values and PyTorch's.

use crate::prelude::*;
use crate::testing::{self, OptimizerTest, json, refused};

/// Runs one operation on parameters, gradients and slots, as its settings say.
struct One(Operation);

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Operation {
    name: String,
    /// `p`, `g`, or the name of a slot.
    lists: Vec<String>,
    #[serde(default)]
    numbers: std::collections::BTreeMap<String, f64>,
    #[serde(default)]
    subset: Option<Vec<u32>>,
}

impl Optimizer for One {
    type Settings = Operation;

    fn new(settings: Operation) -> Result<Self> {
        Ok(Self(settings))
    }

    fn step(&mut self, update: &mut Update) -> Result<()> {
        let mut lists = Vec::new();
        for list in &self.0.lists {
            let list = match &list[..] {
                "p" => update.parameters()?,
                "g" => update.gradients()?,
                slot => update.slot(slot)?,
            };
            lists.push(match &self.0.subset {
                Some(indices) => update.subset(list, indices)?,
                None => list,
            });
        }
        let numbers = self.0.numbers.iter();
        let attributes = numbers.fold(Attributes::new(), |all, (name, value)| all.with(name, *value));
        let made = update.op(&self.0.name, &lists, &attributes)?;
        if !self.0.name.ends_with('_') {
            let parameters = update.parameters()?;
            update.op("zero_", &[parameters], &Attributes::new())?;
            update.op("add_", &[parameters, made], &Attributes::new())?;
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // `json!` is written in place.
fn one(name: &str, lists: &[&str], numbers: serde_json::Value) -> OptimizerTest {
    let settings = json!({ "name": name, "lists": lists, "numbers": numbers });
    testing::optimizer::<One>(settings).weight("w", &[4.0, -9.0]).weight("v", &[1.0])
}

/// The parameters after one step.
fn after(name: &str, lists: &[&str], numbers: serde_json::Value) -> Vec<f64> {
    let mut test = one(name, lists, numbers);
    test.step(0.1, &[("v", &[2.0]), ("w", &[0.5, 3.0])]);
    [test.values("w"), test.values("v")].concat()
}

#[test]
fn operations_are_as_documented() {
    let none = || json!({});
    assert_eq!(after("add", &["p", "g"], json!({ "alpha": 2 })), [5.0, -3.0, 5.0]);
    assert_eq!(after("sub_", &["p", "g"], none()), [3.5, -12.0, -1.0]);
    assert_eq!(after("mul_", &["p"], json!({ "value": 0.5 })), [2.0, -4.5, 0.5]);
    assert_eq!(after("div", &["p", "g"], none()), [8.0, -3.0, 0.5]);
    assert_eq!(after("maximum", &["p", "g"], none()), [4.0, 3.0, 2.0]);
    assert_eq!(after("clamp_max", &["p"], json!({ "value": 1 })), [1.0, -9.0, 1.0]);
    assert_eq!(after("pow", &["p"], json!({ "exponent": 2 })), [16.0, 81.0, 1.0]);
    assert_eq!(after("lerp_", &["p", "g"], json!({ "weight": 0.25 })), [3.125, -6.0, 1.25]);
    assert_eq!(after("addcmul", &["p", "g", "g"], json!({ "value": -1 })), [3.75, -18.0, -3.0]);
    assert_eq!(after("addcdiv", &["p", "g", "g"], none()), [5.0, -8.0, 2.0]);
    assert_eq!(after("sign", &["p"], none()), [1.0, -1.0, 1.0]);
    assert_eq!(after("neg", &["p"], none()), [-4.0, 9.0, -1.0]);
    assert_eq!(after("copy_", &["p", "g"], none()), [0.5, 3.0, 2.0]);
    assert_eq!(after("ones_like", &["p"], none()), [1.0; 3]);
    assert_eq!(after("sum", &["p"], none()), [-5.0, -5.0, 1.0]);
    assert_eq!(after("norm", &["p"], json!({ "p": 1 })), [13.0, 13.0, 1.0]);
    assert_eq!(after("total", &["p"], none()), [-4.0; 3]);
    assert!((after("global_norm", &["p"], none())[2] - 98_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn wrong_operations_are_refused_in_the_hosts_words() {
    let text = |name, lists: &[&str], numbers| {
        let text = refused(|| after(name, lists, numbers));
        text.strip_prefix("optimizer `One`, in `step`: operator ").unwrap_or(&text).to_owned()
    };
    let none = || json!({});
    assert_eq!(text("cube", &["p"], none()), "`cube`: is not an operation on lists of tensors of this host");
    assert_eq!(text("lerp", &["p"], none()), "`lerp`: takes 2 lists, found 1");
    assert_eq!(text("mul", &["p"], none()), "`mul`: needs the attribute `value`");
    assert_eq!(
        text("sqrt", &["p"], json!({ "eps": 1 })),
        "`sqrt`: has no attribute `eps` for these lists; it has none"
    );
    assert!(text("neg_", &["g"], none()).starts_with("`neg_`: gradients are read-only"));
    assert!(
        text("fused_sgd_", &["p", "g"], json!({ "momentum": 0.9 }))
            .contains("a slot for momentum just where")
    );
    assert!(text("fused_adam_", &["p", "g", "g", "v"], json!({ "lr": 1 })).contains("must be a slot"));
    assert!(refused(|| after("neg_", &["a b"], none())).contains("a slot is named `a b`"));
}

#[test]
fn fused_sgd_is_pytorchs() {
    let numbers = json!({ "lr": 0.1, "momentum": 0.9, "weight_decay": 0.5, "dampening": 0.5 });
    let mut test = one("fused_sgd_", &["p", "g", "m"], numbers);
    test.step(0.1, &[("w", &[1.0, 0.0])]);
    // The first momentum is the gradient with weight decay: 1 + 0.5·4 and 0 − 0.5·9.
    assert_eq!(test.slot(0, "m", "w"), Some(&[3.0, -4.5][..]));
    assert_eq!(test.values("w"), [3.7, -8.55]);
    test.step(0.1, &[("w", &[1.0, 0.0]), ("v", &[2.0])]);
    let momentum = 0.9 * 3.0 + 0.5 * (1.0 + 0.5 * 3.7);
    assert!((test.values("w")[0] - (3.7 - 0.1 * momentum)).abs() < 1e-12);
    // Another parameter, and another group, start anew.
    assert_eq!(test.slot(0, "m", "v"), Some(&[2.5][..]));
    test.set_group(7);
    assert_eq!(test.slot(7, "m", "v"), None);
    test.step(0.1, &[("v", &[0.0])]);
    assert_eq!(test.slot(7, "m", "v"), Some(&[0.5 * 0.75][..]));
}

/// `torch.optim.AdamW([4.0], lr=0.1, weight_decay=0.5)` with the gradients 1, −2.
#[test]
fn fused_adam_is_pytorchs() {
    let numbers = json!({ "lr": 0.1, "weight_decay": 0.5 });
    let mut test = one("fused_adamw_", &["p", "g", "m", "s"], numbers.clone());
    test.step(0.1, &[("w", &[1.0, 1.0])]);
    assert!((test.values("w")[0] - 3.7).abs() < 1e-8);
    test.step(0.1, &[("w", &[-2.0, 1.0])]);
    let (m, v) = ((0.9 * 0.1 - 0.2) / (1.0 - 0.81), (0.999 * 1e-3 + 4e-3) / (1.0 - 0.998_001));
    let expected: f64 = 3.7 * 0.95 - 0.1 * m / f64::sqrt(v);
    assert!((test.values("w")[0] - expected).abs() < 1e-8, "{} {expected}", test.values("w")[0]);
    let mut coupled = one("fused_adam_", &["p", "g", "m", "s"], numbers);
    coupled.step(0.1, &[("w", &[1.0, 1.0])]);
    assert_eq!(coupled.slot(0, "m", "w").map(|m| (m[0] * 1e6).round()), Some(0.3e6));
}

#[test]
fn subsets_share_memory() {
    let settings = json!({ "name": "neg_", "lists": ["p"], "subset": [1] });
    let mut test = testing::optimizer::<One>(settings).weight("w", &[4.0]).weight("v", &[1.0]);
    test.step(0.1, &[("w", &[0.0]), ("v", &[0.0])]);
    assert_eq!((test.values("w"), test.values("v")), (&[4.0][..], &[-1.0][..]));
    let text = refused(|| test.step(0.1, &[("w", &[0.0])]));
    assert!(text.contains("a subset of list 0 asks for more than its 1 tensors: [1]"), "{text}");
}

#[test]
fn invariance_and_state_are_checked() {
    let sgd = one("fused_sgd_", &["p", "g"], json!({ "lr": 0.1 }));
    sgd.assert_scale_invariance();
    sgd.assert_resumes(5);
    let adam = one("fused_adam_", &["p", "g", "m", "s"], json!({ "lr": 0.1 }));
    assert!(refused(|| adam.assert_scale_invariance()).contains("`GRADIENT_SCALE_INVARIANT` is false, but"));
    let mut sgd = sgd;
    let start = sgd.minimise(0.1, 0);
    assert!(sgd.minimise(0.1, 40) < 1e-3 * start);
}
