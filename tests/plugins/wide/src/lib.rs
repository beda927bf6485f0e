//! A search space of equal convolutions, for what a step costs in supernets of different sizes.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The supernet's size.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Choices, one behind the other.
    choices: u64,
    /// Options at each.
    options: u64,
    /// Channels.
    channels: u64,
    /// With an auxiliary head, and features that count as much as training has come far.
    #[serde(default)]
    auxiliary: bool,
}

/// A stem that makes images a quarter as wide and high, then at each choice one of its 3x3 convolutions.
struct Wide {
    stem: Conv2d,
    choices: Vec<Vec<Conv2d>>,
    classifier: Linear,
    auxiliary: Option<Linear>,
}

impl SearchSpace for Wide {
    type Settings = Settings;
    const ABOUT: &'static str = "At each choice one of many equal convolutions.";

    fn new(settings: Settings, task: &Task) -> Result<Self> {
        let Settings { choices, options, channels, auxiliary } = settings;
        let layer = |choice, option| Conv2d::new(&format!("{choice}.{option}"), channels, channels, 3);
        let layers = |choice| (0..options).map(|option| layer(choice, option)).collect();
        Ok(Self {
            stem: Conv2d::new("stem", task.input_shape[0], channels, 3).stride(4),
            choices: (0..choices).map(layers).collect(),
            classifier: Linear::new("classifier", channels, task.classes),
            auxiliary: auxiliary.then(|| Linear::new("auxiliary", channels, task.classes)),
        })
    }

    fn choices(&self) -> Vec<Choice> {
        let names = |count| (0..count).map(|option: usize| option.to_string()).collect::<Vec<_>>();
        let choices = self.choices.iter().enumerate();
        choices.map(|(index, layers)| Choice::new(format!("c{index}"), &names(layers.len()))).collect()
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.stem.declare(to)?;
        self.choices.iter().flatten().try_for_each(|layer| layer.declare(to))?;
        self.auxiliary.iter().try_for_each(|head| head.declare(to))?;
        self.classifier.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let image = g.input("image")?;
        let mut x = self.stem.forward(g, image)?;
        for (choice, layers) in self.choices.iter().enumerate() {
            x = g.batch_norm(x)?;
            x = g.relu(x)?;
            x = g.choose(choice as u32, |g, option| layers[option as usize].forward(g, x))?;
        }
        let mut x = g.global_avg_pool(x)?;
        if let Some(head) = &self.auxiliary {
            let guess = head.forward(g, x)?;
            g.output("auxiliary", guess)?;
            let progress = g.input("progress")?;
            x = g.mul(x, progress)?;
        }
        let logits = self.classifier.forward(g, x)?;
        g.output("logits", logits)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        let largest = self.choices.iter().map(|layers| layers.len() as u32 - 1);
        (vec![0; self.choices.len()], largest.collect())
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        Ok(architecture.iter().map(u32::to_string).collect::<Vec<_>>().join("-"))
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        let options = text.split('-').map(str::parse).collect::<Result<_, _>>();
        options.map_err(|_| Error::new(format!("`{text}` is no list such as `0-1`")))
    }
}

nshot_sdk::plugin!(group: "nshot-tests"; search_space "wide" => Wide);
