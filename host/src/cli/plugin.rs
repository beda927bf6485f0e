//! `nshot plugin`.

mod check;
mod component;
mod consent;
mod install;
mod keygen;
mod list;
mod login;
mod new;
mod pack;
mod password;
mod pull;
mod push;
mod remove;
mod schema;
mod show;
mod sign;
mod trust;
mod verify;

use nshot::failure::{Failure, Result};
use nshot::plugins::Plugins;
use nshot_loader::PluginFile;
use semver::Version;

use super::Outcome;

/// Plugins: writing them, passing them on, and which there are.
///
/// A crate is packed into one file, signed, and sent to a registry; others install it from there, or from the file.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    New(new::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Check(check::Arguments),
    Keygen(keygen::Arguments),
    Pack(pack::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
    Push(push::Arguments),
    Pull(pull::Arguments),
    Install(install::Arguments),
    Remove(remove::Arguments),
    Trust(trust::Arguments),
}

pub(super) fn main(command: &Command) -> Outcome {
    match command {
        Command::Check(arguments) => return check::main(arguments),
        Command::New(arguments) => new::main(arguments),
        Command::List(arguments) => list::main(arguments),
        Command::Show(arguments) => show::main(arguments),
        Command::Keygen(arguments) => keygen::main(arguments),
        Command::Pack(arguments) => pack::main(arguments),
        Command::Sign(arguments) => sign::main(arguments),
        Command::Verify(arguments) => verify::main(arguments),
        Command::Push(arguments) => push::main(arguments),
        Command::Pull(arguments) => pull::main(arguments),
        Command::Install(arguments) => install::main(arguments),
        Command::Remove(arguments) => remove::main(arguments),
        Command::Trust(arguments) => trust::main(arguments),
    }?;
    Ok(0)
}

/// The plugin files that were accepted.
pub(super) fn usable(plugins: &Plugins) -> Vec<&PluginFile> {
    plugins.list().iter().filter_map(|listed| listed.file.as_ref().ok()).collect()
}

/// `group/plugin 1.2.3`
pub(super) fn full_name(file: &PluginFile) -> String {
    let metadata = &file.metadata;
    format!("{}/{} {}", metadata.group, metadata.plugin, metadata.version)
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// `GROUP/PLUGIN` or `GROUP/PLUGIN@VERSION`.
fn installed_name(text: &str) -> Result<(&str, &str, Option<Version>)> {
    let wrong = |why: &str| {
        Failure::usage(format!("`{text}` names no installed plugin: {why}"))
            .hint("expected `group/plugin` or `group/plugin@1.2.3`; `nshot plugin list` shows them")
    };
    let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
    let version = version.map(|version| Version::parse(version).map_err(|error| wrong(&error.to_string())));
    let (group, plugin) = name.split_once('/').ok_or_else(|| wrong("it has no `/`"))?;
    Ok((group, plugin, version.transpose()?))
}
