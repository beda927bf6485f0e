//! Where things lie, and how Cargo is called.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;

/// The checkout that `cargo xtask` was called in.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// What `cargo metadata` tells.
pub(crate) struct Layout {
    /// Cargo's target folder, also if `CARGO_TARGET_DIR` sets another.
    pub(crate) target: PathBuf,
    /// The packages under plugins/ that are built as plugin files.
    pub(crate) plugins: Vec<String>,
}

impl Workspace {
    pub(crate) fn find() -> Self {
        // Cargo sets the variable for `cargo xtask`; the constant serves where the program is started by itself.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let package = PathBuf::from(package);
        Self { root: package.parent().unwrap_or(&package).to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the provided libtorch, as `.cargo/config.toml` has it: not moved by `CARGO_TARGET_DIR`.
    pub(crate) fn libtorch(&self) -> PathBuf {
        self.root.join("target/libtorch/torch")
    }

    /// The user's own `LIBTORCH`, if he set one; Cargo sets the default for `cargo xtask` too.
    pub(crate) fn own_libtorch(&self) -> Option<PathBuf> {
        env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != self.libtorch())
    }

    pub(crate) fn default_manifest(&self) -> PathBuf {
        let manifest = Path::new("examples/first-run.toml");
        let here = env::current_dir().is_ok_and(|folder| folder == self.root);
        if here { manifest.to_owned() } else { self.root.join(manifest) }
    }

    /// A Cargo command in the user's folder, with the environment that he would have had without `xtask`.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        if self.own_libtorch().is_none() {
            command.env_remove("LIBTORCH");
        }
        command
    }

    pub(crate) fn layout(&self) -> Result<Layout, Failure> {
        let mut command = self.cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        command.arg(self.root.join("Cargo.toml")).stderr(std::process::Stdio::inherit());
        let output = command.output().map_err(Failure::io("run", Path::new(command.get_program())))?;
        if !output.status.success() {
            return Err(failed(&command, output.status));
        }
        let unreadable = |detail: String| Failure::Unreadable { command: "cargo metadata".into(), detail };
        let metadata: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| unreadable(error.to_string()))?;
        let target =
            metadata["target_directory"].as_str().ok_or_else(|| unreadable("no target folder".into()))?;
        Ok(Layout { target: target.into(), plugins: plugins(&metadata, &self.root.join("plugins")) })
    }
}

/// Names of the packages in `folder` that have a `cdylib`, sorted.
fn plugins(metadata: &Value, folder: &Path) -> Vec<String> {
    let is_plugin = |package: &&Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let kinds = package["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|target| target["kind"].as_array());
        manifest.parent().and_then(Path::parent) == Some(folder)
            && kinds.flatten().any(|kind| kind == "cdylib")
    };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut names: Vec<_> = packages
        .filter(is_plugin)
        .filter_map(|package| package["name"].as_str())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

/// Runs a command to its end, its output going to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(Failure::io("run", Path::new(command.get_program())))?;
    if status.success() { Ok(()) } else { Err(failed(command, status)) }
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let output = command.output().map_err(Failure::io("run", Path::new(command.get_program())))?;
    if output.status.success() { Ok(output.stdout) } else { Err(failed(command, output.status)) }
}

fn failed(command: &Command, status: std::process::ExitStatus) -> Failure {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words: Vec<_> = [program].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    Failure::Command { command: words.join(" "), status: status.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plugins_are_the_cdylib_packages_of_their_folder() {
        let package = |name: &str, folder: &str, kind: &str| json!({ "name": name, "manifest_path": format!("/w/{folder}/Cargo.toml"), "targets": [{ "kind": [kind] }] });
        let metadata = json!({ "packages": [
            package("nshot-plugin-spos", "plugins/spos", "cdylib"),
            package("nshot-plugin-sgd", "plugins/sgd", "cdylib"),
            package("nshot-plugin-notes", "plugins/notes", "lib"),
            package("test-plugin", "tests/plugins/panics", "cdylib"),
        ]});
        assert_eq!(plugins(&metadata, Path::new("/w/plugins")), ["nshot-plugin-sgd", "nshot-plugin-spos"]);
    }
}
