//! `nshot plugin show`.

use std::path::Path;

use nshot::failure::{Failure, Result};
use nshot::packages::Shelf;
use nshot::plugins::{Plugins, library};
use nshot::run_directory::LockedPackage;
use nshot_loader::{Hash, Looked, PluginFile};
use nshot_package::{Fetched, Package, PublicKey};
use serde_json::{Value, json};

use super::component::describe;
use super::{full_name, usable};
use crate::cli::output::{self, Lines};

/// Shows a plugin: where it comes from, its components, and their settings with types and defaults.
///
/// Nothing of a file or a package is run: a file's settings are shown if it was loaded here before. A crate is built
/// and loaded.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot plugin show schedules\n          nshot plugin show ./libmine.so\n          \
                        nshot plugin show my-sampler-0.1.0.nshot\n          nshot plugin show calr --bibtex"
)]
pub(in crate::cli) struct Arguments {
    /// A plugin's name, with or without its group; a component's name; a package; a plugin file; or a crate's folder.
    #[arg(value_name = "NAME|FILE|CRATE")]
    name: String,
    /// Print whom to cite, as BibTeX.
    #[arg(long)]
    bibtex: bool,
    /// Print JSON, with the settings' JSON schema.
    #[arg(long, conflicts_with = "bibtex")]
    json: bool,
}

/// What is shown.
struct Shown {
    text: String,
    json: Value,
    citations: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let shown = find(&arguments.name)?;
    if arguments.json {
        return output::print_json(&shown.iter().map(|shown| &shown.json).collect::<Vec<_>>());
    }
    if arguments.bibtex {
        let mut all: Vec<&str> = Vec::new();
        for text in shown.iter().flat_map(|shown| &shown.citations).map(|text| text.trim()) {
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
        if all.is_empty() {
            output::say("nothing is to be cited");
        }
        let mut text = Lines::default();
        for citation in all {
            text.line(citation);
        }
        return output::print(&text.0);
    }
    output::print(&shown.iter().map(|shown| shown.text.as_str()).collect::<Vec<_>>().join("\n"))
}

/// What a name or a path means.
fn find(name: &str) -> Result<Vec<Shown>> {
    let path = Path::new(name);
    if path.extension() == Some("nshot".as_ref()) {
        return Ok(vec![package(path)?]);
    }
    let plugins = Plugins::open()?;
    let is_crate = path.join("Cargo.toml").is_file();
    if is_crate {
        return Ok(vec![loaded(&plugins.loader().describe(&library(path)?)?, None, false)]);
    }
    // `group/plugin`, unless there is such a file.
    let is_path = name.split('/').count() != 2 || path.exists();
    if name.contains('/') && is_path || path.extension() == Some("so".as_ref()) {
        return Ok(vec![looked(&plugins.loader().look(path)?)]);
    }
    named(&plugins, name)
}

fn named(plugins: &Plugins, name: &str) -> Result<Vec<Shown>> {
    let mut found = Vec::new();
    for listed in plugins.list() {
        let Ok(file) = &listed.file else { continue };
        let (plugin, full) =
            (&file.metadata.plugin, format!("{}/{}", file.metadata.group, file.metadata.plugin));
        if *plugin == name || full == name || file.components.iter().any(|component| component.name == name) {
            found.push(loaded(file, listed.package.as_ref(), listed.built_in));
        }
    }
    if found.is_empty() { Err(unknown(name, &usable(plugins))) } else { Ok(found) }
}

fn unknown(name: &str, files: &[&PluginFile]) -> Failure {
    let failure = Failure::new(format!("there is no plugin and no component `{name}`"));
    let components = files.iter().flat_map(|file| &file.components).map(|component| component.name.as_str());
    let names = components.chain(files.iter().map(|file| file.metadata.plugin.as_str()));
    let near = |known: &&str| strsim::damerau_levenshtein(known, name);
    match names.min_by_key(near).filter(|known| near(known) <= 3) {
        Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
        None => failure.hint("`nshot plugin list` shows what there is"),
    }
}

pub(super) fn plugin_json(file: &PluginFile, package: Option<&LockedPackage>) -> Value {
    json!({
        "file": file.origin, "sha256": file.sha256.to_string(), "metadata": file.metadata,
        "components": file.components, "warnings": file.warnings, "package": package,
    })
}

fn loaded(file: &PluginFile, package: Option<&LockedPackage>, built_in: bool) -> Shown {
    let metadata = &file.metadata;
    let mut text = Lines::default();
    text.line(full_name(file));
    about(&mut text, metadata);
    text.row("  file", &file.origin.display().to_string());
    text.row("  sha256", &file.sha256.to_string());
    match package {
        None => text.row("  signature", if built_in { "none: it is built in" } else { "none: a file" }),
        Some(LockedPackage { sha256, origin, digest, key }) => {
            text.row("  from", origin);
            text.row("  digest", digest.as_deref().unwrap_or_default());
            text.row("  package", sha256);
            let by = key.as_ref().and_then(|key| key.parse::<PublicKey>().ok());
            let by = by.map(|key| format!("checked when it was installed, by the key {}", key.id()));
            text.row("  signature", by.as_deref().unwrap_or("none: it was installed unsigned"));
        }
    }
    file.warnings.iter().for_each(|warning| text.row("  warning", warning));
    file.components.iter().for_each(|component| describe(component, &mut text));
    let citations = file.components.iter().filter_map(|component| component.citation.clone()).collect();
    Shown { text: text.0, json: plugin_json(file, package), citations }
}

fn about(text: &mut Lines, metadata: &nshot_loader::Metadata) {
    text.row("  about", &metadata.description);
    text.row("  authors", &metadata.authors);
    text.row("  licence", &metadata.license);
    text.row("  homepage", &metadata.homepage);
    text.row("  built for", &format!("ABI {}.{}, {}", metadata.abi.0, metadata.abi.1, metadata.target));
    text.row("  built with", &format!("SDK {}, {}", metadata.sdk, metadata.rustc));
}

/// A file of which nothing was run.
fn looked(file: &Looked) -> Shown {
    let metadata = &file.metadata;
    let mut text = Lines::default();
    text.line(format_args!("{}/{} {}", metadata.group, metadata.plugin, metadata.version));
    about(&mut text, metadata);
    text.row("  file", &file.path.display().to_string());
    text.row("  sha256", &file.sha256.to_string());
    text.row("  signature", "none: a file");
    if let Some(components) = &file.components {
        for component in components {
            describe(component, &mut text);
        }
    } else {
        for component in &metadata.components {
            text.row("  says it has", &format!("{} `{}`", component.kind, component.name));
        }
        text.line(
            "  Its settings are known once it was loaded: name it in a manifest, and `nshot run --dry-run`.",
        );
    }
    let json = json!({
        "file": file.path, "sha256": file.sha256.to_string(), "metadata": metadata, "components": file.components,
    });
    let components = file.components.iter().flatten();
    Shown {
        text: text.0,
        json,
        citations: components.filter_map(|component| component.citation.clone()).collect(),
    }
}

/// A package, of which nothing is unpacked.
fn package(path: &Path) -> Result<Shown> {
    let fetched = Fetched::read(path)?;
    let package = Package::open(&fetched.bytes, &fetched.name)?;
    let (info, sha256) = (package.info(), Hash::of(&fetched.bytes).to_string());
    let signature = signature(&fetched, &info.group)?;
    let mut text = Lines::default();
    text.line(format_args!("{}/{} {}", info.group, info.plugin, info.version));
    text.row("  about", &info.description);
    text.row("  authors", &info.authors);
    text.row("  licence", &info.license);
    text.row("  homepage", &info.homepage);
    text.row("  built for", &format!("ABI {}.{}, {}", info.abi.0, info.abi.1, info.targets.join(", ")));
    text.row("  built with", &format!("SDK {}", info.sdk));
    text.row("  file", &path.display().to_string());
    text.row("  sha256", &sha256);
    text.row("  signature", &signature);
    for component in &info.components {
        text.row("  has", &format!("{} `{}`", component.kind, component.name));
    }
    for line in info.citation.lines() {
        text.row("  cite", line);
    }
    text.row(
        "  files",
        &format!("plugin.toml, {}", info.files.keys().cloned().collect::<Vec<_>>().join(", ")),
    );
    let json = json!({ "file": path, "sha256": sha256, "package": info, "signature": signature });
    Ok(Shown { text: text.0, json, citations: vec![info.citation.clone()] })
}

fn signature(fetched: &Fetched, group: &str) -> Result<String> {
    let Some(text) = &fetched.signature else { return Ok("none".to_owned()) };
    let signature = match nshot_package::Signature::parse(text, &fetched.name) {
        Ok(signature) => signature,
        Err(error) => return Ok(format!("wrong: {error}")),
    };
    let id = signature.key_id();
    Ok(match Shelf::open()?.trust.key(group) {
        None => format!("says the key {id}; no key of `{group}` is known here"),
        Some(key) => match signature.verify(&fetched.bytes, key, &fetched.name) {
            Ok(()) => format!("good, by the key {id} of `{group}`"),
            Err(error) => format!("wrong: {error}"),
        },
    })
}
