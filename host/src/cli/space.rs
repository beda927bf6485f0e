//! `nshot space`.

mod costs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nshot::failure::{Failure, Result};
use nshot::manifest::{Component, Use, parse_override};
use nshot::plugins::Plugins;
use nshot::progress::say;
use nshot::run_directory::write_atomically;
use nshot::selection::Selection;
use nshot::space::{Space, Subnet, Task};
use nshot::{draw, report};
use nshot_loader::Kind;
use serde_json::json;

use super::{Outcome, output, plugin};

/// Search spaces: which there are, and what is in them.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Show(Show),
    Costs(Costs),
}

/// Lists the search spaces of all plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot space list")]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A search space with its settings and the task that it serves.
#[derive(Debug, clap::Args)]
struct Which {
    /// The search space, as `use` in a manifest names it, or the path of a plugin.
    name: String,
    /// A setting of the space: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    settings: Vec<(String, String)>,
    /// Shape of an image.
    #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = parse_shape)]
    input: [u64; 3],
    /// Number of classes.
    #[arg(long, default_value_t = 10)]
    classes: u64,
}

/// Shows a search space: its choices, its size, its costs, a subnet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot space show nas-bench-201 --set channels=16 --svg cell.svg")]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
    /// The subnet to show, in the space's text. Default: the largest.
    #[arg(long = "arch", value_name = "TEXT")]
    architecture: Option<String>,
    /// Draw the subnet's repeated part, such as the cell, into this file as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw this scope instead, such as `stages.1.0`; an empty one is the whole subnet.
    #[arg(long, requires = "svg")]
    scope: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the costs of architectures as CSV: weights, parameters, multiply-accumulates for one image.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot space costs nas-bench-201 > costs.csv")]
pub(super) struct Costs {
    #[command(flatten)]
    which: Which,
    /// A file with the architectures, one a line. Default: all of the space, if there are at most a million.
    #[arg(long, value_name = "FILE")]
    architectures: Option<PathBuf>,
}

pub(super) fn main(command: &Command) -> Outcome {
    match command {
        Command::List(list) => list_spaces(list.json).map(|()| 0),
        Command::Show(show) => show_space(show).map(|()| 0),
        Command::Costs(costs) => costs::print(costs).map(|()| 0),
    }
}

fn list_spaces(as_json: bool) -> Result<()> {
    let plugins = Plugins::open()?;
    let files = plugin::usable(&plugins);
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
    let space = open(&show.which)?;
    let architecture = match &show.architecture {
        Some(text) => space.parse(text)?,
        None => space.largest().to_vec(),
    };
    let subnet = space.subnet(&Selection::of(&architecture))?;
    if let Some(path) = &show.svg {
        draw(show, &subnet, path)?;
    }
    if show.json { print_json(&space, &architecture) } else { print_text(&space, &architecture) }
}

/// Makes the space with the settings and the task of the command line.
fn open(which: &Which) -> Result<Space> {
    let uses = if Path::new(&which.name).exists() {
        Use::Path { path: PathBuf::from(&which.name), component: None }
    } else {
        which.name.parse().map_err(|why| Failure::usage(format!("`{}` {why}", which.name)))?
    };
    let mut settings = serde_json::Map::new();
    for (key, text) in &which.settings {
        let value = toml::from_str::<toml::Table>(&format!("value = {text}"));
        let value = value.ok().and_then(|mut table| table.remove("value")).unwrap_or(text.as_str().into());
        settings.insert(key.clone(), serde_json::to_value(value)?);
    }
    let resolved = Plugins::open()?.resolve(Kind::SearchSpace, &Component { uses, settings })?;
    if let Some(failure) = resolved.unknown_setting() {
        return Err(failure);
    }
    resolved.space(&Task { input_shape: which.input, classes: which.classes })
}

fn draw(show: &Show, subnet: &Subnet, path: &Path) -> Result<()> {
    let repeated = draw::repeated_scope(&subnet.graph);
    let scope = match show.scope.as_deref() {
        Some("") => None,
        given => given.or(repeated.as_deref()),
    };
    let svg = draw::drawing(&subnet.graph, scope)?;
    write_atomically(path, svg.as_bytes())?;
    let what = scope.map_or_else(|| "the whole subnet".to_owned(), |scope| format!("`{scope}`"));
    say(&format!("drew {what} into {}", path.display()));
    Ok(())
}

/// The subnets that are shown, each with its name.
fn shown(space: &Space, architecture: &[u32]) -> Result<Vec<(&'static str, String, Arc<Subnet>)>> {
    let subnets = [("smallest", space.smallest()), ("largest", space.largest()), ("shown", architecture)];
    let describe = |(name, architecture): (&'static str, &[u32])| {
        Ok((name, space.to_text(architecture)?, space.subnet(&Selection::of(architecture))?))
    };
    let all = if architecture == space.largest() { &subnets[..2] } else { &subnets };
    all.iter().copied().map(describe).collect()
}

fn print_text(space: &Space, architecture: &[u32]) -> Result<()> {
    let mut lines = output::Lines::default();
    let [c, h, w] = space.task().input_shape;
    lines.row("space", &space.identity().name);
    lines.row("plugin", &space.identity().plugin);
    lines.row("task", &format!("{c}x{h}x{w} images, {} classes", space.task().classes));
    lines.row("subnets", &report::count(space.size()));
    let elements: u64 = space.parameters().iter().map(nshot_graph::ParameterSpec::elements).sum();
    let (tensors, elements) = (space.parameters().len(), report::count(elements as f64));
    lines.row("supernet", &format!("{elements} parameters in {tensors} tensors"));
    lines.line("");
    output::print(&lines.0)?;
    let choices: Vec<_> = space.choices().iter().map(|c| [c.name.clone(), c.options.join(", ")]).collect();
    output::print_table(["choice", "options"], &choices)?;
    output::print("\n")?;
    let number = |number: u64| report::count(number as f64);
    let rows: Vec<_> = shown(space, architecture)?
        .into_iter()
        .map(|(name, text, s)| {
            [name.to_owned(), number(s.cost.weights), number(s.cost.params), number(s.cost.macs), text]
        })
        .collect();
    output::print_table(["subnet", "weights", "params", "MACs", "architecture"], &rows)
}

fn print_json(space: &Space, architecture: &[u32]) -> Result<()> {
    let choices = space.choices().iter().map(|c| json!({ "name": c.name, "options": c.options }));
    let subnets = shown(space, architecture)?.into_iter().map(|(name, text, subnet)| {
        let cost = subnet.cost;
        json!({ "name": name, "architecture": text, "weights": cost.weights, "params": cost.params, "macs": cost.macs })
    });
    output::print_json(&json!({
        "space": space.identity().name,
        "plugin": space.identity().plugin,
        "input_shape": space.task().input_shape,
        "classes": space.task().classes,
        "size": space.size(),
        "choices": choices.collect::<Vec<_>>(),
        "subnets": subnets.collect::<Vec<_>>(),
    }))
}

/// Reads `3x32x32`.
fn parse_shape(text: &str) -> Result<[u64; 3], String> {
    let sizes: Result<Vec<u64>, _> = text.split(['x', ',']).map(|size| size.trim().parse()).collect();
    let sizes = sizes.ok().and_then(|sizes| <[u64; 3]>::try_from(sizes).ok());
    sizes
        .filter(|sizes| sizes.iter().all(|&s| s > 0))
        .ok_or_else(|| "expected CxHxW, such as 3x32x32".to_owned())
}
