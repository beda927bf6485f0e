//! `nshot plugin`.

mod check;

use std::path::{Path, PathBuf};

use nshot::failure::{Failure, Result};
use nshot::plugins::{Plugins, library};
use nshot::scaffold;
use nshot_loader::{ComponentInfo, Found, Kind, PluginFile};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Lines};

/// Plugins: which there are, and what is in them.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    New(New),
    List(List),
    Show(Show),
    Check(check::Arguments),
}

/// Makes a plugin's crate: the shortest useful example of a kind, with tests and a manifest to try it.
///
/// The crate is whole: the SDK lies in its folder `vendor`, so it builds anywhere that Rust is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin new sampler my-sampler")]
pub(super) struct New {
    /// What the plugin is.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    kind: String,
    /// Its name: a-z, 0-9 and `-`.
    name: String,
    /// The folder that gets the crate's folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// The SDK's folder (`sdk` in a checkout of nshot), in place of the one in this program.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// Lists the plugins beside the program and in the user's plugin folder, refused ones with the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin list")]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a plugin: where it comes from, its components, and their settings with defaults.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin show schedules\n          nshot plugin show ./libmine.so")]
pub(super) struct Show {
    /// A plugin's name, a component's name, a plugin file, or the folder of a plugin's crate, which is built.
    #[arg(value_name = "NAME|FILE|CRATE")]
    name: String,
    /// Print JSON, with the settings' JSON schema.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: &Command) -> Outcome {
    if let Command::New(new) = command {
        make(new)?;
        return Ok(0);
    }
    if let Command::Check(arguments) = command {
        return check::main(arguments);
    }
    let plugins = Plugins::open()?;
    match command {
        Command::New(_) | Command::Check(_) => {}
        Command::List(list) => print_list(&plugins, list.json)?,
        Command::Show(show) => print_plugins(&find(&plugins, &show.name)?, show.json)?,
    }
    Ok(0)
}

fn make(new: &New) -> Result<()> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == new.kind);
    let kind = kind.ok_or_else(|| Failure::usage(format!("there is no kind `{}`", new.kind)))?;
    let folder = scaffold::create(&scaffold::New {
        kind,
        name: new.name.clone(),
        parent: new.path.clone(),
        sdk: new.sdk.clone(),
    })?;
    let shown = folder.display();
    output::say(&format!(
        "made `{shown}`\n\n  cd {shown}\n  cargo test           # needs neither nshot nor libtorch\n  nshot plugin check . # \
         whether it keeps what its kind promises\n  nshot run run.toml   # builds it and runs it"
    ));
    Ok(())
}

/// The plugin files that were accepted.
pub(super) fn usable(plugins: &Plugins) -> Vec<PluginFile> {
    plugins.loader().list(plugins.folders()).into_iter().filter_map(|found| found.file.ok()).collect()
}

/// `group/plugin 1.2.3`
pub(super) fn full_name(file: &PluginFile) -> String {
    let metadata = &file.metadata;
    format!("{}/{} {}", metadata.group, metadata.plugin, metadata.version)
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn print_list(plugins: &Plugins, as_json: bool) -> Result<()> {
    let found = plugins.loader().list(plugins.folders());
    if as_json {
        return output::print_json(&found.iter().map(found_json).collect::<Vec<_>>());
    }
    let accepted = found.iter().filter_map(|found| found.file.as_ref().ok());
    let rows: Vec<_> = accepted
        .flat_map(|file| file.components.iter().map(move |component| (file, component)))
        .map(|(file, component)| {
            let description = first_line(&component.doc);
            [component.kind.to_string(), component.name.clone(), full_name(file), description]
        })
        .collect();
    output::print_table(["kind", "component", "plugin", "description"], &rows)?;
    for Found { path, file } in &found {
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

fn found_json(found: &Found) -> Value {
    match &found.file {
        Ok(file) => plugin_json(file),
        Err(error) => json!({ "file": found.path, "refused": error.to_string() }),
    }
}

/// The plugins that a name or a path means.
fn find(plugins: &Plugins, name: &str) -> Result<Vec<PluginFile>> {
    let path = Path::new(name);
    if name.contains('/') || path.extension() == Some("so".as_ref()) || path.join("Cargo.toml").is_file() {
        return Ok(vec![plugins.loader().describe(&library(path)?)?]);
    }
    let files = usable(plugins);
    let named = |file: &&PluginFile| {
        file.metadata.plugin == name || file.components.iter().any(|component| component.name == name)
    };
    let found: Vec<_> = files.iter().filter(named).cloned().collect();
    if found.is_empty() {
        return Err(unknown(name, &files));
    }
    Ok(found)
}

fn unknown(name: &str, files: &[PluginFile]) -> Failure {
    let failure = Failure::new(format!("there is no plugin and no component `{name}`"));
    let components = files.iter().flat_map(|file| &file.components).map(|component| component.name.as_str());
    let names = components.chain(files.iter().map(|file| file.metadata.plugin.as_str()));
    let near = |known: &&str| strsim::damerau_levenshtein(known, name);
    match names.min_by_key(near).filter(|known| near(known) <= 3) {
        Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
        None => failure.hint("`nshot plugin list` shows what there is"),
    }
}

fn print_plugins(files: &[PluginFile], as_json: bool) -> Result<()> {
    if as_json {
        return output::print_json(&files.iter().map(plugin_json).collect::<Vec<_>>());
    }
    output::print(&files.iter().map(plugin_text).collect::<Vec<_>>().join("\n"))
}

fn plugin_json(file: &PluginFile) -> Value {
    json!({
        "file": file.origin, "sha256": file.sha256.to_string(), "metadata": file.metadata,
        "components": file.components, "warnings": file.warnings,
    })
}

fn plugin_text(file: &PluginFile) -> String {
    let metadata = &file.metadata;
    let mut text = Lines::default();
    text.line(full_name(file));
    text.row("  about", &metadata.description);
    text.row("  authors", &metadata.authors);
    text.row("  licence", &metadata.license);
    text.row("  homepage", &metadata.homepage);
    text.row("  built for", &format!("ABI {}.{}, {}", metadata.abi.0, metadata.abi.1, metadata.target));
    text.row("  built with", &format!("SDK {}, {}", metadata.sdk, metadata.rustc));
    text.row("  file", &file.origin.display().to_string());
    text.row("  sha256", &file.sha256.to_string());
    file.warnings.iter().for_each(|warning| text.row("  warning", warning));
    file.components.iter().for_each(|component| describe(component, &mut text));
    text.0
}

fn describe(component: &ComponentInfo, text: &mut Lines) {
    text.line("");
    text.line(format_args!("  {} `{}`", component.kind, component.name));
    component.doc.lines().for_each(|line| text.line(format!("    {line}").trim_end()));
    if let Some(citation) = component.citation.as_ref().filter(|citation| !citation.is_empty()) {
        text.line(format_args!("    cite: {citation}"));
    }
    let settings = component.schema.get("properties").and_then(Value::as_object);
    let Some(settings) = settings.filter(|settings| !settings.is_empty()) else {
        return text.line("    no settings");
    };
    text.line("    settings:");
    for (name, schema) in settings {
        let default = component.defaults.get(name).or_else(|| schema.get("default"));
        let default = default.filter(|value| !value.is_null());
        let default = default.map_or(String::new(), |value| format!(" = {value}"));
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let about = if about.is_empty() { about } else { format!("  # {about}") };
        text.line(format_args!("      {name}{default}{about}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_with_their_defaults() {
        let told = |component: &ComponentInfo| {
            let mut text = Lines::default();
            describe(component, &mut text);
            text.0
        };
        let component = ComponentInfo {
            name: "cosine".to_owned(),
            kind: Kind::LrScheduler,
            doc: "Half a cosine.".to_owned(),
            schema: json!({ "properties": {
                "floor": { "description": "The last\nfactor.", "default": 0.0 }, "warm_up": {},
            }}),
            defaults: json!({ "floor": 0.1 }),
            citation: None,
        };
        assert_eq!(
            told(&component),
            "\n  lr-scheduler `cosine`\n    Half a cosine.\n    settings:\n      floor = 0.1  # The last factor.\n      \
             warm_up\n"
        );
        let bare = ComponentInfo { schema: json!({}), doc: String::new(), ..component };
        assert_eq!(told(&bare), "\n  lr-scheduler `cosine`\n    no settings\n");
    }
}
