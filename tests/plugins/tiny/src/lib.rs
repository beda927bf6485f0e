//! A search space of hardly any arithmetic, for runs of many steps.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can be chosen.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For each choice its number of options.
    options: Vec<u32>,
    /// Whether an architecture's options must not fall from one choice to the next.
    #[serde(default)]
    ordered: bool,
}

/// The image's mean, scaled and shifted at each choice, to the logits.
struct Tiny {
    ordered: bool,
    choices: Vec<Vec<Linear>>,
    classifier: Linear,
}

impl SearchSpace for Tiny {
    type Settings = Settings;
    const ABOUT: &'static str = "One number, scaled and shifted at each choice.";

    fn new(settings: Settings, task: &Task) -> Result<Self> {
        let layer = |choice, option| Linear::new(&format!("{choice}.{option}"), 1, 1);
        let layers = settings.options.iter().enumerate();
        let layers = layers.map(|(choice, &count)| (0..count).map(|option| layer(choice, option)).collect());
        Ok(Self {
            ordered: settings.ordered,
            choices: layers.collect(),
            classifier: Linear::new("classifier", 1, task.classes),
        })
    }

    fn choices(&self) -> Vec<Choice> {
        let names = |count| (0..count).map(|option: usize| option.to_string()).collect::<Vec<_>>();
        let choices = self.choices.iter().enumerate();
        choices.map(|(index, layers)| Choice::new(format!("c{index}"), &names(layers.len()))).collect()
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.choices.iter().flatten().try_for_each(|layer| layer.declare(to))?;
        self.classifier.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let image = g.input("image")?;
        let mut x = g.global_avg_pool(image)?;
        for (choice, layers) in self.choices.iter().enumerate() {
            x = g.choose(choice as u32, |g, option| layers[option as usize].forward(g, x))?;
        }
        let logits = self.classifier.forward(g, x)?;
        g.output("logits", logits)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        let largest = self.choices.iter().map(|layers| layers.len() as u32 - 1);
        (vec![0; self.choices.len()], largest.collect())
    }

    fn valid(&self, architecture: &[u32]) -> bool {
        !self.ordered || architecture.is_sorted()
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        Ok(architecture.iter().map(u32::to_string).collect::<Vec<_>>().join("-"))
    }

    fn from_text(&self, text: &str) -> Result<Architecture> {
        let options = text.split('-').map(str::parse).collect::<Result<_, _>>();
        options.map_err(|_| Error::new(format!("`{text}` is no list such as `0-1`")))
    }
}

nshot_sdk::plugin!(group: "nshot-tests"; search_space "tiny" => Tiny);
