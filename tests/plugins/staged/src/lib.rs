//! A sampler with everything that makes stopping and resuming hard: stages, parents, a state of its own, samples that
//! depend on the losses of earlier ones, figures and texts.

use std::time::Duration;

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How it samples.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Epochs of each stage; 0: one stage for the whole space.
    epochs: i64,
    /// Only the stage `low`, from scratch: half of the space has no supernet.
    half: bool,
    /// Milliseconds that it sleeps in each step.
    pause: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { epochs: 2, half: false, pause: 0 }
    }
}

/// What it saves.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// Steps that it sampled, in all stages.
    drawn: u64,
    /// Steps whose loss it was told, in all stages.
    observed: u64,
    /// For each option of the last choice, a running mean of the losses with it.
    losses: Vec<f64>,
}

struct Staged {
    settings: Settings,
    /// The last choice.
    last: ChoiceIndex,
    state: State,
}

impl Staged {
    /// The last choice takes the option with the highest loss in every other step.
    fn hardest(&self, allowed: &[u32]) -> Option<u32> {
        let loss = |option: &u32| self.state.losses.get(*option as usize).copied().unwrap_or_default();
        allowed.iter().copied().max_by(|a, b| loss(a).total_cmp(&loss(b)))
    }
}

impl Sampler for Staged {
    type Settings = Settings;
    const ABOUT: &'static str = "Three stages; samples by the losses that it observed.";

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self { settings, last: 0, state: State::default() })
    }

    fn plan(&mut self, _: &Run, plan: &mut Plan) -> Result<()> {
        let epochs = self.settings.epochs;
        if epochs == 0 {
            return Ok(());
        }
        if self.settings.half {
            let low = plan.stage("low", &attributes! { epochs: epochs })?;
            return plan.allow(low, 0, &[0, 1]);
        }
        plan.stage("warm", &attributes! { epochs: epochs })?;
        let low = attributes! { epochs: epochs, weights: "parent", parent: "warm", schedule: "continue" };
        let low = plan.stage("low", &low)?;
        plan.allow(low, 0, &[0, 1])?;
        let high = plan.stage("high", &attributes! { epochs: epochs })?;
        plan.allow(high, 0, &[2, 3, 4])
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        self.last = run.choice_count() - 1;
        let options = run.options(self.last)?.len();
        self.state.losses.resize(options, 0.0);
        nshot_sdk::log::scalar("start", run.total_steps() as f64)?;
        tracing::info!("stage {} starts after {} draws", run.stage(), self.state.drawn);
        Ok(())
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        std::thread::sleep(Duration::from_millis(self.settings.pause));
        let mut architecture = at.uniform(&mut at.random())?;
        if self.state.drawn % 2 == 1 {
            let allowed = at.run().allowed(self.last)?;
            architecture[self.last as usize] = self.hardest(&allowed).unwrap_or_default();
        }
        self.state.drawn += 1;
        nshot_sdk::log::scalar("drawn", self.state.drawn as f64)?;
        step.path(&architecture)?;
        Ok(())
    }

    fn wants(&self) -> Wants {
        Wants { loss: true, path_gradient_norm: true, observe_every: 3, ..Wants::default() }
    }

    fn observe(&mut self, outcomes: &Outcomes) -> Result<()> {
        for entry in 0..outcomes.count() {
            let loss =
                outcomes.path_value(entry, 0, "loss")? + outcomes.path_value(entry, 0, "gradient_norm")?;
            for option in outcomes.selected(entry, 0, self.last)? {
                if let Some(mean) = self.state.losses.get_mut(option as usize) {
                    *mean = 0.7 * *mean + 0.3 * loss;
                }
            }
            self.state.observed += 1;
        }
        nshot_sdk::log::scalar("observed", self.state.observed as f64)?;
        tracing::info!("observed {} steps", self.state.observed);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        // What is recorded here must leave no trace: how often it happens depends on the checkpoints.
        nshot_sdk::log::scalar("saved", self.state.drawn as f64)?;
        serde_json::to_vec(&self.state).map_err(|error| Error::new(error.to_string()))
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.state = serde_json::from_slice(state).map_err(|error| Error::new(error.to_string()))?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot-tests"; sampler "staged" => Staged);
