//! `nshot plugin check`.

use std::path::PathBuf;

use nshot::check::{self, Options};
use nshot::manifest::parse_override;
use nshot::plugins::{Plugins, library};

use crate::cli::{Outcome, output};

/// Checks a plugin: whether its components keep what their kind promises.
///
/// Every component is called as a run calls it, with the real host and libtorch: each method with extremes and random
/// inputs, settings against their schema, twice with one seed, its state saved and restored in the middle, 10,000 calls
/// whose memory is watched, and a short training. A search space's subnets are described and run. The last column of the
/// table says what was asked. Exit status 1 if a check failed or a component could not be made.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:  nshot plugin check .\n           nshot plugin check libmine.so --set \
                        my-sampler.file=paths.txt\n           nshot plugin check . --with run.toml --json")]
pub(in crate::cli) struct Arguments {
    /// A plugin file, or the folder of a plugin's crate, which is built.
    #[arg(value_name = "FILE|CRATE")]
    path: PathBuf,
    /// A setting of a component, such as one without a default: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "COMPONENT.KEY=VALUE", value_parser = parse_override)]
    settings: Vec<(String, String)>,
    /// A manifest with the run around the components. Default: a small one of built-in plugins on small images.
    #[arg(long, value_name = "MANIFEST")]
    with: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn main(arguments: &Arguments) -> Outcome {
    let plugins = Plugins::open()?;
    let file = plugins.loader().describe(&library(&arguments.path)?)?;
    let options = Options {
        given: arguments.path.clone(),
        with: arguments.with.clone(),
        settings: arguments.settings.clone(),
    };
    let report = check::check(&plugins, &file, &options)?;
    if arguments.json {
        output::print_json(&report)?;
    } else {
        output::print(&report.text())?;
    }
    Ok(u8::from(!report.passed))
}
