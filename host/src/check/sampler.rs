//! Samplers: the paths of steps, told what came of them if they want to know.

use super::drive::{self, Drive};
use super::ground::Case;
use super::report::{Checks, Ended};
use crate::boundary::{PathPlan, RunView, take_scalars};
use crate::component::Identity;
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::outcomes::{Entry, OutcomesView, PathOutcome};
use crate::train::architecture_parameters;

/// Steps of each planned stage that are asked for.
const STAGE_STEPS: u64 = 100;

struct Driven {
    experiment: Experiment,
    view: RunView,
    outcomes: Vec<Entry>,
    parameters: Vec<(String, Vec<f64>)>,
}

pub(super) fn check(case: &Case, checks: &mut Checks) {
    checks.run("plan", || {
        let (one, other) = (case.experiment()?, case.experiment()?);
        if one.stages != other.stages {
            let (got, expected) = (drive::shown(&other.stages), drive::shown(&one.stages));
            let text = format!("two components of the same settings and seed differ: {got}, and {expected}");
            return Err(one.sampler.identity().failure("plan", &text).into());
        }
        Ok(format!("{} stages, twice", one.stages.len()))
    });
    checks.run("stages", || {
        let stages = case.experiment()?.stages.len();
        for stage in [0, stages - 1] {
            let mut driven = Driven::start(case, stage, STAGE_STEPS)?;
            for step in 0..STAGE_STEPS {
                driven.step(step)?;
                drop(take_scalars());
            }
        }
        Ok(format!("{STAGE_STEPS} steps of the first and of the last of {stages}"))
    });
    drive::check(checks, |total| Driven::start(case, 0, total));
}

impl Driven {
    fn start(case: &Case, stage: usize, total_steps: u64) -> Result<Self, Ended> {
        let mut experiment = case.experiment()?;
        let view = RunView { total_steps, ..experiment.run_view("sampler", Some(stage)) };
        experiment.sampler.start(&view)?;
        experiment.ask_wants()?;
        let parameters = architecture_parameters(&experiment.initial_weights()?)?;
        Ok(Self { experiment, view, outcomes: Vec::new(), parameters })
    }

    /// Tells made-up outcomes: what a sampler does with them must not depend on what they are.
    fn tell(&mut self, step: u64, paths: &[PathPlan]) -> Result<()> {
        let wants = self.experiment.wants;
        if !wants.any() {
            return Ok(());
        }
        let outcome = |(path, plan): (usize, &PathPlan)| {
            let picked = plan.selection.0.iter().enumerate();
            let options =
                picked.flat_map(|(choice, picked)| picked.options.iter().map(move |o| (choice as u32, *o)));
            PathOutcome {
                selection: plan.selection.clone(),
                loss: 2.3 + ((step * 31 + path as u64 * 7) % 17) as f64 / 8.0,
                gradient_norm: wants.path_gradient_norm.then_some(1.5),
                option_norms: if wants.option_gradient_norm {
                    options.map(|(choice, option)| (choice, option, 0.25 + f64::from(option))).collect()
                } else {
                    Vec::new()
                },
            }
        };
        self.outcomes.push((step, paths.iter().enumerate().map(outcome).collect()));
        if (step + 1).is_multiple_of(wants.every) || step + 1 == self.view.total_steps {
            let entries = std::mem::take(&mut self.outcomes);
            let parameters = self.parameters.clone();
            self.experiment.sampler.observe(&OutcomesView { run: &self.view, wants, entries, parameters })?;
        }
        Ok(())
    }
}

impl Drive for Driven {
    type Seen = Vec<PathPlan>;
    const METHOD: &'static str = "sample";

    /// The options of each path.
    fn show(paths: &Self::Seen) -> String {
        let options = |path: &PathPlan| -> Vec<Vec<u32>> {
            path.selection.0.iter().map(|picked| picked.options.clone()).collect()
        };
        format!("the paths {}", drive::shown(&paths.iter().map(options).collect::<Vec<_>>()))
    }

    fn identity(&self) -> &Identity {
        self.experiment.sampler.identity()
    }

    fn step(&mut self, step: u64) -> Result<Option<Self::Seen>> {
        let paths = self.experiment.sampler.sample(&self.view, step)?;
        self.tell(step, &paths)?;
        Ok(Some(paths))
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.experiment.sampler.save()
    }

    fn restore(&mut self, state: &[u8], from: &Self) -> Result<()> {
        self.outcomes.clone_from(&from.outcomes);
        self.experiment.sampler.load(state)
    }
}
