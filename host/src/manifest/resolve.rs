//! Defaults that depend on other keys, ranges, and absolute paths.

use std::path::{Path, PathBuf};

use nshot_data::Portion;
use toml::{Table, Value};

use super::config::{Dtype, LARGEST_EPOCHS, LARGEST_STEPS, LARGEST_THREADS};
use super::source::Source;
use super::{Component, Manifest, Use};
use crate::failure::{Failure, Result};

/// The longest name of a run.
const LONGEST_NAME: usize = 100;
/// The longest call that can be waited for, in seconds: a month.
const LONGEST_CALL: u64 = 31 * 24 * 3600;
/// The most subnets that are ranked.
const MOST_SUBNETS: u64 = 10_000_000;
/// The seeds that default to the run's.
const SEEDS: [&str; 4] = ["data", "init", "sampling", "augmentation"];

/// Writes the defaults that depend on other keys. What has a wrong type is left to the types.
pub(super) fn fill(table: &mut Table, source: &Source) -> Result<()> {
    let Some(run) = sub_table(table, "run") else { return Ok(()) };
    if !run.contains_key("name") {
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if !is_run_name(stem) {
            let wrong = Failure::usage(format!("the file name `{stem}` cannot be the run's name"));
            return Err(source.locate("run", wrong.hint("set `name` in `[run]`")));
        }
        run.insert("name".to_owned(), stem.into());
    }
    if let (Some(Value::String(name)), false) = (run.get("name"), run.contains_key("directory")) {
        let directory = format!("runs/{name}");
        run.insert("directory".to_owned(), directory.into());
    }
    let Value::Integer(seed) = *run.get("seed").unwrap_or(&Value::Integer(0)) else { return Ok(()) };
    if let (Some(seeds), 0..) = (sub_table(table, "seed"), seed) {
        for purpose in SEEDS {
            seeds.entry(purpose.to_owned()).or_insert(Value::Integer(seed));
        }
    }
    Ok(())
}

/// The table of this name, made if it is absent; None if something else has the name.
fn sub_table<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    table.entry(name.to_owned()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
}

/// Checks the ranges.
pub(super) fn check(manifest: &Manifest) -> Result<()> {
    let failed = |(key, problem): (&str, String)| {
        Err(manifest.locate(key, Failure::usage(format!("`{key}` {problem}"))))
    };
    ranges(manifest).or_else(failed)?;
    length(manifest)?;
    rank_list(manifest)?;
    rank_table(manifest)?;
    init_from(manifest)?;
    standalone(manifest)
}

fn ranges(manifest: &Manifest) -> Result<(), (&'static str, String)> {
    let (run, train) = (&manifest.run, &manifest.train);
    if !is_run_name(&run.name) {
        let expected = "letters, digits, `-`, `_` and `.`, none of these first but a letter or digit";
        return Err(("run.name", format!("is `{}`, expected 1 to {LONGEST_NAME} {expected}", run.name)));
    }
    if run.directory.as_os_str().is_empty() {
        return Err(("run.directory", "is empty, expected a path".to_owned()));
    }
    if !is_device(&run.device) {
        let expected = "`auto`, `cpu`, `cuda` or `cuda:` with a number";
        return Err(("run.device", format!("is `{}`, expected {expected}", run.device)));
    }
    within("run.threads", Some(run.threads as u64), 1, LARGEST_THREADS as u64)?;
    within("run.call_limit", Some(run.call_limit), 1, LONGEST_CALL)?;
    within("train.epochs", train.epochs, 0, LARGEST_EPOCHS)?;
    within("train.steps", train.steps, 0, LARGEST_STEPS)?;
    within("train.stop_after", train.stop_after, 1, LARGEST_STEPS)?;
    within("train.log_every", Some(train.log_every), 1, LARGEST_STEPS)?;
    within("train.checkpoint_every", train.checkpoint_every, 1, LARGEST_STEPS)?;
    positive("train.lr", Some(train.lr))?;
    positive("train.clip_norm", train.clip_norm)?;
    if train.autocast.is_some() && run.dtype == Dtype::Float64 {
        let problem = "is given, but `run.dtype` is float64; it narrows float32".to_owned();
        return Err(("train.autocast", problem));
    }
    let Some(rank) = &manifest.rank else { return Ok(()) };
    within("rank.subnets", rank.subnets, 1, MOST_SUBNETS)?;
    within("rank.every", Some(rank.every), 0, LARGEST_EPOCHS)?;
    within("rank.batch_size", Some(rank.batch_size as u64), 1, u64::from(u32::MAX))?;
    within("rank.images", rank.images.map(|images| images as u64), 1, u64::from(u32::MAX))?;
    within("rank.top", Some(rank.top as u64), 1, MOST_SUBNETS)
}

fn within(key: &'static str, value: Option<u64>, low: u64, high: u64) -> Result<(), (&'static str, String)> {
    match value {
        Some(value) if value < low => Err((key, format!("is {value}, expected at least {low}"))),
        Some(value) if value > high => Err((key, format!("is {value}, expected at most {high}"))),
        _ => Ok(()),
    }
}

fn positive(key: &'static str, value: Option<f64>) -> Result<(), (&'static str, String)> {
    match value {
        Some(value) if !(value.is_finite() && value > 0.0) => {
            Err((key, format!("is {value}, expected a finite number above 0")))
        }
        _ => Ok(()),
    }
}

/// One of `epochs` and `steps`; zero of them only to rank given weights.
fn length(manifest: &Manifest) -> Result<()> {
    let train = &manifest.train;
    let (key, value) = match (train.epochs, train.steps) {
        (Some(epochs), None) => ("train.epochs", epochs),
        (None, Some(steps)) => ("train.steps", steps),
        (None, None) => {
            let wrong = Failure::usage("`epochs` or `steps` is missing in `[train]`");
            return Err(manifest.source.locate_key("train", wrong));
        }
        (Some(_), Some(_)) => {
            let wrong = Failure::usage("`[train]` has both `epochs` and `steps`, expected one of them");
            return Err(manifest.source.locate_key("train.steps", wrong));
        }
    };
    if value == 0 && !(train.init_from.is_some() && manifest.rank.is_some()) {
        let wrong = Failure::usage(format!("`{key}` is 0, expected at least 1"));
        let hint = "0 is for ranking given weights alone, with `init_from` in `[train]` and a table `[rank]`";
        return Err(manifest.locate(key, wrong.hint(hint)));
    }
    Ok(())
}

fn rank_list(manifest: &Manifest) -> Result<()> {
    match &manifest.rank {
        Some(rank) if rank.subnets.is_some() && rank.architectures.is_some() => {
            let wrong =
                Failure::usage("`[rank]` has both `subnets` and `architectures`, expected one of them");
            Err(manifest.source.locate_key("rank.architectures", wrong))
        }
        _ => Ok(()),
    }
}

/// What is said of a table needs one.
fn rank_table(manifest: &Manifest) -> Result<()> {
    let Some(rank) = &manifest.rank else { return Ok(()) };
    let orphan = match (&rank.table, &rank.subset, &rank.column[..], &rank.classes[..]) {
        (Some(_), _, columns, classes) if classes.is_empty() || classes.len() == columns.len().max(1) => {
            return Ok(());
        }
        (Some(_), _, columns, classes) => {
            let (found, expected) = (classes.len(), columns.len().max(1));
            let wrong = Failure::usage(format!(
                "`rank.classes` has {found} numbers, expected {expected}, one a column"
            ));
            return Err(manifest.locate("rank.classes", wrong));
        }
        (None, None, [], []) => return Ok(()),
        (None, Some(_), ..) => "rank.subset",
        (None, None, [], _) => "rank.classes",
        (None, None, ..) => "rank.column",
    };
    let wrong = Failure::usage(format!("`{orphan}` is of a table, but `[rank]` has no `table`"));
    Err(manifest.locate(orphan, wrong))
}

fn init_from(manifest: &Manifest) -> Result<()> {
    let Some(from) = &manifest.train.init_from else { return Ok(()) };
    let (key, problem) = match (&from.file, &from.run, &from.stage) {
        (Some(_), None, None) | (None, Some(_), _) => return Ok(()),
        (Some(_), Some(_), _) => {
            ("train.init_from", "`init_from` has both `file` and `run`, expected one of them")
        }
        (None, None, _) => {
            ("train.init_from", "`init_from` has neither `file` nor `run`, expected one of them")
        }
        (Some(_), None, Some(_)) => {
            ("train.init_from.stage", "`stage` is of a run, but `init_from` names a file")
        }
    };
    Err(manifest.locate(key, Failure::usage(problem)))
}

fn standalone(manifest: &Manifest) -> Result<()> {
    let Some(standalone) = &manifest.standalone else { return Ok(()) };
    let seeds = &standalone.seeds;
    let twice = seeds.iter().enumerate().any(|(index, seed)| seeds[..index].contains(seed));
    let (key, problem) = if standalone.count.is_some() && standalone.architectures.is_some() {
        (
            "standalone.architectures",
            "`[standalone]` has both `count` and `architectures`, expected one of them",
        )
    } else if standalone.count.is_some_and(|count| !(1..=MOST_SUBNETS).contains(&count)) {
        ("standalone.count", "`standalone.count` is out of range, expected 1 to 10000000")
    } else if seeds.is_empty() || twice {
        ("standalone.seeds", "`standalone.seeds` is to hold different seeds, at least one")
    } else {
        return Ok(());
    };
    Err(manifest.locate(key, Failure::usage(problem)))
}

fn is_run_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_device(device: &str) -> bool {
    let number = |index: &str| index.parse::<u16>().is_ok() && !index.starts_with('+');
    matches!(device, "auto" | "cpu" | "cuda") || device.strip_prefix("cuda:").is_some_and(number)
}

/// Makes what is relative to the manifest absolute.
pub(super) fn make_paths_absolute(manifest: &mut Manifest) {
    let base = manifest.base().to_owned();
    let data = &mut manifest.data;
    let portions = [&mut data.split.train, &mut data.split.rank];
    let indices = portions.into_iter().filter_map(|portion| match portion {
        Some(Portion::File(path)) => Some(path),
        _ => None,
    });
    let components =
        [&mut manifest.space, &mut manifest.sampler, &mut manifest.scheduler, &mut manifest.optimizer];
    let optional = [&mut manifest.state, &mut manifest.search].into_iter().flatten();
    let plugins = components.into_iter().chain(optional).filter_map(|Component { uses, .. }| match uses {
        Use::Path { path, .. } => Some(path),
        Use::Named { .. } => None,
    });
    let weights = manifest.train.init_from.as_mut().map(|init| [&mut init.file, &mut init.run]);
    let weights = weights.into_iter().flatten().flatten();
    let list = manifest.rank.as_mut().map(|rank| [&mut rank.architectures, &mut rank.table]);
    let list = list.into_iter().flatten().flatten();
    let alone = manifest.standalone.as_mut().and_then(|standalone| standalone.architectures.as_mut());
    let list = list.chain(alone);
    let tables = manifest.measures.values_mut().map(|measure| &mut measure.table);
    let paths = indices.chain(plugins).chain(data.path.as_mut()).chain(weights).chain(list).chain(tables);
    paths.for_each(|path| *path = absolute(&base, path));
}

fn absolute(base: &Path, path: &Path) -> PathBuf {
    let joined = base.join(path);
    // A path that is not there is told as it was written.
    joined.canonicalize().or_else(|_| std::path::absolute(&joined)).unwrap_or(joined)
}
