//! The components' own states in checkpoints.

use std::collections::BTreeMap;

use crate::checkpoint::{ComponentState, State};
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::run_directory::LockedComponent;

/// The states of all components that have one, as a checkpoint keeps them.
pub(super) fn save_components(experiment: &Experiment) -> Result<BTreeMap<String, ComponentState>> {
    let mut states = BTreeMap::new();
    let mut keep = |table: &str, state| {
        let of = experiment.pins.get(table).map(LockedComponent::full_name).unwrap_or_default();
        states.insert(table.to_owned(), ComponentState { of, state });
    };
    keep("sampler", experiment.sampler.save()?);
    if let Some(groups) = &experiment.groups {
        keep("state", groups.save()?);
    }
    keep("scheduler", experiment.scheduler.save()?);
    keep("optimizer", experiment.optimizer.save()?);
    Ok(states)
}

/// Gives the components the states of a checkpoint that are theirs.
pub(super) fn load_components(experiment: &mut Experiment, state: &State) -> Result<()> {
    // A component that took another's place has none, and begins as it starts.
    let pins = experiment.pins.clone();
    let of = |table: &str| {
        state.components.get(table).filter(|_| state.is_of(table, &pins)).map(|saved| &saved.state)
    };
    if let Some(state) = of("sampler") {
        experiment.sampler.load(state)?;
    }
    if let (Some(groups), Some(state)) = (&mut experiment.groups, of("state")) {
        groups.load(state)?;
    }
    if let Some(state) = of("scheduler") {
        experiment.scheduler.load(state)?;
    }
    of("optimizer").map_or(Ok(()), |state| experiment.optimizer.load(state))
}
