//! Builds a plugin that a manifest gives by the path of its crate.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Failure, Result};

/// Builds the crate in release, with cargo's own progress, and returns its library. Cargo rebuilds it only if
/// its source changed.
pub(super) fn build(crate_folder: &Path) -> Result<PathBuf> {
    let manifest = crate_folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::new(format!("`{}` is no crate: it has no Cargo.toml", crate_folder.display()))
            .hint("`path` names the folder of a plugin's crate, or a plugin file"));
    }
    tracing::info!("building the plugin in `{}`", crate_folder.display());
    let cannot = |error: std::io::Error| {
        Failure::new(format!("cannot run cargo to build `{}`: {error}", crate_folder.display()))
            .hint("install Rust, or name a built plugin file")
    };
    let mut cargo = Command::new("cargo")
        .args(["build", "--release", "--lib", "--message-format=json-render-diagnostics"])
        .current_dir(crate_folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let mut library = None;
    if let Some(output) = cargo.stdout.take() {
        for line in BufReader::new(output).lines() {
            if let Ok(message) = serde_json::from_str(&line.map_err(cannot)?) {
                library = cdylib(&message, &manifest).or(library);
            }
        }
    }
    if !cargo.wait().map_err(cannot)?.success() {
        return Err(Failure::new(format!("the plugin in `{}` does not build", crate_folder.display()))
            .hint("cargo's messages are above"));
    }
    library.ok_or_else(|| {
        Failure::new(format!("the crate in `{}` makes no library to load", crate_folder.display()))
            .hint("its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
    })
}

/// The shared library that a message of cargo's says this crate made.
fn cdylib(message: &Value, manifest: &Path) -> Option<PathBuf> {
    let made = message.get("reason")? == "compiler-artifact"
        && Path::new(message.get("manifest_path")?.as_str()?).canonicalize().ok()?
            == manifest.canonicalize().ok()?
        && message.get("target")?.get("crate_types")?.as_array()?.iter().any(|kind| kind == "cdylib");
    let files = message.get("filenames")?.as_array()?;
    files
        .iter()
        .filter_map(Value::as_str)
        .find(|file| made && Path::new(file).extension().is_some_and(|kind| kind == "so"))
        .map(PathBuf::from)
}
