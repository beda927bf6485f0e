//! `nshot plugin verify`.

use std::path::Path;

use nshot::failure::{Failure, Result};
use nshot::packages::{self, Shelf};
use nshot_package::{Installed, Source, Verified};

use super::{consent, installed_name, login};
use crate::cli::output::{self, Lines};

/// Checks a package as an installation would, or installed plugins: nothing is written and nothing of it runs.
///
/// Of a package: each file's SHA-256, the signature, whose key it is, and whether its library loads here. Of an
/// installed plugin: each file's SHA-256.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin verify my-sampler-0.1.0.nshot --trust my-lab.pub\n          \
                        nshot plugin verify my-lab/my-sampler\n          nshot plugin verify")]
pub(in crate::cli) struct Arguments {
    /// A package file, its https:// or oci:// address, or an installed plugin; without it, all that is installed.
    #[arg(value_name = "PACKAGE|GROUP/PLUGIN[@VERSION]")]
    what: Option<String>,
    #[command(flatten)]
    consent: consent::Arguments,
    #[command(flatten)]
    login: login::Arguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let shelf = Shelf::open()?;
    let Some(what) = &arguments.what else { return all(&shelf) };
    let is_package = what.contains("://") || is_file(Path::new(what));
    if is_package { package(arguments, what, &shelf) } else { installed(what, &shelf) }
}

fn is_file(path: &Path) -> bool {
    path.is_file() || path.extension() == Some("nshot".as_ref())
}

fn package(arguments: &Arguments, what: &str, shelf: &Shelf) -> Result<()> {
    let source = Source::parse(what)?;
    let fetched = source.fetch(&arguments.login.client()?)?;
    let options = arguments.consent.options();
    let Verified { package, sha256, key, is_new_key, .. } =
        fetched.verify(&packages::consent(&fetched, &options)?, &shelf.trust)?;
    package.check_library(&fetched.name)?;
    let mut text = Lines::default();
    text.line(package.info().title());
    text.row("  sha256", &sha256.to_string());
    text.row("  digest", fetched.digest.as_deref().unwrap_or_default());
    text.row("  targets", &package.info().targets.join(", "));
    let group = &package.info().group;
    text.row(
        "  signature",
        &match key {
            None => "none".to_owned(),
            Some(key) if is_new_key => format!("good, by the key {} that was given for `{group}`", key.id()),
            Some(key) => format!("good, by the key {} of `{group}`", key.id()),
        },
    );
    output::print(&text.0)
}

fn installed(what: &str, shelf: &Shelf) -> Result<()> {
    let (group, plugin, version) = installed_name(what)?;
    check(&shelf.plugins.find(group, plugin, version.as_ref())?)
}

fn all(shelf: &Shelf) -> Result<()> {
    let mut wrong = 0;
    for found in shelf.plugins.list() {
        if let Err(failure) = found.map_err(Failure::from).and_then(|installed| check(&installed)) {
            output::complain(&failure);
            wrong += 1;
        }
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{wrong} of the installed plugins are damaged"))),
    }
}

fn check(installed: &Installed) -> Result<()> {
    installed.check()?;
    output::print(&format!("{}: as installed\n", installed.info.title()))
}
