//! `nshot space`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot::manifest::parse_override;
use nshot::plugins::Plugins;
use nshot_loader::Kind;
use serde_json::json;

use super::{Outcome, output, plugin};

/// Search spaces: which there are, and what is in them.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Show(Show),
}

/// Lists the search spaces of all plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot space list")]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a search space: its choices, its size, its costs, a subnet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot space show nas-bench-201 --set channels=16 --svg cell.svg")]
pub(super) struct Show {
    /// The search space, as `use` in a manifest names it.
    name: String,
    /// The subnet to show, in the space's text. Default: the largest.
    #[arg(long = "arch", value_name = "TEXT")]
    architecture: Option<String>,
    /// A setting of the space: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    settings: Vec<(String, String)>,
    /// Draw the subnet into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: &Command) -> Outcome {
    match command {
        Command::List(list) => list_spaces(list.json).map(|()| 0),
        Command::Show(show) => show_space(show).map(|()| 0),
    }
}

fn list_spaces(as_json: bool) -> Result<()> {
    let files = plugin::usable(&Plugins::open()?);
    let spaces = files.iter().flat_map(|file| {
        file.components.iter().filter(|c| c.kind == Kind::SearchSpace).map(move |component| (file, component))
    });
    if as_json {
        let spaces = spaces.map(|(file, component)| {
            json!({ "name": component.name, "plugin": plugin::full_name(file), "description": component.doc })
        });
        return output::print_json(&spaces.collect::<Vec<_>>());
    }
    let rows: Vec<_> = spaces
        .map(|(file, component)| {
            [component.name.clone(), plugin::full_name(file), plugin::first_line(&component.doc)]
        })
        .collect();
    output::print_table(["space", "plugin", "description"], &rows)
}

fn show_space(show: &Show) -> Result<()> {
    let _ = (&show.name, &show.architecture, &show.settings, &show.svg, show.json);
    Err(Failure::new("`nshot space show` is not connected yet"))
}
