//! The control experiment of momentum separation: groups drawn at random, whatever the step trains.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `random-groups`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Number of groups; as many as momentum separation would have, for a fair control.
    groups: u32,
}

pub(crate) struct RandomGroups(Settings);

impl StateGroups for RandomGroups {
    type Settings = Settings;
    const ABOUT: &'static str =
        "State groups drawn at random for each step: the control of momentum separation.";

    fn new(settings: Settings) -> Result<Self> {
        if settings.groups == 0 {
            return Err(Error::new("`groups` is 0, expected at least 1"));
        }
        Ok(Self(settings))
    }

    fn separate_by(&mut self, _run: &Run) -> Result<Vec<ChoiceIndex>> {
        Ok(Vec::new())
    }

    fn group(&mut self, paths: &Paths) -> Result<u64> {
        Ok(paths.random().below(self.0.groups.into()))
    }
}
