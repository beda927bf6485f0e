//! `nshot plugin list`.

use nshot::failure::Result;
use nshot::plugins::{Listed, Plugins};
use nshot::run_directory::LockedPackage;
use serde_json::{Value, json};

use super::show::plugin_json;
use super::{first_line, full_name};
use crate::cli::output;

/// Lists the plugins beside the program, in the user's plugin folder and installed from packages, refused ones with the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin list")]
pub(in crate::cli) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let plugins = Plugins::open()?;
    let found = plugins.list();
    if arguments.json {
        return output::print_json(&found.iter().map(found_json).collect::<Vec<_>>());
    }
    let mut rows = Vec::new();
    for listed in found {
        let Ok(file) = &listed.file else { continue };
        rows.extend(file.components.iter().map(|component| {
            let description = first_line(&component.doc);
            let (kind, name) = (component.kind.to_string(), component.name.clone());
            [kind, name, full_name(file), origin(listed), description]
        }));
    }
    output::print_table(["kind", "component", "plugin", "from", "description"], &rows)?;
    for Listed { path, file, .. } in found {
        match file {
            Ok(file) => {
                file.warnings
                    .iter()
                    .for_each(|text| output::say(&format!("warning: {}: {text}", path.display())));
            }
            Err(error) => output::say(&format!("refused: {error}")),
        }
    }
    Ok(())
}

/// Where a plugin came from, in two words.
fn origin(listed: &Listed) -> String {
    match &listed.package {
        _ if listed.built_in => "built in".to_owned(),
        None => "a file".to_owned(),
        Some(LockedPackage { key: None, .. }) => "unsigned package".to_owned(),
        Some(LockedPackage { key: Some(_), .. }) => "signed package".to_owned(),
    }
}

fn found_json(found: &Listed) -> Value {
    match &found.file {
        Ok(file) => plugin_json(file, found.package.as_ref()),
        Err(error) => json!({ "file": found.path, "refused": error.to_string() }),
    }
}
