//! `--locked`: the plugin files of a lock, and nothing else.

use nshot_loader::{Kind, PluginFile};
use semver::Version;

use super::installed::Listed;
use super::{Plugins, library, table};
use crate::experiment::Pins;
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Manifest, Use};
use crate::run_directory::{Lock, LockedComponent};

const HINT: &str = "`nshot plugin install --from-lock LOCK` installs what the lock names";
const OTHER_MANIFEST: &str = "the lock belongs to another manifest";

impl Plugins {
    /// The plugins of a lock for the tables of a manifest; each is in the store then.
    ///
    /// # Errors
    /// The manifest names another component than the lock, or a file is another one or not here.
    pub fn locked(&self, manifest: &Manifest, lock: &Lock) -> Result<Pins> {
        let tables = tables(manifest);
        let extra =
            lock.components.keys().find(|name| tables.iter().all(|(kind, _)| table(*kind) != name.as_str()));
        if let Some(extra) = extra {
            return Err(Failure::new(format!(
                "the lock has a component for `[{extra}]`, the manifest has none"
            ))
            .hint(OTHER_MANIFEST));
        }
        self.locked_by(manifest, std::slice::from_ref(lock))
    }

    /// The plugins for the tables of a manifest, each from whichever lock has it.
    ///
    /// # Errors
    /// No lock has a component that a table names, or they have different ones; a file is another one or not here.
    pub fn locked_by(&self, manifest: &Manifest, locks: &[Lock]) -> Result<Pins> {
        let mut pins = Pins::new();
        for (kind, component) in tables(manifest) {
            let name = table(kind);
            let pin = self.pin(kind, &component.uses, locks);
            pins.insert(name.to_owned(), manifest.located(&format!("{name}.use"), pin)?);
        }
        Ok(pins)
    }

    fn pin(&self, kind: Kind, uses: &Use, locks: &[Lock]) -> Result<LockedComponent> {
        let (name, locks_have) =
            (table(kind), if locks.len() == 1 { "the lock has" } else { "the locks have" });
        let mut known: Vec<&LockedComponent> = Vec::new();
        for pin in locks.iter().filter_map(|lock| lock.components.get(name)) {
            if known.iter().all(|other| !other.is_same(pin)) {
                known.push(pin);
            }
        }
        if known.is_empty() {
            let text = format!("the manifest has a component for `[{name}]`, {locks_have} none");
            return Err(Failure::new(text).hint(OTHER_MANIFEST));
        }
        let fitting: Vec<&LockedComponent> = known.iter().copied().filter(|pin| fits(uses, pin)).collect();
        let mut here = Vec::new();
        let mut missing = None;
        for pin in fitting {
            match self.check(kind, uses, pin) {
                Ok(()) => here.push(pin),
                Err(failure) => missing = missing.or(Some(failure)),
            }
        }
        match (&here[..], missing) {
            ([pin], _) => Ok((*pin).clone()),
            ([], Some(failure)) => Err(failure),
            ([], None) => Err(other_component(uses, &known)),
            (several, _) => Err(ambiguous(uses, several)),
        }
    }

    /// Finds the pinned file: of a path in the store, since the path may lead to a newer build; of a name where the
    /// manifest would find it.
    fn check(&self, kind: Kind, uses: &Use, pin: &LockedComponent) -> Result<()> {
        if let Use::Path { path, .. } = uses {
            if self.has_stored(&pin.sha256) {
                return Ok(());
            }
            if path.exists() {
                let file = self.loader.describe(&library(path)?)?;
                let is_it = file.sha256.to_string() == pin.sha256;
                return if is_it { Ok(()) } else { Err(other_file(kind, pin, &file)) };
            }
        }
        let (listed, name) = (self.list(), &pin.component);
        if listed.iter().any(|listed| listed.is(&pin.sha256)) {
            return Ok(());
        }
        // A file of the plugin that is damaged, or is another one.
        let of_package = |listed: &&Listed| listed.package.is_some() && listed.package == pin.package;
        if let Some(Err(failure)) = listed.iter().find(of_package).map(|listed| &listed.file) {
            return Err(failure.clone().context(&format!("the lock's {kind} `{name}`")));
        }
        let same_version = |file: &&PluginFile| {
            let metadata = &file.metadata;
            (&metadata.group, &metadata.plugin, &metadata.version) == (&pin.group, &pin.plugin, &pin.version)
        };
        let other = listed.iter().filter_map(|listed| listed.file.as_ref().ok()).find(same_version);
        if let Some(other) = other {
            return Err(other_file(kind, pin, other));
        }
        if self.has_stored(&pin.sha256) {
            return Ok(());
        }
        let (plugin, sha256) = (pin.title(), &pin.sha256);
        Err(Failure::new(format!(
            "the lock's {kind} `{name}` is of {plugin} with the SHA-256 {sha256}, which is not here"
        ))
        .hint(HINT))
    }
}

fn other_file(kind: Kind, pin: &LockedComponent, found: &PluginFile) -> Failure {
    let (name, plugin, place) = (&pin.component, pin.title(), found.origin.display());
    Failure::new(format!(
        "the lock's {kind} `{name}` is of {plugin} with the SHA-256 {}; `{place}` has {}",
        pin.sha256, found.sha256
    ))
    .hint(HINT)
}

/// The manifest may name less than the lock, but nothing else.
fn fits(uses: &Use, pin: &LockedComponent) -> bool {
    match uses {
        Use::Path { component, .. } => component.as_ref().is_none_or(|name| *name == pin.component),
        Use::Named { group, plugin, component, version } => {
            *component == pin.component
                && group.as_ref().is_none_or(|group| *group == pin.group)
                && plugin.as_ref().is_none_or(|plugin| *plugin == pin.plugin)
                && version.as_ref().is_none_or(|wanted| {
                    Version::parse(&pin.version).is_ok_and(|version| wanted.matches(&version))
                })
        }
    }
}

fn other_component(uses: &Use, known: &[&LockedComponent]) -> Failure {
    let shown: Vec<String> = known
        .iter()
        .map(|LockedComponent { group, plugin, component, version, .. }| {
            format!("`{group}/{plugin}:{component}` {version}")
        })
        .collect();
    let pin = if known.len() == 1 { "the lock pins" } else { "the locks pin" };
    Failure::new(format!("the manifest names `{uses}`, {pin} {}", shown.join(", "))).hint(OTHER_MANIFEST)
}

fn ambiguous(uses: &Use, several: &[&LockedComponent]) -> Failure {
    let shown: Vec<String> = several
        .iter()
        .map(|pin| format!("`{}` of {} with the SHA-256 {}", pin.component, pin.title(), pin.sha256))
        .collect();
    Failure::new(format!("the manifest names `{uses}`, the locks pin several: {}", shown.join(", ")))
        .hint("leave out the lock that is not meant, or name the version in the manifest")
}

fn tables(manifest: &Manifest) -> Vec<(Kind, &Component)> {
    let required = [
        (Kind::SearchSpace, &manifest.space),
        (Kind::Sampler, &manifest.sampler),
        (Kind::LrScheduler, &manifest.scheduler),
        (Kind::Optimizer, &manifest.optimizer),
    ];
    let state = manifest.state.as_ref().map(|component| (Kind::StateGroups, component));
    let search = manifest.search.as_ref().map(|component| (Kind::Searcher, component));
    required.into_iter().chain(state).chain(search).collect()
}
