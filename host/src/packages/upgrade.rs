//! A newer version of an installed plugin, from where that came.

use std::path::Path;

use nshot_package::{Client, Fetched, Installed, Package, Reference, Source, newer};
use semver::Version;

use super::Shelf;
use crate::failure::{Failure, Result};

/// What there is beyond an installed plugin.
#[derive(Debug)]
pub enum Offer {
    /// A newer version, not checked yet.
    Newer(Fetched),
    /// The installed one is the newest.
    Newest {
        /// `group/plugin 1.2.3`
        plugin: String,
        /// The repository.
        repository: String,
        /// Older versions that were installed too, and are removed.
        removed: Vec<Version>,
    },
}

/// The group and the plugin, if a text is `GROUP/PLUGIN` and no file.
pub fn installed_name(text: &str) -> Option<(&str, &str)> {
    let (group, plugin) = text.split_once('/')?;
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (is_name(group) && is_name(plugin) && !Path::new(text).exists()).then_some((group, plugin))
}

/// Looks for a newer version in the registry that the newest installed one came from; of nothing newer, older versions
/// are removed.
///
/// # Errors
/// It is not installed, did not come from a registry, or that cannot be reached or has another plugin.
pub fn offer(shelf: &Shelf, group: &str, plugin: &str, client: &Client) -> Result<Offer> {
    let Installed { info, record, .. } = shelf.plugins.find(group, plugin, None)?;
    let Ok(Source::Registry(reference)) = Source::parse(&record.origin) else {
        let text = format!(
            "{} was installed from `{}`, which is no registry: there is no telling where a newer version is",
            info.title(),
            record.origin
        );
        return Err(
            Failure::new(text).hint("name its package: `nshot plugin install --upgrade FILE|URL|oci://…`")
        );
    };
    let repository = Reference { version: None, digest: None, ..reference };
    let versions = client.versions(&repository)?;
    let Some(version) = newer(&versions, &info.version) else {
        let removed = shelf.plugins.remove_older(group, plugin, &info.version)?;
        return Ok(Offer::Newest { plugin: info.title(), repository: repository.to_string(), removed });
    };
    let fetched = client.pull(&Reference { version: Some(version.clone()), ..repository })?;
    let package = Package::open(&fetched.bytes, &fetched.name)?;
    let found = package.info();
    if (found.group.as_str(), found.plugin.as_str()) != (group, plugin) {
        let text = format!("`{}` holds {}, expected `{group}/{plugin}`", fetched.origin, found.title());
        return Err(Failure::new(text).hint("whoever pushed it can say where the plugin is now"));
    }
    Ok(Offer::Newer(fetched))
}
