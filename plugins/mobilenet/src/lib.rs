//! The search space of MobileNet-like networks, as in `ProxylessNAS` (Cai, Zhu and Han, ICLR 2019): each layer is an
//! inverted bottleneck of some kernel and expansion, or absent.
//!
//! An architecture's text names the operation of each layer, joined by `-`: `k3e3-k5e6-identity-…`, where `k5e6` has a
//! 5x5 depthwise convolution on 6 times the channels. Read are also `|` for `-`, and the operations' indices:
//! `0,3,6,…` or `036…`.

mod architecture;
mod layers;
mod settings;

use nshot_sdk::prelude::*;

use architecture::{IDENTITY, Layers};
use layers::Network;
use settings::Settings;

struct MobileNet {
    layers: Layers,
    network: Network,
}

impl SearchSpace for MobileNet {
    type Settings = Settings;
    const ABOUT: &'static str = "MobileNet-like networks: each layer an inverted bottleneck of kernel 3, 5 or 7 and \
        expansion 3 or 6, or absent.";
    const CITATION: &'static str = "@inproceedings{cai2019proxylessnas, title={ProxylessNAS: Direct Neural \
        Architecture Search on Target Task and Hardware}, author={Cai, Han and Zhu, Ligeng and Han, Song}, \
        booktitle={ICLR}, year={2019}}";

    fn new(settings: Settings, task: &Task) -> Result<Self> {
        settings.check(task)?;
        Ok(Self { layers: Layers::of_stages(&settings.layers), network: Network::new(&settings, task) })
    }

    fn choices(&self) -> Vec<Choice> {
        let choice = |(layer, options)| Choice::new(format!("layer {layer}"), options);
        self.layers.options().enumerate().map(choice).collect()
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        let net = &self.network;
        net.stem.declare(to)?;
        net.first.declare(to)?;
        net.layers.iter().flatten().try_for_each(|block| block.declare(to))?;
        net.mix.declare(to)?;
        net.classifier.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let net = &self.network;
        let image = g.input("image")?;
        let x = g.scope("stem", |g| net.stem.forward_relu6(g, image))?;
        let mut x = g.scope("first", |g| net.first.forward(g, x))?;
        for (layer, blocks) in net.layers.iter().enumerate() {
            x = g.scope(&format!("layers.{layer}"), |g| {
                g.choose(layer as ChoiceIndex, |g, option| match option {
                    IDENTITY => Ok(x),
                    option => blocks[option as usize].forward(g, x),
                })
            })?;
        }
        let logits = g.scope("head", |g| {
            let y = net.mix.forward_relu6(g, x)?;
            let y = g.global_avg_pool(y)?;
            net.classifier.forward(g, y)
        })?;
        g.output("logits", logits)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        (self.layers.smallest(), self.layers.largest())
    }

    fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        self.layers.canonical(architecture)
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        self.layers.to_text(architecture)
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        self.layers.parse(text)
    }
}

nshot_sdk::plugin!(group: "nshot"; search_space "mobilenet" => MobileNet);
