//! A sampler that replays given architectures, step by step.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is replayed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// For each step its paths, each an architecture; repeated from the start when they are used up.
    steps: Vec<Vec<Vec<u32>>>,
}

struct Replay(Settings);

impl Sampler for Replay {
    type Settings = Settings;
    const ABOUT: &'static str = "Replays given architectures, step by step.";

    fn new(settings: Settings) -> Result<Self> {
        if settings.steps.is_empty() { Err(Error::new("`steps` is empty")) } else { Ok(Self(settings)) }
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let index = at.step() as usize % self.0.steps.len();
        for architecture in &self.0.steps[index] {
            step.path(architecture)?;
        }
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot-tests"; sampler "replay" => Replay);
