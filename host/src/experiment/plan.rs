//! The stages of a run and the choices that separate its state: as the components plan, or as a checkpoint says.

use super::Experiment;
use crate::boundary::StagePlan;
use crate::checkpoint::State;
use crate::failure::{Failure, Result};

impl Experiment {
    /// Trains one architecture alone: a stage that holds nothing else.
    pub fn restrict_to(&mut self, architecture: &[u32]) {
        self.stages = vec![StagePlan {
            name: "alone".to_owned(),
            allowed: architecture.iter().map(|&option| vec![option]).collect(),
            parent: None,
            epochs: None,
            continues: false,
        }];
        self.split = Vec::new();
    }

    /// Asks for the stages and for the choices that separate the state.
    pub(super) fn plan(&mut self) -> Result<()> {
        let run = self.run_view("sampler", None);
        self.stages = self.manifest.located("sampler", self.sampler.plan(&run))?;
        self.split = self.split_choices();
        if let Some(mut groups) = self.groups.take() {
            let run = self.run_view("state", None);
            self.separated = self.manifest.located("state", groups.separate_by(&run))?;
            self.groups = Some(groups);
        }
        if let Some(both) = self.separated.iter().find(|choice| self.split.contains(choice)) {
            let name = &self.space.choices()[*both as usize].name;
            let groups = self.groups.as_ref().map_or("none", |groups| &groups.identity().name);
            let sampler = &self.sampler.identity().name;
            let failure = Failure::new(format!(
                "the state groups `{groups}` separate by the choice `{name}`, by which the sampler `{sampler}` \
                 splits the space into stages"
            ));
            return Err(self
                .manifest
                .locate("state", failure.hint("take another of the two, or leave `[state]` out")));
        }
        Ok(())
    }

    /// Takes the plan of a checkpoint: a component may plan otherwise now. Other state groups separate as they plan.
    ///
    /// # Errors
    /// The plan is of a space with other choices.
    pub fn restore_plan(&mut self, state: &State) -> Result<()> {
        self.check_plan(state)?;
        self.stages.clone_from(&state.stages);
        self.split = self.split_choices();
        if state.is_of("state", &self.pins) {
            self.separated.clone_from(&state.separated);
        }
        Ok(())
    }

    fn check_plan(&self, state: &State) -> Result<()> {
        let choices = self.space.choices();
        let refuse = |text: String| Err(self.space.identity().failure("choices", &text));
        for stage in &state.stages {
            if stage.allowed.len() != choices.len() {
                let (found, expected) = (choices.len(), stage.allowed.len());
                return refuse(format!(
                    "there are {found}, but the checkpoint is of a space with {expected}"
                ));
            }
            for (choice, allowed) in choices.iter().zip(&stage.allowed) {
                if let Some(option) = allowed.iter().find(|option| **option as usize >= choice.options.len())
                {
                    let (name, count) = (&choice.name, choice.options.len());
                    return refuse(format!(
                        "the choice `{name}` has {count} options, but the checkpoint's plan allows option {option}, \
                         counted from 0"
                    ));
                }
            }
        }
        match state.separated.iter().find(|choice| **choice as usize >= choices.len()) {
            Some(choice) => {
                refuse(format!("the checkpoint's state is separated by choice {choice}, which is not there"))
            }
            None => Ok(()),
        }
    }

    /// The choices at which two stages have no option in common.
    fn split_choices(&self) -> Vec<u32> {
        let disjoint = |a: &[u32], b: &[u32]| !a.iter().any(|option| b.contains(option));
        let splits = |choice: &u32| {
            let allowed: Vec<&Vec<u32>> = self.stages.iter().map(|s| &s.allowed[*choice as usize]).collect();
            allowed.iter().enumerate().any(|(at, a)| allowed[..at].iter().any(|b| disjoint(a, b)))
        };
        (0..self.space.choices().len() as u32).filter(splits).collect()
    }
}

/// The options of each choice that any of the stages allows, in order.
pub(super) fn union(stages: &[Vec<Vec<u32>>]) -> Vec<Vec<u32>> {
    let mut all = stages.first().cloned().unwrap_or_default();
    for (choice, options) in all.iter_mut().enumerate() {
        options.extend(stages.iter().skip(1).flat_map(|stage| &stage[choice]));
        if stages.len() > 1 {
            options.sort_unstable();
            options.dedup();
        }
    }
    all
}
