//! A space, a sampler and a scheduler that use ABI 1.0 alone; with the feature `next`, samplers that each use one
//! addition of ABI 1.1.

#[cfg(feature = "next")]
mod next;

use nshot_sdk::prelude::*;

/// One linear layer or none.
struct Small(Linear);

impl SearchSpace for Small {
    type Settings = NoSettings;

    fn new(_: NoSettings, task: &Task) -> Result<Self> {
        Ok(Self(Linear::new("head", task.input_shape[0], task.classes)))
    }

    fn choices(&self) -> Vec<Choice> {
        vec![Choice::new("head", &["none", "linear"])]
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.0.declare(to)
    }

    fn describe(&self, g: &mut Graph) -> Result<()> {
        let x = g.input("image")?;
        let y = g.choose(0, |g, option| if option == 0 { Ok(x) } else { self.0.forward(g, x) })?;
        g.output("logits", y)
    }

    fn extremes(&self) -> (Architecture, Architecture) {
        (vec![0], vec![1])
    }
}

/// The largest architecture, in every step.
struct Largest;

impl Sampler for Largest {
    type Settings = NoSettings;
    const ABOUT: &'static str = "The largest architecture.";

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let path = step.path(&at.run().largest("weights")?)?;
        step.loss(path, "cross_entropy", &attributes! { weight: 2.0 })
    }
}

/// Falls with the step, and with the size of the subnet.
struct Falling;

impl LrScheduler for Falling {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn factor(&mut self, at: &Progress, subnet: &Subnet) -> Result<f64> {
        Ok((1.0 - at.fraction()) / subnet.complexity("weights")?)
    }
}

nshot_sdk::plugin!(
    group: "nshot-tests";
    search_space "small" => Small,
    sampler "largest" => Largest,
    lr_scheduler "falling" => Falling,
);
