//! Which architectures are trained: listed, or drawn so that they spread evenly over a measure.

use std::collections::HashSet;
use std::path::Path;

use nshot_data::random::Key;
use nshot_graph::Op;

use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::manifest::StandaloneConfig;
use crate::rank;
use crate::run_directory::RunDirectory;
use crate::selection::{Architecture, Selection};
use crate::space::Subnet;

/// What is trained, in order.
const ARCHITECTURES: &str = "architectures.txt";
/// Architectures where the manifest does not say how many.
const COUNT: u64 = 100;
/// Strata of the measure.
const STRATA: usize = 20;
/// A space of at most so many architectures is looked through whole.
const WHOLE: f64 = 50_000.0;
/// Of a larger one, so many are drawn for each that is wanted.
const DRAWS: u64 = 20;

/// The architectures that a directory keeps, if it has its list already.
///
/// # Errors
/// The list is damaged: an architecture is none, or they are not as many as were wanted.
pub(super) fn kept(
    experiment: &Experiment,
    config: &StandaloneConfig,
    directory: &Path,
) -> Result<Option<Vec<Architecture>>> {
    let path = directory.join(ARCHITECTURES);
    if !path.exists() {
        return Ok(None);
    }
    let kept = rank::read_list(&experiment.space, &path)?;
    let wanted = config.count.unwrap_or(COUNT);
    if config.architectures.is_none() && kept.len() as u64 != wanted {
        let text = format!(
            "`{}` is damaged: it has {} architectures, expected {wanted}",
            path.display(),
            kept.len()
        );
        return Err(Failure::new(text).hint("remove that file; it is then made again, as it was"));
    }
    Ok(Some(kept))
}

/// Keeps the list.
pub(super) fn keep(
    experiment: &Experiment,
    directory: &RunDirectory,
    selected: &[Architecture],
) -> Result<()> {
    let texts = selected.iter().map(|architecture| experiment.space.to_text(architecture));
    let texts = texts.collect::<Result<Vec<_>>>()?.join("\n");
    directory.write(ARCHITECTURES, (texts + "\n").as_bytes())
}

/// The architectures that the manifest lists, or draws.
pub(super) fn architectures(experiment: &Experiment, config: &StandaloneConfig) -> Result<Vec<Architecture>> {
    let manifest = &experiment.manifest;
    if let Some(list) = &config.architectures {
        let listed = rank::read_list(&experiment.space, list);
        return manifest.located("standalone.architectures", listed).map(distinct);
    }
    let spread = spread(experiment, config.count.unwrap_or(COUNT), &config.stratify);
    manifest.located("standalone", spread)
}

fn distinct(architectures: Vec<Architecture>) -> Vec<Architecture> {
    let mut seen = HashSet::new();
    architectures.into_iter().filter(|architecture| seen.insert(architecture.clone())).collect()
}

/// Connected and different networks. The range of the measure is cut into strata of equal width; each gives as many, as
/// far as it has them.
fn spread(experiment: &Experiment, count: u64, measure: &str) -> Result<Vec<Architecture>> {
    let space = &experiment.space;
    let mut stream = Key::new(experiment.manifest.seed.sampling, "standalone").stream((0, 0));
    let options = space.all_options();
    let candidates = if space.size() <= WHOLE {
        rank::all(&options)
    } else {
        let mut pick = |options: &Vec<u32>| options[stream.below(options.len() as u64) as usize];
        let draws = count.saturating_mul(DRAWS);
        (0..draws).map(|_| options.iter().map(&mut pick).collect()).collect()
    };
    let (mut seen, mut measured) = (HashSet::new(), Vec::new());
    for candidate in candidates {
        if !space.valid(&candidate)? {
            continue;
        }
        let canonical = space.canonical(&candidate)?;
        if !seen.insert(canonical.clone()) {
            continue;
        }
        let selection = Selection::of(&canonical);
        let subnet = space.subnet(&selection)?;
        if is_connected(&subnet) {
            let size = space.complexity_of(&subnet, &selection, measure);
            measured.push((size.map_err(|refusal| Failure::usage(refusal.text()))?, canonical));
        }
    }
    if (measured.len() as u64) < count {
        let text =
            format!("only {} different connected architectures were found, expected {count}", measured.len());
        return Err(Failure::new(text).hint("ask for fewer in `count`"));
    }
    measured.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let (least, most) = (measured[0].0, measured[measured.len() - 1].0);
    let width = (most - least) / STRATA as f64;
    let mut strata = vec![Vec::new(); STRATA];
    for (size, architecture) in measured {
        let stratum = if width > 0.0 { ((size - least) / width) as usize } else { 0 };
        strata[stratum.min(STRATA - 1)].push((size, architecture));
    }
    let mut selected = Vec::with_capacity(count as usize);
    while selected.len() < count as usize {
        for stratum in strata.iter_mut().filter(|stratum| !stratum.is_empty()) {
            let drawn = stream.below(stratum.len() as u64) as usize;
            selected.push(stratum.swap_remove(drawn));
        }
    }
    selected.truncate(count as usize);
    selected.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    Ok(selected.into_iter().map(|(_, architecture)| architecture).collect())
}

/// Whether the outputs depend on the image.
fn is_connected(subnet: &Subnet) -> bool {
    const IMAGE: usize = 0;
    let is_image = |node| matches!(subnet.graph.node(node).op, Op::Input { index } if index == IMAGE);
    subnet.live().steps.iter().any(|step| is_image(step.node))
}
