//! Builds the host and the plugins, and starts what was built.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// Builds the host, its probe and every plugin; returns the folder that holds them.
pub(crate) fn build(workspace: &Workspace, release: bool) -> Result<PathBuf, Failure> {
    check_compiler()?;
    let layout = workspace.layout()?;
    let profile = release.then_some("--release");

    eprintln!("xtask: building the host");
    workspace::run(workspace.cargo().args(["build", "-p", "nshot", "-p", "nshot-loader"]).args(profile))?;

    // One package at a time and without local paths: the same plugin built elsewhere is to have the same hash, and
    // building all at once would unify their dependencies' features.
    let remap = remap_arguments(workspace.root());
    for plugin in &layout.plugins {
        eprintln!("xtask: building {plugin}");
        let mut command = workspace.cargo();
        command.args(["rustc", "--lib", "-p", plugin]).args(profile).arg("--").args(&remap);
        workspace::run(&mut command)?;
    }
    Ok(layout.target.join(if release { "release" } else { "debug" }))
}

/// Becomes `nshot run MANIFEST…`, so that signals and the exit status are its own. Returns only if that fails.
pub(crate) fn run(built: &Path, manifest: &Path, arguments: &[OsString]) -> Result<(), Failure> {
    let program = built.join("nshot");
    let mut command = Command::new(&program);
    command.arg("run").arg(manifest).args(arguments);
    become_command(command).map_err(Failure::io("run", &program))
}

#[cfg(unix)]
fn become_command(mut command: Command) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_command(mut command: Command) -> std::io::Result<()> {
    std::process::exit(command.status()?.code().unwrap_or(1))
}

/// Runs the tests of all packages, doctests included.
pub(crate) fn test(workspace: &Workspace, filter: &[OsString]) -> Result<(), Failure> {
    eprintln!("xtask: running the tests");
    workspace::run(workspace.cargo().args(["test", "--release", "--workspace", "--"]).args(filter))
}

/// libtorch's glue is compiled as C++; without a compiler that fails late and at length.
fn check_compiler() -> Result<(), Failure> {
    let command = env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut words = command.split_whitespace();
    let runs = words.next().is_some_and(|program| {
        let mut compiler = Command::new(program);
        compiler.args(words).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        compiler.status().is_ok_and(|status| status.success())
    });
    if runs { Ok(()) } else { Err(Failure::NoCompiler { command }) }
}

/// Arguments of rustc that replace this machine's folders in messages and debug information.
fn remap_arguments(root: &Path) -> Vec<OsString> {
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut arguments = Vec::new();
    for (folder, name) in cargo_home.iter().map(|home| (home.as_path(), "/cargo")).chain([(root, "/nshot")]) {
        let mut argument = OsString::from("--remap-path-prefix=");
        argument.push(folder);
        argument.push("=");
        argument.push(name);
        arguments.push(argument);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_remapped_last_and_so_wins() {
        let arguments = remap_arguments(Path::new("/somewhere/checkout"));
        assert_eq!(arguments.last().unwrap(), "--remap-path-prefix=/somewhere/checkout=/nshot");
    }
}
