//! Takes the stages that a sampler plans.

use std::sync::Arc;

use nshot_abi::abi_stable::std_types::{RSlice, RStr};
use nshot_abi::host;
use nshot_abi::{AbiResult, Attribute};

use super::{Named, Refusal, answer, refuse};
use crate::manifest::LARGEST_EPOCHS;
use crate::space::Space;

/// More stages than this are taken for a mistake.
const STAGES: usize = 10_000;

/// A subspace with its own supernet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StagePlan {
    /// Its name: unique, and the name of a folder.
    pub name: String,
    /// Options that it allows at each choice.
    pub allowed: Vec<Vec<u32>>,
    /// The stage whose weights it starts from; none: from scratch.
    pub parent: Option<String>,
    /// Its own budget instead of the manifest's.
    pub epochs: Option<u64>,
    /// Whether the schedule goes on where the stage before it ended.
    pub continues: bool,
}

/// Takes stages.
pub struct PlanHost {
    space: Arc<Space>,
    /// The stages so far.
    pub stages: Vec<StagePlan>,
}

impl PlanHost {
    /// No stages yet.
    pub fn new(space: Arc<Space>) -> Self {
        Self { space, stages: Vec::new() }
    }

    fn add(&mut self, name: &str, attributes: &[Attribute]) -> Result<u32, Refusal> {
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
        match (weights.as_deref(), &parent) {
            (None | Some("scratch"), None) => {}
            (Some("parent"), Some(parent)) if self.stages.iter().any(|stage| stage.name == *parent) => {}
            (Some("parent"), Some(parent)) => {
                return refuse(format!(
                    "stage `{name}` starts from `{parent}`, which is not planned before it"
                ));
            }
            (Some("parent"), None) => return refuse(format!("stage `{name}` names no `parent`")),
            (None | Some("scratch"), Some(_)) => {
                return refuse(format!("stage `{name}` has a `parent` but no `weights = \"parent\"`"));
            }
            (Some(other), _) => {
                return refuse(format!(
                    "stage `{name}`: `weights` is `{other}`, expected `scratch` or `parent`"
                ));
            }
        }
        let continues = match schedule.as_deref() {
            None | Some("fresh") => false,
            Some("continue") => true,
            Some(other) => {
                return refuse(format!(
                    "stage `{name}`: `schedule` is `{other}`, expected `fresh` or `continue`"
                ));
            }
        };
        if let Some(epochs) = epochs
            && !(1..=LARGEST_EPOCHS).contains(&epochs)
        {
            return refuse(format!("stage `{name}` has {epochs} epochs, expected 1 to {LARGEST_EPOCHS}"));
        }
        let allowed = self.space.all_options();
        self.stages.push(StagePlan { name: name.to_owned(), allowed, parent, epochs, continues });
        Ok(self.stages.len() as u32 - 1)
    }

    fn restrict(
        &mut self,
        stage: u32,
        choice: u32,
        options: &[u32],
        attributes: &[Attribute],
    ) -> Result<(), Refusal> {
        Named::new("allow", attributes)?.finish()?;
        let count = self.stages.len();
        let Some(stage) = self.stages.get_mut(stage as usize) else {
            return refuse(format!("there is no stage {stage}; {count} are planned"));
        };
        let mut options = options.to_vec();
        options.sort_unstable();
        options.dedup();
        self.space.check_options(choice, &options)?;
        stage.allowed[choice as usize] = options;
        Ok(())
    }
}

impl host::Plan for PlanHost {
    fn stage(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| self.add(name.as_str(), attributes.as_slice()))
    }

    fn allow(
        &mut self,
        stage: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        answer(|| self.restrict(stage, choice, options.as_slice(), attributes.as_slice()))
    }
}
