//! Set-up and the developer's commands, as `cargo xtask …`.

mod bench;
mod build;
mod failure;
mod libtorch;
mod python;
mod version;
mod wheels;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::workspace::Workspace;

/// Set-up, build, run and tests of nshot.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Provide libtorch in target/libtorch, once; or check the one that `LIBTORCH` names.
    Setup {
        /// Bring the CUDA libraries too (about 7 GB while it works).
        #[arg(long)]
        cuda: bool,
        /// Provide it again, although it is there.
        #[arg(long)]
        force: bool,
    },
    /// Build the host and every plugin under plugins/.
    Build {
        /// Build with optimisations.
        #[arg(long)]
        release: bool,
    },
    /// Set up, build, and run a manifest: `nshot run MANIFEST…`.
    Run {
        /// The manifest; examples/first-run.toml where none is given.
        manifest: Option<PathBuf>,
        /// Passed on to `nshot run`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Set up, build, and run all tests.
    Test {
        /// Names of tests, and other arguments of the test programs.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<OsString>,
    },
    /// Set up, build, and measure speed and memory, beside plain PyTorch if asked for.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    let workspace = Workspace::find();
    match command {
        Command::Setup { cuda, force } => libtorch::provide(&workspace, cuda, force),
        Command::Build { release } => build::build(&workspace, release).map(|_| ()),
        Command::Run { manifest, arguments } => {
            libtorch::provide(&workspace, false, false)?;
            let built = build::build(&workspace, true)?;
            let manifest = manifest.unwrap_or_else(|| workspace.default_manifest());
            build::run(&built, &manifest, &arguments)
        }
        Command::Test { filter } => {
            libtorch::provide(&workspace, false, false)?;
            build::build(&workspace, true)?;
            build::test(&workspace, &filter)
        }
        Command::Bench(options) => bench::bench(&workspace, &options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn run_passes_options_after_the_manifest_on() {
        let parsed = Arguments::parse_from(["xtask", "run", "m.toml", "--device", "cpu"]);
        let Command::Run { manifest, arguments } = parsed.command else { panic!("not run") };
        assert_eq!(manifest.unwrap(), PathBuf::from("m.toml"));
        assert_eq!(arguments, ["--device", "cpu"]);
    }
}
