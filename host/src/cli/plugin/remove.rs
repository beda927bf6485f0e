//! `nshot plugin remove`.

use nshot::failure::{Failure, Result};
use nshot::packages::Shelf;

use super::installed_name;
use crate::cli::output;

/// Removes an installed plugin. Runs that used it can still be resumed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin remove my-lab/my-sampler@0.1.0")]
pub(in crate::cli) struct Arguments {
    /// The plugin, with its version if several are installed.
    #[arg(value_name = "GROUP/PLUGIN[@VERSION]")]
    name: String,
    /// Remove all its versions.
    #[arg(long)]
    all: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let (group, plugin, version) = installed_name(&arguments.name)?;
    let plugins = Shelf::open()?.plugins;
    let versions = match version {
        Some(_) if arguments.all => return Err(Failure::usage("`--all` is for a name without a version")),
        Some(version) => vec![version],
        None => plugins.versions(group, plugin),
    };
    if versions.is_empty() {
        return Err(Failure::new(format!("`{group}/{plugin}` is not installed"))
            .hint("`nshot plugin list` shows what is; a file in the plugin folder is removed by hand"));
    }
    if versions.len() > 1 && !arguments.all {
        let known: Vec<String> =
            versions.iter().map(|version| format!("`{group}/{plugin}@{version}`")).collect();
        return Err(Failure::usage(format!("{} versions of `{group}/{plugin}` are installed", known.len()))
            .hint(format!("name one of {}, or add `--all`", known.join(", "))));
    }
    for version in versions {
        plugins.remove(group, plugin, &version)?;
        output::print(&format!("`{group}/{plugin}` {version}: removed\n"))?;
    }
    Ok(())
}
