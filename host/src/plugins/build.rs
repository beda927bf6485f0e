//! Builds a plugin that a manifest gives by the path of its crate.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Failure, Result};

/// Builds the crate in release, with cargo's own progress, and returns its library. Cargo rebuilds it only if
/// its source changed.
pub(super) fn build(crate_folder: &Path) -> Result<PathBuf> {
    build_with(crate_folder, |_| Ok(()))
}

/// The same with no path of this machine in the library, so that the same crate gives the same bytes elsewhere.
pub(super) fn build_to_pack(crate_folder: &Path) -> Result<PathBuf> {
    build_with(crate_folder, |cargo| {
        let (root, target) = workspace(crate_folder)?;
        let mut flags = Vec::new();
        for (from, to) in [(cargo_home(), "/cargo"), (Some(root), "/source"), (Some(target), "/target")] {
            // With links and without: either may be what cargo passes on.
            let from = from.map(|from| (from.canonicalize().unwrap_or_else(|_| from.clone()), from));
            for path in from.map(<[_; 2]>::from).iter().flatten() {
                flags.push(format!("--remap-path-prefix={}={to}", path.display()));
            }
        }
        flags.dedup();
        add_flags(cargo, &flags);
        Ok(())
    })
}

fn build_with(crate_folder: &Path, prepare: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let manifest = crate_folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::new(format!("`{}` is no crate: it has no Cargo.toml", crate_folder.display()))
            .hint("`path` names the folder of a plugin's crate, or a plugin file"));
    }
    tracing::info!("building the plugin in `{}`", crate_folder.display());
    let cannot = cannot_run(crate_folder);
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--lib", "--message-format=json-render-diagnostics"]);
    prepare(&mut cargo)?;
    let mut cargo = cargo
        .current_dir(crate_folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(&cannot)?;
    let mut library = None;
    if let Some(output) = cargo.stdout.take() {
        for line in BufReader::new(output).lines() {
            if let Ok(message) = serde_json::from_str(&line.map_err(&cannot)?) {
                library = cdylib(&message, &manifest).or(library);
            }
        }
    }
    if !cargo.wait().map_err(&cannot)?.success() {
        return Err(Failure::new(format!("the plugin in `{}` does not build", crate_folder.display()))
            .hint("cargo's messages are above"));
    }
    library.ok_or_else(|| {
        Failure::new(format!("the crate in `{}` makes no library to load", crate_folder.display()))
            .hint("its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
    })
}

fn cannot_run(crate_folder: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| {
        Failure::new(format!("cannot run cargo to build `{}`: {error}", crate_folder.display()))
            .hint("install Rust, or name a built plugin file")
    }
}

/// The folders of the crate's workspace and of what cargo builds for it.
fn workspace(crate_folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(crate_folder)
        .output()
        .map_err(cannot_run(crate_folder))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let folder = |key: &str| metadata.get(key).and_then(Value::as_str).map(PathBuf::from);
    folder("workspace_root").zip(folder("target_directory")).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        Failure::new(format!("cargo cannot read the crate in `{}`: {}", crate_folder.display(), said.trim()))
    })
}

fn cargo_home() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// Adds flags of rustc to the user's own. Cargo takes those of one place only, the environment first; those of
/// `build.rustflags` it joins. Where `target.*.rustflags` is set it takes that, and these have no effect.
fn add_flags(cargo: &mut Command, flags: &[String]) {
    const ENCODED: &str = "CARGO_ENCODED_RUSTFLAGS";
    let encoded = std::env::var(ENCODED).ok().filter(|flags| !flags.is_empty());
    let plain = || {
        let flags = std::env::var("RUSTFLAGS").ok()?;
        Some(flags.split_whitespace().collect::<Vec<_>>().join("\x1f")).filter(|flags| !flags.is_empty())
    };
    if let Some(own) = encoded.or_else(plain) {
        cargo.env(ENCODED, format!("{own}\x1f{}", flags.join("\x1f")));
    } else {
        let list = toml::Value::from(flags.to_vec());
        cargo.arg("--config").arg(format!("build.rustflags={list}"));
        cargo.env_remove(ENCODED).env_remove("RUSTFLAGS");
    }
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
