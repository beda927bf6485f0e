//! From a plugin's crate to a package.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nshot_loader::{ComponentInfo, Metadata};
use nshot_package::{Component, Contents, Library, Package, source_tree};

use crate::failure::{Failure, Result};
use crate::plugins::{Plugins, library_to_pack};

/// What is to be packed.
#[derive(Debug, Clone)]
pub struct Order {
    /// The folder of the plugin's crate.
    pub folder: PathBuf,
    /// A library of it that is built already.
    pub library: Option<PathBuf>,
    /// Whether its source goes with it.
    pub source: bool,
    /// Packages of the same plugin, with libraries for other machines.
    pub add: Vec<PathBuf>,
}

/// A package, and what the user should know of it.
#[derive(Debug)]
pub struct Packed {
    /// The package.
    pub package: Package,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// Builds the crate in release and packs it.
///
/// # Errors
/// It does not build, is no plugin, or has no licence; another package is not of the same plugin.
pub fn pack(order: &Order, plugins: &Plugins) -> Result<Packed> {
    let folder = &order.folder;
    if !folder.join("Cargo.toml").is_file() {
        let text = format!("`{}` is no crate: it has no Cargo.toml", folder.display());
        return Err(
            Failure::usage(text).hint("name the folder of a plugin's crate: `nshot plugin pack my-sampler`")
        );
    }
    // Before the build, which takes a while.
    let licenses = licenses(folder)?;
    let manifest = read_manifest(folder)?;
    let unlicensed = || {
        Failure::new(format!("`{}` names no licence", folder.join("Cargo.toml").display()))
            .hint("add `license = \"MIT\"`, or another SPDX expression, to its `[package]`")
    };
    if !manifest.contains_key("license") {
        return Err(unlicensed());
    }
    let built = match &order.library {
        Some(library) => library.clone(),
        None => library_to_pack(folder)?,
    };
    let file = plugins.loader().describe(&built)?;
    let name = manifest.get("name").and_then(toml::Value::as_str).unwrap_or_default();
    let (found, name) = (&file.metadata.plugin, name.strip_prefix("nshot-plugin-").unwrap_or(name));
    if found != name {
        let text = format!("`{}` is the plugin `{found}`; that of the crate is `{name}`", built.display());
        return Err(Failure::usage(text).hint("name a library that was built from this crate"));
    }
    if file.metadata.license.is_empty() {
        return Err(unlicensed());
    }
    let mut notes: Vec<String> = file.warnings.clone();
    let readme = read_readme(folder, &file.metadata, &mut notes)?;
    // What was described is what is packed.
    let library = Library::read(&file.path)?;
    let source = if order.source { source_tree(folder)? } else { BTreeMap::new() };
    let mut package = Package::pack(Contents {
        library,
        components: file.components.iter().map(Component::from).collect(),
        citation: citation(&file.components),
        readme,
        licenses,
        source,
    })?;
    for path in &order.add {
        let bytes = fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        package.add(&Package::open(&bytes, &path.to_string_lossy())?)?;
    }
    Ok(Packed { package, notes })
}

/// The `[package]` of the crate's Cargo.toml.
fn read_manifest(folder: &Path) -> Result<toml::Table> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| {
        Failure::new(format!("`{}` is no manifest of a crate: {}", path.display(), error.message()))
    })?;
    let package = manifest.get("package").and_then(toml::Value::as_table).cloned();
    package.ok_or_else(|| Failure::new(format!("`{}` has no `[package]`", path.display())))
}

/// The licences beside the crate, else those of its workspace.
fn licenses(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let whole = folder.canonicalize().map_err(|error| Failure::file("find", folder, &error))?;
    for place in whole.ancestors() {
        let found = licenses_in(place)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let manifest = fs::read_to_string(place.join("Cargo.toml")).unwrap_or_default();
        let is_workspace =
            toml::from_str(&manifest).is_ok_and(|table: toml::Table| table.contains_key("workspace"));
        if is_workspace {
            break;
        }
    }
    Err(Failure::new(format!("`{}` has no file `LICENSE`", folder.display())).hint(
        "what is passed on needs a licence: put its text beside Cargo.toml, as `LICENSE` or `LICENSE-MIT`",
    ))
}

fn licenses_in(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::file("read the folder", folder, &error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    let named = paths.filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        name.starts_with("LICENSE").then_some((name, path))
    });
    named
        .map(|(name, path)| {
            let bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
            Ok((name, bytes))
        })
        .collect()
}

/// The crate's README; a heading and its description where there is none.
fn read_readme(folder: &Path, metadata: &Metadata, notes: &mut Vec<String>) -> Result<Vec<u8>> {
    let path = folder.join("README.md");
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            notes.push(format!("there is no `{}`; one was made of the description", path.display()));
            Ok(format!("# {}\n\n{}\n", metadata.plugin, metadata.description).into_bytes())
        }
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// What the components say is to be cited, each once.
fn citation(components: &[ComponentInfo]) -> String {
    let mut all: Vec<&str> = Vec::new();
    for text in components.iter().filter_map(|component| component.citation.as_deref()).map(str::trim) {
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    all.join("\n\n")
}
