//! Which subnets are ranked: drawn at random, or listed in a file.

use std::collections::HashSet;
use std::path::Path;

use nshot_data::random::Key;

use super::Assigned;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::manifest::RankConfig;
use crate::progress::say;
use crate::selection::Architecture;
use crate::space::Space;

/// Subnets drawn when the manifest does not say how many.
const SUBNETS: u64 = 100;

/// The subnets of the final ranking, each with the stage that it belongs to.
pub(super) fn finally(experiment: &Experiment) -> Result<Assigned> {
    let Some(rank) = &experiment.manifest.rank else { return Ok(Vec::new()) };
    let subnets = if let Some(given) = given(experiment, rank)? {
        given
    } else {
        let held = |subnet: &[u32]| stage_of(experiment, subnet).is_some();
        let wanted = rank.subnets.unwrap_or(SUBNETS);
        let drawn = drawn(experiment, &experiment.space.all_options(), wanted, held)?;
        if drawn.is_empty() {
            let text = "none of the subnets that were drawn for the ranking is valid";
            return Err(experiment.space.identity().failure("valid", text));
        }
        if (drawn.len() as f64) < (wanted as f64).min(experiment.space.size()) {
            say(&format!(
                "note: only {} subnets were found for the ranking, {wanted} were asked for",
                drawn.len()
            ));
        }
        drawn
    };
    let assigned = subnets.into_iter().filter_map(|subnet| Some((stage_of(experiment, &subnet)?, subnet)));
    Ok(assigned.collect())
}

/// The subnets of a ranking during training: those of the final one that the stage holds, or as many drawn there.
pub(super) fn of_stage(experiment: &Experiment, stage: usize) -> Result<Vec<Architecture>> {
    let Some(rank) = &experiment.manifest.rank else { return Ok(Vec::new()) };
    let allowed = &experiment.stages[stage].allowed;
    Ok(match given(experiment, rank)? {
        Some(given) => given.into_iter().filter(|subnet| holds(allowed, subnet)).collect(),
        None => drawn(experiment, allowed, rank.subnets.unwrap_or(SUBNETS), |_| true)?,
    })
}

/// Checks the ranking of a manifest before the run starts.
///
/// # Errors
/// The list cannot be read, or no stage holds a subnet of it; the data cannot be batched as asked.
pub fn check(experiment: &Experiment) -> Result<()> {
    let Some(rank) = &experiment.manifest.rank else { return Ok(()) };
    let manifest = &experiment.manifest;
    if let Err(error) = experiment.data.rank_batches(rank.batch_size, rank.images, nshot_data::Layout::Nhwc) {
        let key = error.key().unwrap_or("rank").to_owned();
        return Err(manifest.locate(&key, error.into()));
    }
    if manifest.train.stop_after.is_some() && experiment.stages.len() > 1 {
        let failure = Failure::usage("`stop_after` leaves stages untrained whose supernets `[rank]` needs");
        return Err(manifest.locate("train.stop_after", failure.hint("leave out `stop_after` or `[rank]`")));
    }
    let key = if rank.architectures.is_some() { "rank.architectures" } else { "rank.table" };
    manifest.located(key, check_list(experiment, rank))?;
    super::recalibrate::check(experiment)
}

fn check_list(experiment: &Experiment, rank: &RankConfig) -> Result<()> {
    let given = given(experiment, rank)?;
    if given.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new("the table marks no architecture").hint("see `rank.subset`"));
    }
    let mut seen = HashSet::new();
    for subnet in given.into_iter().flatten() {
        if !seen.insert(subnet.clone()) {
            let text = experiment.space.to_text(&subnet)?;
            return Err(Failure::new(format!("the subnet `{text}` is listed twice")));
        }
        if experiment.truth.as_ref().is_some_and(|table| table.get(&subnet).is_none()) {
            let text = experiment.space.to_text(&subnet)?;
            return Err(Failure::new(format!("the subnet `{text}` is not in the table `rank.table`")));
        }
        if stage_of(experiment, &subnet).is_none() {
            let text = experiment.space.to_text(&subnet)?;
            return Err(Failure::new(format!("no stage of the sampler holds the subnet {text}")));
        }
    }
    Ok(())
}

/// The last stage that holds a subnet: later stages start from earlier ones.
pub fn stage_of(experiment: &Experiment, subnet: &[u32]) -> Option<usize> {
    experiment.stages.iter().rposition(|stage| holds(&stage.allowed, subnet))
}

fn holds(allowed: &[Vec<u32>], subnet: &[u32]) -> bool {
    allowed.iter().zip(subnet).all(|(options, option)| options.contains(option))
}

/// The subnets that the manifest's list or table gives; none if it names neither.
fn given(experiment: &Experiment, rank: &RankConfig) -> Result<Option<Vec<Architecture>>> {
    if let Some(listed) = listed(&experiment.space, rank)? {
        return Ok(Some(listed));
    }
    let Some(table) = &experiment.truth else { return Ok(None) };
    let mut subnets: Vec<Architecture> = table.subset().map(|entry| entry.architecture.clone()).collect();
    if let Some(count) = rank.subnets {
        // The first of a random order: a larger count keeps those of a smaller one.
        let mut stream = Key::new(experiment.manifest.seed.sampling, "ranking of a table").stream((0, 0));
        for index in 0..subnets.len().min(count as usize) {
            let other = index + stream.below((subnets.len() - index) as u64) as usize;
            subnets.swap(index, other);
        }
        subnets.truncate(count as usize);
    }
    Ok(Some(subnets))
}

/// The subnets that the manifest's file lists; none if it names no file.
///
/// # Errors
/// The file cannot be read, or a line is no architecture.
pub fn listed(space: &Space, rank: &RankConfig) -> Result<Option<Vec<Architecture>>> {
    rank.architectures.as_ref().map(|path| read_list(space, path)).transpose()
}

/// Reads a file of architectures, one a line; empty lines and those after `#` are skipped.
///
/// # Errors
/// The file cannot be read, or a line is no architecture.
pub fn read_list(space: &Space, path: &Path) -> Result<Vec<Architecture>> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let mut subnets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let subnet = space.parse(line);
        subnets
            .push(subnet.map_err(|failure| failure.context(&format!("{}:{}", path.display(), number + 1)))?);
    }
    if subnets.is_empty() {
        return Err(Failure::new(format!("`{}` lists no architecture", path.display())));
    }
    Ok(subnets)
}

/// Different subnets, drawn uniformly; all of them, in order, if there are no more than that.
fn drawn(
    experiment: &Experiment,
    allowed: &[Vec<u32>],
    count: u64,
    held: impl Fn(&[u32]) -> bool,
) -> Result<Vec<Architecture>> {
    let size: f64 = allowed.iter().map(|options| options.len() as f64).product();
    if size <= count as f64 {
        let valid = |subnet: Architecture| Ok(experiment.space.valid(&subnet)?.then_some(subnet));
        return all(allowed)
            .into_iter()
            .filter(|subnet| held(subnet))
            .map(valid)
            .filter_map(Result::transpose)
            .collect();
    }
    let mut stream = Key::new(experiment.manifest.seed.sampling, "ranking").stream((0, 0));
    let mut seen = HashSet::new();
    let mut subnets = Vec::new();
    // A space with few valid subnets has fewer than asked for.
    for _ in 0..count.saturating_mul(1000) {
        let pick = |options: &Vec<u32>| options[stream.below(options.len() as u64) as usize];
        let subnet: Architecture = allowed.iter().map(pick).collect();
        if seen.insert(subnet.clone()) && held(&subnet) && experiment.space.valid(&subnet)? {
            subnets.push(subnet);
            if subnets.len() as u64 == count {
                break;
            }
        }
    }
    Ok(subnets)
}

/// Every subnet, the first choice most significant.
pub fn all(allowed: &[Vec<u32>]) -> Vec<Architecture> {
    allowed.iter().fold(vec![Vec::new()], |starts, options| {
        let longer = starts.iter().flat_map(|start| {
            options.iter().map(move |option| start.iter().copied().chain([*option]).collect())
        });
        longer.collect()
    })
}
