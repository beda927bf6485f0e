//! The command line: what can be asked, and the one place where an error is printed.
//!
//! Data goes to standard output, everything else to standard error. Exit status: 0 done, 1 failed, 2 wrong use, 130 or
//! 143 stopped by a signal with a checkpoint.

mod data;
mod doctor;
mod export;
mod logging;
mod manifest;
mod output;
mod plugin;
mod rank;
mod resume;
mod run;
mod runs;
mod search;
mod space;
mod standalone;
mod sweep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nshot::failure::Result;
use nshot::run_directory::record;

/// What a command ends with: its exit status.
type Outcome = Result<u8>;

/// Trains supernets through plugins, ranks their subnets, and reports.
///
/// A run is a TOML manifest: which data, which search space, which sampler, schedule and optimizer. Each of these
/// components comes from a plugin, a shared library that anyone can write.
#[derive(Debug, Parser)]
#[command(name = "nshot", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Start with:  nshot run examples/first-run.toml")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Resume(resume::Arguments),
    Rank(rank::Arguments),
    Search(search::Arguments),
    Sweep(sweep::Arguments),
    Export(export::Arguments),
    Standalone(standalone::Arguments),
    #[command(subcommand)]
    Space(space::Command),
    #[command(subcommand)]
    Data(data::Command),
    #[command(subcommand)]
    Plugin(plugin::Command),
    #[command(subcommand)]
    Runs(runs::Command),
    Doctor(doctor::Arguments),
}

/// Does what the command line asks.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start();
    match dispatch(&arguments.command) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            output::complain(&failure);
            record("error", &failure.to_string());
            ExitCode::from(failure.exit)
        }
    }
}

fn dispatch(command: &Command) -> Outcome {
    match command {
        Command::Run(arguments) => run::main(arguments),
        Command::Resume(arguments) => resume::main(arguments),
        Command::Rank(arguments) => rank::main(arguments),
        Command::Export(arguments) => export::main(arguments),
        Command::Sweep(arguments) => sweep::main(arguments),
        Command::Search(arguments) => search::main(arguments),
        Command::Standalone(arguments) => standalone::main(arguments),
        Command::Space(command) => space::main(command),
        Command::Data(command) => data::main(command),
        Command::Plugin(command) => plugin::main(command),
        Command::Runs(command) => runs::main(command),
        Command::Doctor(arguments) => doctor::main(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("nshot "), "{} has no example", command.get_name());
                assert!(command.get_about().is_some(), "{} is not explained", command.get_name());
            }
        }
        Arguments::command().get_subcommands().for_each(check);
    }
}
