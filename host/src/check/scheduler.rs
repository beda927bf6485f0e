//! Learning-rate schedulers: the factor of every step, for small and large subnets.

use super::drive::{self, Drive};
use super::ground::{self, Case};
use super::report::{Checks, Ended};
use crate::boundary::{ProgressView, RunView};
use crate::component::Identity;
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::selection::{Architecture, Selection};

/// Subnets whose factors are asked for.
const SUBNETS: usize = 64;
/// Steps of a run that is longer than any.
const LONGEST: u64 = 1_000_000_000_000;

struct Driven {
    experiment: Experiment,
    view: RunView,
    subnets: Vec<Architecture>,
}

pub(super) fn check(case: &Case, checks: &mut Checks) {
    checks.run("extremes", || {
        let mut asked = 0;
        for total in [1, 2, LONGEST] {
            let mut driven = Driven::start(case, total)?;
            for step in [0, 1, total / 2, total - 1] {
                for subnet in 0..driven.subnets.len().min(8) {
                    driven.factor(step.min(total - 1), subnet)?;
                    asked += 1;
                }
            }
        }
        Ok(format!(
            "{asked} factors, in runs of 1 to {LONGEST} steps, of the smallest and the largest subnet too"
        ))
    });
    drive::check(checks, |total| Driven::start(case, total));
}

impl Driven {
    fn start(case: &Case, total_steps: u64) -> Result<Self, Ended> {
        let mut experiment = case.experiment()?;
        let view = RunView { total_steps, ..experiment.run_view("scheduler", Some(0)) };
        let subnets = ground::architectures(&experiment.space, &view.allowed, SUBNETS)?;
        experiment.scheduler.start(&view)?;
        Ok(Self { experiment, view, subnets })
    }

    fn factor(&mut self, step: u64, subnet: usize) -> Result<f64> {
        let selection = Selection::of(&self.subnets[subnet]);
        let subnet = self.experiment.space.subnet(&selection)?;
        let (total_steps, steps_per_epoch) = (self.view.total_steps, self.view.steps_per_epoch);
        let at = ProgressView { run: &self.view, step, total_steps, steps_per_epoch };
        self.experiment.scheduler.factor(at, &selection, &subnet)
    }
}

impl Drive for Driven {
    type Seen = f64;
    const METHOD: &'static str = "factor";

    fn identity(&self) -> &Identity {
        self.experiment.scheduler.identity()
    }

    fn step(&mut self, step: u64) -> Result<Option<f64>> {
        let subnet = (step as usize * 7) % self.subnets.len();
        self.factor(step, subnet).map(Some)
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.experiment.scheduler.save()
    }

    fn restore(&mut self, state: &[u8], _: &Self) -> Result<()> {
        self.experiment.scheduler.load(state)
    }
}
