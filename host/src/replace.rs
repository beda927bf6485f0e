//! `nshot resume --replace`: a run goes on with another plugin than it began with, said by name.
//!
//! Otherwise a run keeps the very files that its lock names, so that a plugin that was rebuilt changes nothing.

use std::path::Path;

use nshot_loader::Kind;
use toml::{Table, Value};

use crate::checkpoint::Checkpoint;
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Manifest, one_of};
use crate::plugins::{Plugins, table};
use crate::progress::say;
use crate::provenance;
use crate::run_directory::{
    Lock, LockedComponent, MANIFEST, RunDirectory, SEARCHES, record, write_atomically,
};
use crate::train::Stage;
use crate::trained_run;

/// What a run goes on with, in place of what it had.
#[derive(Debug, Clone, Default)]
pub struct Replacements {
    /// Pairs of a manifest's table and what stands behind `use`.
    pub uses: Vec<(String, String)>,
    /// Settings of these tables: pairs of `table.key` and a value.
    pub settings: Vec<(String, String)>,
}

/// Takes `TABLE=USE` apart, for the command line.
///
/// # Errors
/// No `=`, or no table of a component before it.
pub fn parse(argument: &str) -> Result<(String, String), String> {
    let tables = Kind::ALL.map(table);
    let expected = || format!("expected TABLE=USE, the table {}", one_of(&tables));
    let (name, uses) = argument.split_once('=').ok_or_else(expected)?;
    let (name, uses) = (name.trim(), uses.trim());
    if !tables.contains(&name) || uses.is_empty() {
        return Err(expected());
    }
    Ok((name.to_owned(), uses.to_owned()))
}

impl Replacements {
    /// The run's manifest with the replacements in it; the lock no longer pins their tables.
    ///
    /// # Errors
    /// The manifest has no such table, there is no such plugin, or a setting is of another table.
    pub(crate) fn apply(&self, path: &Path, plugins: &Plugins, lock: &mut Lock) -> Result<Manifest> {
        for (key, value) in &self.settings {
            let of = key.split('.').next().unwrap_or_default();
            if !self.uses.iter().any(|(name, _)| name == of) {
                let text = format!("`--set {key}={value}`: `[{of}]` is not replaced");
                return Err(Failure::usage(text).hint(
                    "a run keeps its settings; those of a component that `--replace` names can be set",
                ));
            }
        }
        if self.uses.is_empty() {
            return Manifest::load(path, &[]);
        }
        let mut manifest: Table = crate::manifest::read_text(path)?.parse()?;
        for (name, uses) in &self.uses {
            let said = |failure: Failure| failure.context(&format!("`--replace {name}={uses}`"));
            replace(&mut manifest, name, uses, plugins, lock).map_err(said)?;
        }
        Manifest::parse(toml::to_string(&manifest)?, path, &self.settings)
    }
}

fn replace(manifest: &mut Table, name: &str, uses: &str, plugins: &Plugins, lock: &mut Lock) -> Result<()> {
    let absent = || Failure::usage(format!("the run has no `[{name}]`"));
    let kind = Kind::ALL.into_iter().find(|kind| table(*kind) == name).ok_or_else(absent)?;
    let mine = manifest.get_mut(name).and_then(Value::as_table_mut).ok_or_else(absent)?;
    let value = value(uses)?;
    let mut alone = Table::new();
    alone.insert("use".to_owned(), value.clone());
    let wanted: Component =
        alone.try_into().map_err(|error: toml::de::Error| Failure::usage(error.message()))?;
    let found = plugins.resolve(kind, &wanted)?.pin();
    // Another component has settings of its own.
    if lock.components.remove(name).is_none_or(|before| before.full_name() != found.full_name()) {
        mine.clear();
    }
    mine.insert("use".to_owned(), value);
    Ok(())
}

/// What stands behind `use`: a table, the absolute path of what is there, or a name.
fn value(uses: &str) -> Result<Value> {
    if uses.starts_with('{') {
        let table: Result<Table, _> = format!("use = {uses}").parse();
        let value = table.ok().and_then(|mut table| table.remove("use"));
        let mut value =
            value.ok_or_else(|| Failure::usage("expected `{ path = \"…\", component = \"…\" }`"))?;
        if let Some(Value::String(path)) = value.get_mut("path") {
            *path = absolute(Path::new(path))?;
        }
        return Ok(value);
    }
    let path = Path::new(uses);
    if path.exists() || path.is_absolute() || uses.starts_with('.') || path.extension() == Some("so".as_ref())
    {
        let mut table = Table::new();
        table.insert("path".to_owned(), Value::String(absolute(path)?));
        return Ok(Value::Table(table));
    }
    Ok(Value::String(uses.to_owned()))
}

/// Paths start from the working directory; the manifest that keeps them lies elsewhere.
fn absolute(path: &Path) -> Result<String> {
    Ok(std::path::absolute(path)?.display().to_string())
}

/// Whether the checkpoint fits what replaced components: with components of their own, so that those of the run are
/// started once.
pub(crate) fn check(parts: &Parts, path: &Path, checkpoint: Option<&Checkpoint>) -> Result<()> {
    let mut experiment = parts.experiment(parts.manifest.clone())?;
    let Some(checkpoint) = checkpoint else { return parts.check_start(&experiment, true) };
    experiment.restore_plan(&checkpoint.state)?;
    Stage::start(&mut experiment, path, checkpoint.state.stage, Some(checkpoint.clone())).map(drop)
}

/// From here on the run is made of what replaced its components: manifest and lock say so.
pub(crate) fn keep(lock: &Lock, experiment: &Experiment, directory: &RunDirectory) -> Result<()> {
    let mut lock = lock.clone();
    for (name, before) in &mut lock.components {
        let differs =
            |now: &&LockedComponent| (&now.sha256, &now.component) != (&before.sha256, &before.component);
        let Some(now) = experiment.pins.get(name).filter(differs) else { continue };
        tell(name, before, now);
        now.clone_into(before);
    }
    let resolved = provenance::resolved(experiment).to_toml()?;
    keep_for_searches(directory, &resolved)?;
    directory.remake(&resolved, &lock)
}

/// A search that the run had begun goes on as the run's.
fn keep_for_searches(directory: &RunDirectory, resolved: &str) -> Result<()> {
    let path = directory.join(MANIFEST);
    let before = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    for search in std::fs::read_dir(directory.join(SEARCHES)).into_iter().flatten().flatten() {
        let path = search.path().join(MANIFEST);
        let there = std::fs::read_to_string(&path);
        if there.is_ok_and(|there| trained_run::difference(&there, &before).is_none()) {
            write_atomically(&path, resolved.as_bytes())?;
        }
    }
    Ok(())
}

/// How a run goes on whose component in this table failed, for hints.
pub(crate) fn hint(directory: &Path, table: &str) -> String {
    format!(
        "with the plugin mended, or another one, the run goes on: `nshot resume {} --replace {table}=PATH`",
        directory.display()
    )
}

/// Says what a run goes on with instead of what it had.
fn tell(name: &str, before: &LockedComponent, now: &LockedComponent) {
    let shown = |of: &LockedComponent| {
        format!(
            "`{}` of plugin `{}/{} {}` ({})",
            of.component,
            of.group,
            of.plugin,
            of.version,
            &of.sha256[..12]
        )
    };
    let text = format!("[{name}] was {}, now it is {}", shown(before), shown(now));
    say(&text);
    record("info", &text);
}
