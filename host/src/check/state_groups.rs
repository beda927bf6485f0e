//! State groups: the choices that separate, and the group of every step.

use super::drive::{self, Drive};
use super::ground::{self, Case};
use super::report::{Checks, Ended};
use crate::boundary::{PathsView, RunView};
use crate::component::{Identity, StateGroups};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::selection::Selection;

/// Paths that the groups are asked for.
const PATHS: usize = 200;
/// As many groups as a run takes.
const GROUPS: usize = 4096;

struct Driven {
    experiment: Experiment,
    groups: StateGroups,
    view: RunView,
    paths: Vec<Selection>,
    seen: std::collections::HashSet<u64>,
}

pub(super) fn check(case: &Case, checks: &mut Checks) {
    checks.run("separate_by", || {
        let (one, other) = (case.experiment()?.separated, case.experiment()?.separated);
        if one != other {
            let text = format!("two components of the same settings and seed differ: {other:?}, and {one:?}");
            let driven = Driven::start(case, 1)?;
            return Err(driven.groups.identity().failure("separate_by", &text).into());
        }
        Ok(format!("{} choices, twice", one.len()))
    });
    drive::check(checks, |total| Driven::start(case, total));
}

impl Driven {
    fn start(case: &Case, total_steps: u64) -> Result<Self, Ended> {
        let mut experiment = case.experiment()?;
        let view = RunView { total_steps, ..experiment.run_view("state", Some(0)) };
        let absent = || Failure::new("the run has no state groups");
        let mut groups = experiment.groups.take().ok_or_else(absent)?;
        groups.start(&view)?;
        let paths = ground::architectures(&experiment.space, &view.allowed, PATHS)?;
        let paths = paths.iter().map(|architecture| Selection::of(architecture)).collect();
        Ok(Self { experiment, groups, view, paths, seen: std::collections::HashSet::new() })
    }
}

impl Drive for Driven {
    type Seen = u64;
    const METHOD: &'static str = "group";

    fn identity(&self) -> &Identity {
        self.groups.identity()
    }

    /// Of one path, then of three that are the same.
    fn step(&mut self, step: u64) -> Result<Option<u64>> {
        let path = &self.paths[(step as usize * 7) % self.paths.len()];
        let view = PathsView {
            space: &self.experiment.space,
            paths: vec![path; if step.is_multiple_of(2) { 1 } else { 3 }],
            separated: &self.experiment.separated,
            step,
            run: &self.view,
        };
        let group = self.groups.group(&view)?;
        if self.seen.insert(group) && self.seen.len() > GROUPS {
            let text = format!("more than {GROUPS} groups; each has its own state of the optimizer");
            return Err(self.groups.identity().failure("group", &text));
        }
        Ok(Some(group))
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.groups.save()
    }

    fn restore(&mut self, state: &[u8], _: &Self) -> Result<()> {
        self.groups.load(state)
    }
}
