//! Spaces with mistakes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::prelude::*;
use crate::testing::{self, Path, Picked, Weighting, json, refused};

/// Two choices of a kernel, with one of these faults.
struct Kernels {
    fault: String,
    layers: Vec<Vec<Conv2d>>,
    classifier: Linear,
}

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Fault {
    fault: String,
}

static CALLS: AtomicU64 = AtomicU64::new(0);

impl SearchSpace for Kernels {
    type Settings = Fault;

    fn new(settings: Fault, task: &Task) -> Result<Self> {
        let conv = |layer: usize, side: u64| {
            let from = if layer == 0 { task.input_shape[0] } else { 8 };
            Conv2d::new(&format!("conv{layer}.{side}"), from, 8, side).no_bias()
        };
        let layers = (0..2).map(|layer| vec![conv(layer, 1), conv(layer, 3), conv(layer, 5)]).collect();
        Ok(Self { fault: settings.fault, layers, classifier: Linear::new("classifier", 8, task.classes) })
    }

    fn choices(&self) -> Vec<Choice> {
        ["first", "second"].map(|name| Choice::new(name, &["1x1", "3x3", "5x5"])).to_vec()
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.layers.iter().flatten().try_for_each(|conv| conv.declare(to))?;
        if self.fault == "unused" {
            to.parameter("spare", &[3], Role::Weight, Init::Zeros)?;
        }
        self.classifier.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let mut x = g.input("image")?;
        for (choice, layer) in self.layers.iter().enumerate() {
            x = g.choose(choice as u32, |g, option| layer[option as usize].forward(g, x))?;
        }
        if self.fault == "impure" && CALLS.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            x = g.relu(x)?;
        }
        let y = g.global_avg_pool(x)?;
        let y = if self.fault == "features" { y } else { self.classifier.forward(g, y)? };
        g.output("logits", y)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        match &self.fault[..] {
            "swapped" => (vec![2, 2], vec![0, 0]),
            "largest" => (vec![0, 0], vec![2, 1]),
            _ => (vec![0, 0], vec![2, 2]),
        }
    }

    fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        let mut canonical = architecture.to_vec();
        if self.fault == "canonical" {
            canonical.swap(0, 1);
        }
        Ok(canonical)
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        let read: Result<Architecture> = text.split(',').map(|option| Ok(option.parse()?)).collect();
        Ok(if self.fault == "text" { vec![1, 1] } else { read? })
    }
}

fn kernels(fault: &str) -> testing::SpaceTest {
    testing::space::<Kernels>(json!({ "fault": fault }), &testing::task([3, 16, 16], 10))
}

#[test]
fn a_right_space_passes() {
    let space = kernels("none");
    space.check();
    let cost = space.cost(&[1, 0]);
    let weights = 3 * 8 * 9 + 8 * 8;
    assert_eq!((cost.weights, cost.macs), (weights + 80, weights * 256 + 80));
    assert_eq!((space.text(&[2, 1]), space.parse("2,1")), ("2,1".to_owned(), vec![2, 1]));
    assert_eq!(space.draw(3), space.draw(3));
    assert_eq!(space.run().cost(&[1, 0], "macs") as u64, cost.macs);
    let both = Picked { options: vec![0, 1], weighting: Weighting::Fixed(vec![0.5, 0.5]) };
    let mixed = Path { picked: vec![both.clone(), both], ..Path::of(&[]) };
    assert_eq!(space.graph_of(&mixed).cost().weights, 10 * (3 * 8 + 8 * 8) + 80);
}

#[test]
fn faults_of_spaces_are_found() {
    for (fault, expected) in [
        ("unused", "in `declare`: none of 9 subnets, every option among them, uses the parameter `spare`"),
        ("impure", "has two graphs"),
        ("features", "the output `logits` is [N, 8], expected [N, 10]"),
        ("swapped", "in `extremes`: the smallest has "),
        ("largest", "of the largest [2, 1]"),
        ("canonical", "should be canonical itself, found "),
        ("text", "in `from_text`: `0,0` of [0, 0] reads back as [1, 1]"),
    ] {
        let text = refused(|| kernels(fault).check());
        assert!(
            text.starts_with("search space `Kernels`, in `") && text.contains(expected),
            "{fault}: {text}"
        );
    }
}

#[test]
fn wrong_architectures_are_named() {
    let space = kernels("none");
    assert!(
        refused(|| space.cost(&[0]))
            .ends_with("an architecture of 1 options, expected 2, one for each choice")
    );
    assert!(refused(|| space.text(&[0, 3])).contains("there is no option 3 of the choice `second`"));
    assert!(refused(|| space.parse("zero")).contains("in `from_text`: invalid digit"));
}
