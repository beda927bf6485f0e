//! Takes the stages that a sampler plans.

use nshot_abi::abi_stable::std_types::{RSlice, RStr};
use nshot_abi::{AbiResult, Attribute, host};

use crate::adapter::guard;
use crate::error::Result;
use crate::testing::attributes::{Named, refuse};
use crate::testing::ground;
use crate::testing::run::TestRun;

const STAGES: usize = 10_000;
const EPOCHS: u64 = 1_000_000_000;

/// A stage that a sampler planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// The options that it allows at each choice.
    pub allowed: Vec<Vec<u32>>,
    /// The stage whose weights it starts from; none: from scratch.
    pub parent: Option<String>,
    /// Its own budget instead of the run's.
    pub epochs: Option<u64>,
    /// Whether the schedule goes on where the stage before it ended.
    pub continues: bool,
}

pub(super) struct PlanHost<'a> {
    run: &'a TestRun,
    stages: Vec<StagePlan>,
}

impl<'a> PlanHost<'a> {
    pub(super) fn new(run: &'a TestRun) -> Self {
        Self { run, stages: Vec::new() }
    }

    /// The stages; of a sampler that planned none, one with what the run allows.
    pub(super) fn finish(mut self) -> Vec<StagePlan> {
        if self.stages.is_empty() {
            let (name, allowed) = (self.run.stage.clone(), self.run.allowed.clone());
            let name = if name.is_empty() { "supernet".to_owned() } else { name };
            self.stages.push(StagePlan { name, allowed, parent: None, epochs: None, continues: false });
        }
        self.stages
    }

    fn add(&mut self, name: &str, attributes: &[Attribute]) -> Result<u32> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
            let name: String = name.chars().take(40).collect();
            return refuse(format!(
                "a stage is named `{name}`, expected letters, digits, `-`, `_`, `.`, `=`"
            ));
        }
        if self.stages.iter().any(|stage| stage.name == name) {
            return refuse(format!("the stage `{name}` is planned twice"));
        }
        if self.stages.len() >= STAGES {
            return refuse(format!("more than {STAGES} stages"));
        }
        let mut named = Named::new("stage", attributes)?;
        let (weights, parent) = (named.text("weights")?, named.text("parent")?);
        let (epochs, schedule) = (named.count("epochs")?, named.text("schedule")?);
        named.finish()?;
        self.check_parent(name, weights.as_deref(), parent.as_deref())?;
        let continues = match schedule.as_deref() {
            None | Some("fresh") => false,
            Some("continue") => true,
            Some(other) => {
                return refuse(format!(
                    "stage `{name}`: `schedule` is `{other}`, expected `fresh` or `continue`"
                ));
            }
        };
        if epochs.is_some_and(|epochs| !(1..=EPOCHS).contains(&epochs)) {
            let epochs = epochs.unwrap_or_default();
            return refuse(format!("stage `{name}` has {epochs} epochs, expected 1 to {EPOCHS}"));
        }
        let allowed = self.run.all_options();
        self.stages.push(StagePlan { name: name.to_owned(), allowed, parent, epochs, continues });
        Ok(self.stages.len() as u32 - 1)
    }

    fn check_parent(&self, name: &str, weights: Option<&str>, parent: Option<&str>) -> Result<()> {
        match (weights, parent) {
            (None | Some("scratch"), None) => Ok(()),
            (Some("parent"), Some(parent)) if self.stages.iter().any(|stage| stage.name == parent) => Ok(()),
            (Some("parent"), Some(parent)) => {
                refuse(format!("stage `{name}` starts from `{parent}`, which is not planned before it"))
            }
            (Some("parent"), None) => refuse(format!("stage `{name}` names no `parent`")),
            (None | Some("scratch"), Some(_)) => {
                refuse(format!("stage `{name}` has a `parent` but no `weights = \"parent\"`"))
            }
            (Some(other), _) => {
                refuse(format!("stage `{name}`: `weights` is `{other}`, expected `scratch` or `parent`"))
            }
        }
    }

    fn restrict(&mut self, stage: u32, choice: u32, options: &[u32], attributes: &[Attribute]) -> Result<()> {
        Named::new("allow", attributes)?.finish()?;
        let count = self.stages.len();
        let Some(stage) = self.stages.get_mut(stage as usize) else {
            return refuse(format!("there is no stage {stage}; {count} are planned"));
        };
        let mut options = options.to_vec();
        options.sort_unstable();
        options.dedup();
        ground::check_options(self.run.ground.choices(), choice, &options)?;
        stage.allowed[choice as usize] = options;
        Ok(())
    }
}

impl host::Plan for PlanHost<'_> {
    fn stage(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        guard(|| self.add(name.as_str(), attributes.as_slice()))
    }

    fn allow(
        &mut self,
        stage: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        guard(|| self.restrict(stage, choice, options.as_slice(), attributes.as_slice()))
    }
}
