//! A sweep's manifest: that of a run, and `[matrix]` with what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::Run;
use crate::failure::{Failure, Result};
use crate::manifest::{self, Manifest};

/// Tables of components: one in a method takes the place of the whole.
const COMPONENTS: [&str; 6] = ["space", "sampler", "scheduler", "optimizer", "state", "search"];
/// `[matrix]`: what differs between the runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The seeds: `run.seed` of each run.
    pub seeds: Vec<u64>,
    /// The method that the others are compared with. Default: the first in the file.
    #[serde(default)]
    pub plain: String,
    /// By name: tables that are laid over the manifest's. A component's table takes the place of the whole, of another
    /// table single keys. `seeds` of a method take the place of the matrix's.
    pub methods: BTreeMap<String, Table>,
    /// The methods' names in the order of the file.
    #[serde(skip)]
    pub order: Vec<String>,
    /// Seeds of which the others are left out; none are if it is empty.
    #[serde(skip)]
    only: Vec<u64>,
}

/// A sweep's manifest.
#[derive(Debug, Clone)]
pub struct Sweep {
    path: PathBuf,
    text: String,
    base: Table,
    overrides: Vec<(String, String)>,
    /// `[matrix]`.
    pub matrix: Matrix,
    /// Where the runs go: `run.directory`, or `sweeps/NAME`.
    pub directory: PathBuf,
}

impl Sweep {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or `[matrix]` is wrong.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self> {
        let shown = path.display();
        if let Some((key, _)) = overrides.iter().find(|(key, _)| key.split('.').next() == Some("matrix")) {
            let failure =
                Failure::usage(format!("`--set {key}`: it sets keys of the runs' manifests, not the matrix"));
            return Err(
                failure.hint("`--method NAME` and `--seed N` choose from the matrix; else change the file")
            );
        }
        let text = manifest::read_text(path)?;
        let mut base: Table = toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{shown}: this is no TOML: {}", error.message())))?;
        let Some(matrix) = base.remove("matrix") else {
            let failure = Failure::usage(format!("`{shown}` has no table `[matrix]`"));
            return Err(failure.hint(
                "add one, such as:\n\n[matrix]\nseeds = [0, 1, 2]\n\n[matrix.methods.plain]\n\n\
                 [matrix.methods.calr]\nscheduler = { use = \"calr\" }",
            ));
        };
        let order = order(&text);
        check_seeds(matrix.get("seeds"))
            .map_err(|text| Failure::usage(format!("{shown}: `matrix.seeds` {text}")))?;
        let matrix: Matrix = serde_path_to_error::deserialize(matrix).map_err(|error| {
            let at = error.path().to_string();
            Failure::usage(format!("{shown}: `matrix.{at}`: {}", error.into_inner().message()))
        })?;
        let mut matrix = Matrix { order, ..matrix };
        if matrix.plain.is_empty() {
            matrix.plain = matrix.order.first().cloned().unwrap_or_default();
        }
        check(&matrix).map_err(|text| Failure::usage(format!("{shown}: {text}")))?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("sweep");
        let run = base.get("run").and_then(Value::as_table);
        let of_run = |key: &str| run.and_then(|run| run.get(key)).and_then(Value::as_str).map(str::to_owned);
        let name = of_run("name").unwrap_or_else(|| stem.to_owned());
        let directory = of_run("directory").map_or_else(|| Path::new("sweeps").join(&name), PathBuf::from);
        Ok(Self { path: path.to_owned(), text, base, overrides: overrides.to_vec(), matrix, directory })
    }

    /// Leaves other methods and seeds out; an empty list leaves none out.
    ///
    /// # Errors
    /// A method that the matrix does not have, or a seed that none of the methods has.
    pub fn keep_only(&mut self, methods: &[String], seeds: &[u64]) -> Result<()> {
        let matrix = &mut self.matrix;
        if let Some(unknown) = methods.iter().find(|method| !matrix.methods.contains_key(*method)) {
            let known = matrix.order.join(", ");
            return Err(Failure::usage(format!("`--method {unknown}`: expected one of {known}")));
        }
        matrix.order.retain(|method| methods.is_empty() || methods.contains(method));
        let mut all = BTreeSet::new();
        for method in &matrix.order {
            all.extend(matrix.seeds_of(method).map_err(Failure::usage)?);
        }
        if let Some(unknown) = seeds.iter().find(|seed| !all.contains(seed)) {
            let known = all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format!("`--seed {unknown}`: expected one of {known}")));
        }
        matrix.only = seeds.to_vec();
        Ok(())
    }

    /// The runs, seed by seed, so that a sweep that is stopped early has pairs.
    ///
    /// # Errors
    /// A run's manifest is wrong.
    pub(super) fn runs(&self, folder: &Path) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for method in &self.matrix.order {
            let changes = &self.matrix.methods[method];
            let mut table = self.base.clone();
            lay_over(&mut table, changes).map_err(|text| {
                Failure::usage(format!("{}: method `{method}`: {text}", self.path.display()))
            })?;
            let seeds = self.matrix.seeds_of(method).map_err(|text| {
                Failure::usage(format!("{}: method `{method}`: {text}", self.path.display()))
            })?;
            for (index, seed) in seeds.into_iter().enumerate() {
                let name = format!("{method}-seed-{seed}");
                let directory = folder.join(&name);
                let mut table = table.clone();
                let run = table.entry("run").or_insert_with(|| Value::Table(Table::new()));
                let run = run.as_table_mut().ok_or_else(|| Failure::usage("`run` is no table"))?;
                run.insert("seed".to_owned(), Value::Integer(seed as i64));
                run.insert("name".to_owned(), Value::String(name.clone()));
                run.insert("directory".to_owned(), Value::String(directory.display().to_string()));
                let laid_over = format!("matrix.methods.{method}");
                let manifest = Manifest::made(table, &self.text, &self.path, &laid_over, &self.overrides);
                let manifest = manifest.map_err(|failure| failure.context(&format!("method `{method}`")))?;
                check_own(&manifest, seed, &name, &directory)?;
                let (file, log) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.log")));
                let run = Run { method: method.clone(), seed, manifest, file, log, directory, lock: None };
                runs.push((index, run));
            }
        }
        runs.sort_by_key(|(index, _)| *index);
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }
}

/// What the sweep gives each run is not to be set for all of them.
fn check_own(manifest: &Manifest, seed: u64, name: &str, directory: &Path) -> Result<()> {
    let run = &manifest.run;
    let own =
        [("seed", run.seed == seed), ("name", run.name == name), ("directory", run.directory == directory)];
    let Some((key, _)) = own.into_iter().find(|(_, is_own)| !is_own) else { return Ok(()) };
    Err(Failure::usage(format!("`--set` changes `run.{key}`, of which the sweep gives each run its own"))
        .hint("`seeds` of `[matrix]` and `--seed` say which seeds, `--directory` where the runs go"))
}

impl Matrix {
    fn seeds_of(&self, method: &str) -> Result<Vec<u64>, String> {
        let mut seeds = self.seeds.clone();
        if let Some(own) = self.methods[method].get("seeds") {
            check_seeds(Some(own)).map_err(|text| format!("`seeds` {text}"))?;
            seeds = own.clone().try_into().map_err(|_| "`seeds` is no list of seeds".to_owned())?;
        }
        seeds.retain(|seed| self.only.is_empty() || self.only.contains(seed));
        Ok(seeds)
    }
}

/// Different whole numbers from 0, at least one.
fn check_seeds(seeds: Option<&Value>) -> Result<(), String> {
    let expected = "expected a list of different whole numbers from 0, such as [0, 1, 2]";
    let Some(seeds) = seeds else { return Err(format!("is missing, {expected}")) };
    let Some(list) = seeds.as_array().filter(|list| !list.is_empty()) else {
        return Err(format!("is {seeds}, {expected}"));
    };
    for (index, seed) in list.iter().enumerate() {
        if seed.as_integer().is_none_or(|seed| seed < 0) || list[..index].contains(seed) {
            return Err(format!("has {seed} in it, {expected}"));
        }
    }
    Ok(())
}

fn check(matrix: &Matrix) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let odd = |name: &&String| {
        name.is_empty()
            || name.len() > 60
            || !name.chars().all(plain)
            || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    if let Some(name) = matrix.order.iter().find(odd) {
        return Err(format!(
            "a method is called `{name}`, expected 1 to 60 letters, digits, `-`, `_` and `.`"
        ));
    }
    if matrix.order.is_empty() {
        return Err("`[matrix.methods]` has no method".to_owned());
    }
    if !matrix.methods.contains_key(&matrix.plain) {
        return Err(format!(
            "`matrix.plain` is `{}`, expected one of {}",
            matrix.plain,
            matrix.order.join(", ")
        ));
    }
    Ok(())
}

/// Lays a method's tables over the manifest.
fn lay_over(table: &mut Table, changes: &Table) -> Result<(), String> {
    for (name, change) in changes.iter().filter(|(name, _)| *name != "seeds") {
        if name == "matrix" || name == "standalone" {
            return Err(format!("`[{name}]` is no table of a run's manifest"));
        }
        if let Some(key) =
            ["seed", "name", "directory"].iter().find(|key| name == "run" && change.get(key).is_some())
        {
            return Err(format!("`run.{key}` is not the method's: the sweep gives each run its own"));
        }
        let Value::Table(change) = change else {
            return Err(format!(
                "`{name}` is to be a table of the manifest, such as `scheduler = {{ use = \"calr\" }}`"
            ));
        };
        if COMPONENTS.contains(&name.as_str()) {
            table.insert(name.clone(), Value::Table(change.clone()));
            continue;
        }
        let under = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
        let under = under.as_table_mut().ok_or_else(|| format!("`{name}` is no table in the manifest"))?;
        for (key, value) in change {
            manifest::drop_alternatives(under, name, key, |other| change.contains_key(other));
            under.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}

/// The methods' names in the order in which the file has them.
fn order(text: &str) -> Vec<String> {
    let Ok(document) = toml::de::DeTable::parse(text) else { return Vec::new() };
    let Some(matrix) = document.get_ref().get("matrix").and_then(|matrix| matrix.get_ref().get("methods"))
    else {
        return Vec::new();
    };
    let toml::de::DeValue::Table(methods) = matrix.get_ref() else { return Vec::new() };
    let mut names: Vec<(usize, String)> =
        methods.iter().map(|(name, _)| (name.span().start, name.get_ref().to_string())).collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}
