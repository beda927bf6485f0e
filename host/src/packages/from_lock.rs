//! Brings the plugins of a run's lock: those files, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nshot_loader::Hash;
use nshot_package::{Client, Fetched, Installed, Package, Reference, Source};

use super::{Options, Shelf, install};
use crate::failure::{Failure, Result};
use crate::plugins::Plugins;
use crate::run_directory::{Lock, LockedComponent, LockedPackage};

/// What became of one plugin of a lock.
#[derive(Debug)]
pub struct Brought {
    /// `group/plugin 1.2.3`
    pub plugin: String,
    /// Whether it was there already.
    pub was_there: bool,
    /// The group, if its key is remembered from now on.
    pub new_key_of: Option<String>,
}

/// Installs what a lock names and is not here yet. The hashes are those of the lock, so that an older version than an
/// installed one is no danger.
///
/// # Errors
/// The lock does not say where a plugin came from; it cannot be fetched, is another one, or is not trusted. Those before
/// it are installed then.
pub fn bring(path: &Path, shelf: &mut Shelf, client: &Client, options: &Options) -> Result<Vec<Brought>> {
    let lock = Lock::read(path)?;
    let here = Plugins::open()?;
    // Several components may be of one file.
    let files: BTreeMap<&str, &LockedComponent> =
        lock.components.values().map(|locked| (locked.sha256.as_str(), locked)).collect();
    let unknown = files.values().find(|locked| locked.package.is_none() && !here.has(&locked.sha256));
    if let Some(locked) = unknown {
        return Err(no_origin(path, locked));
    }
    let missing =
        files.values().filter(|locked| locked.package.is_some() && !here.has_installed(&locked.sha256));
    check_groups(&missing.map(|locked| locked.group.as_str()).collect(), shelf, options)?;
    let options = Options { older: true, upgrade: false, ..options.clone() };
    let mut brought = Vec::new();
    for locked in files.values() {
        let mut one = Brought { plugin: locked.title(), was_there: true, new_key_of: None };
        if let Some(package) = &locked.package
            && !here.has_installed(&locked.sha256)
        {
            let fetched = fetch(locked, package, client)?;
            let outcome = install(shelf, &fetched, &options)?;
            one.was_there = outcome.was_there;
            let Installed { info, .. } = outcome.installed;
            one.new_key_of = outcome.is_new_key.then_some(info.group);
        }
        brought.push(one);
    }
    Ok(brought)
}

/// A key without a group's name is enough for one group: a lock may name others, for whom it would be remembered too.
fn check_groups(groups: &BTreeSet<&str>, shelf: &Shelf, options: &Options) -> Result<()> {
    let unknown: Vec<&str> =
        groups.iter().filter(|group| shelf.trust.key(group).is_none()).copied().collect();
    if unknown.len() < 2 || options.trust.iter().all(|trusted| trusted.group.is_some()) {
        return Ok(());
    }
    let names: Vec<String> = unknown.iter().map(|group| format!("`{group}`")).collect();
    let keys: Vec<String> = unknown.iter().map(|group| format!("--trust {group}=KEY")).collect();
    let text = format!(
        "the lock has plugins of {} groups that are not known here: {}",
        names.len(),
        names.join(", ")
    );
    Err(Failure::usage(text).hint(format!("say whose key each is: `{}`", keys.join(" "))))
}

fn no_origin(path: &Path, locked: &LockedComponent) -> Failure {
    let text = format!(
        "the lock `{}` does not say where {} comes from, and no file here has its SHA-256 {}",
        path.display(),
        locked.title(),
        locked.sha256
    );
    Failure::new(text).hint(
        "a lock knows the origin of plugins that were installed: whoever ran it packs and pushes this one, installs it \
         from there, and runs again",
    )
}

/// Gets a package, and sees that it is the lock's.
fn fetch(locked: &LockedComponent, package: &LockedPackage, client: &Client) -> Result<Fetched> {
    let context = |failure: Failure| failure.context(&format!("the plugin {} of the lock", locked.title()));
    let mut source = Source::parse(&package.origin).map_err(|error| context(error.into()))?;
    if let (Source::Registry(reference), Some(digest)) = (&mut source, &package.digest) {
        let text = format!("oci://{}/{}@{digest}", reference.host, reference.repository);
        *reference = text.parse::<Reference>().map_err(|error| context(error.into()))?;
    }
    let fetched = source.fetch(client).map_err(|error| context(error.into()))?;
    let found = Hash::of(&fetched.bytes).to_string();
    if found != package.sha256 {
        let text = format!(
            "`{}` holds another package than the lock's {}: its SHA-256 is {found}, expected {}",
            package.origin,
            locked.title(),
            package.sha256
        );
        return Err(Failure::new(text).hint("whoever ran it can say where the package is now"));
    }
    let opened = Package::open(&fetched.bytes, &fetched.name)?;
    if !opened.info().files.values().any(|hash| *hash == locked.sha256) {
        let text = format!(
            "the lock is damaged: the package of {} has no file with the SHA-256 {}",
            locked.title(),
            locked.sha256
        );
        return Err(Failure::new(text));
    }
    Ok(Fetched { origin: package.origin.clone(), ..fetched })
}
