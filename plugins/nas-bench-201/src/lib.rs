//! The search space of NAS-Bench-201 (Dong and Yang, ICLR 2020): one cell of six edges, repeated through a
//! residual network of three stages.

mod architecture;
mod canonical;
mod layers;
mod settings;

use nshot_sdk::prelude::*;

use architecture::{Cell, EDGES, OPTIONS};
use layers::{CellLayers, Network, Reduction};
use settings::Settings;

/// `C`, `2C`, `4C` channels.
const STAGES: u64 = 3;

struct NasBench201(Network);

impl SearchSpace for NasBench201 {
    type Settings = Settings;
    const ABOUT: &'static str =
        "The cells of NAS-Bench-201: six edges with five operations each, 15,625 architectures.";
    const CITATION: &'static str = "@inproceedings{dong2020nasbench201, title={NAS-Bench-201: Extending the \
        Scope of Reproducible Neural Architecture Search}, author={Dong, Xuanyi and Yang, Yi}, \
        booktitle={ICLR}, year={2020}}";

    fn new(settings: Settings, task: &Task) -> Result<Self> {
        settings.check(task)?;
        Ok(Self(Network::new(&settings, task)))
    }

    fn choices(&self) -> Vec<Choice> {
        (0..EDGES.len()).map(|edge| Choice::new(architecture::edge_name(edge), &OPTIONS)).collect()
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        let net = &self.0;
        net.stem.declare(to)?;
        net.stem_norm.declare(to)?;
        net.stages.iter().flatten().try_for_each(|cell| cell.declare(to))?;
        net.reductions.iter().try_for_each(|reduction| reduction.declare(to))?;
        net.norm.declare(to)?;
        net.classifier.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let net = &self.0;
        let image = g.input("image")?;
        let mut x = g.scope("stem", |g| {
            let y = net.stem.forward(g, image)?;
            net.stem_norm.forward(g, y)
        })?;
        for (stage, cells) in net.stages.iter().enumerate() {
            if stage > 0 {
                x = net.reductions[stage - 1].forward(g, x)?;
            }
            for cell in cells {
                x = cell.forward(g, x)?;
            }
        }
        let logits = g.scope("head", |g| {
            let y = net.norm.forward(g, x)?;
            let y = g.relu(y)?;
            let y = g.global_avg_pool(y)?;
            net.classifier.forward(g, y)
        })?;
        g.output("logits", logits)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        (vec![architecture::NONE; EDGES.len()], vec![architecture::NOR_CONV_3X3; EDGES.len()])
    }

    fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        Ok(canonical::canonical(Cell::new(architecture)?).options().to_vec())
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        Ok(Cell::new(architecture)?.to_string())
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        Ok(Cell::parse(text)?.options().to_vec())
    }
}

impl Network {
    fn new(settings: &Settings, task: &Task) -> Self {
        let norm = settings.batch_norm;
        let width = |stage: u64| settings.channels << stage;
        let cells = |stage: u64| {
            (0..settings.cells)
                .map(|cell| CellLayers::new(&format!("stages.{stage}.{cell}"), width(stage), norm))
                .collect()
        };
        let reduction = |from: u64| Reduction::new(&format!("reductions.{from}"), width(from), norm);
        Self {
            stem: Conv2d::new("stem", task.input_shape[0], width(0), 3).no_bias(),
            stem_norm: norm.layer("stem.norm", width(0)),
            stages: (0..STAGES).map(cells).collect(),
            reductions: (0..STAGES - 1).map(reduction).collect(),
            norm: norm.layer("norm", width(STAGES - 1)),
            classifier: Linear::new("classifier", width(STAGES - 1), task.classes),
        }
    }
}

nshot_sdk::plugin!(group: "nshot"; search_space "nas-bench-201" => NasBench201);

#[cfg(test)]
mod tests {
    use nshot_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn the_space_is_sound_with_either_norm() {
        for norm in ["batch", "affine"] {
            testing::space::<NasBench201>(json!({ "batch_norm": norm }), &testing::task([3, 32, 32], 10))
                .check();
        }
    }

    /// The benchmark's own figures of `|nor_conv_3x3~0|+…` on CIFAR-10: 1.531546 M parameters.
    #[test]
    fn the_largest_network_is_the_benchmarks() {
        let settings = json!({ "batch_norm": "affine" });
        let space = testing::space::<NasBench201>(settings, &testing::task([3, 32, 32], 10));
        let (_, largest) = space.extremes("params");
        assert_eq!(space.cost(&largest).params, 1_531_546);
    }
}
