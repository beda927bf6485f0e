//! From a path, or a hash in the store, to a plugin that can be called.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nshot_abi::PluginRef;
use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::host::{Services, Services_TO, ServicesRef};
use serde::{Deserialize, Serialize};

use crate::component::{ComponentInfo, Components, Kind};
use crate::folders::Folders;
use crate::gate;
use crate::hash::Hash;
use crate::library;
use crate::load_error::LoadError;
use crate::metadata::Metadata;
use crate::probe;
use crate::refusal::Reason;
use crate::store::{Store, Stored, write_whole};

/// How long the first load of a file may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What was loaded into this process; a library is never unloaded.
static LOADED: Mutex<BTreeMap<Hash, Arc<Plugin>>> = Mutex::new(BTreeMap::new());

/// Loads plugin files through a store. Several loaders of one process share what is loaded: a file is loaded
/// once, and has the services of the loader that did it.
pub struct Loader {
    store: Store,
    probe: PathBuf,
    services: Box<dyn Fn() -> ServicesRef + Send + Sync>,
    time_limit: Duration,
}

/// A plugin file that has been checked and tried, but not loaded into this process.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginFile {
    /// What the file says of itself.
    pub metadata: Metadata,
    /// Its hash.
    pub sha256: Hash,
    /// Its copy in the store.
    pub path: PathBuf,
    /// Where it was found; the copy itself if it was asked for by its hash.
    pub origin: PathBuf,
    /// The components that this host can use.
    pub components: Vec<ComponentInfo>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

impl PluginFile {
    /// The component with this kind and name.
    pub fn component(&self, kind: Kind, name: &str) -> Option<&ComponentInfo> {
        self.components.iter().find(|component| component.kind == kind && component.name == name)
    }
}

/// A plugin file that was looked at, and nothing of which was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// What the file says of itself.
    pub metadata: Metadata,
    /// Its hash.
    pub sha256: Hash,
    /// The file.
    pub path: PathBuf,
    /// Its components; none if no process has loaded it here yet, for it alone can tell them.
    pub components: Option<Vec<ComponentInfo>>,
}

/// A loaded plugin.
pub struct Plugin {
    /// The file that it was loaded from.
    pub file: PluginFile,
    /// Its table, checked and attached to the host's services.
    pub root: PluginRef,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("file", &self.file).finish_non_exhaustive()
    }
}

/// A file of a plugin folder.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What it is, or why it cannot be used.
    pub file: Result<PluginFile, LoadError>,
}

/// What the probe found, remembered beside the stored file.
#[derive(Serialize, Deserialize)]
struct Verdict {
    loader: String,
    abi: (u32, u32),
    components: String,
}

impl Loader {
    /// A loader with a store, the path of the program `nshot-probe` and the services for all plugins.
    pub fn new<S: Services>(store: Store, probe: impl Into<PathBuf>, services: &'static S) -> Self {
        let services = Box::new(|| Services_TO::from_ptr(RRef::new(services), TD_Opaque));
        Self { store, probe: probe.into(), services, time_limit: TIME_LIMIT }
    }

    /// Another limit than 20 s for the first load of a file.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Checks a file, stores it, tries it in a child process if it is new, and loads it.
    ///
    /// # Errors
    /// The file cannot be read or stored, or is refused.
    pub fn load(&self, path: &Path) -> Result<Arc<Plugin>, LoadError> {
        self.open(self.describe(path)?)
    }

    /// Loads a stored file by its hash, as a run's lock names it.
    ///
    /// # Errors
    /// The file is not in the store, is damaged there, or is refused.
    pub fn load_stored(&self, sha256: &Hash) -> Result<Arc<Plugin>, LoadError> {
        self.open(self.describe_stored(sha256)?)
    }

    /// All of [`Loader::load`] but the loading: nothing of the plugin runs in this process.
    ///
    /// # Errors
    /// The same.
    pub fn describe(&self, path: &Path) -> Result<PluginFile, LoadError> {
        self.described(path, None)
    }

    /// The same, for a file whose hash is known: another content is refused before any of it runs.
    ///
    /// # Errors
    /// The file is another one, and those of [`Loader::describe`].
    pub fn describe_known(&self, path: &Path, sha256: &Hash) -> Result<PluginFile, LoadError> {
        self.described(path, Some(sha256))
    }

    fn described(&self, path: &Path, expected: Option<&Hash>) -> Result<PluginFile, LoadError> {
        let bytes = read_file(path)?;
        if let Some(expected) = expected {
            let found = Hash::of(&bytes);
            if found != *expected {
                return Err(LoadError::Changed { path: path.to_owned(), found, expected: *expected });
            }
        }
        let metadata = gate::inspect(&bytes, &path.to_string_lossy())?;
        let name = path.file_name().unwrap_or_default();
        let stored = self.store.add(&bytes, &name.to_string_lossy())?;
        self.tried(metadata, stored, path.to_owned())
    }

    /// What a file says of itself without any of it running, and its components if it was tried before.
    ///
    /// # Errors
    /// The file cannot be read, or the gate refuses it.
    pub fn look(&self, path: &Path) -> Result<Looked, LoadError> {
        let bytes = read_file(path)?;
        let metadata = gate::inspect(&bytes, &path.to_string_lossy())?;
        let sha256 = Hash::of(&bytes);
        // A verdict is believed only beside the file that it is about.
        let stored = self.store.find(&sha256).ok().flatten();
        let text = stored.and_then(|stored| self.remembered(&stored));
        let components = text.and_then(|text| Components::parse(&text).ok()).map(|found| found.known);
        Ok(Looked { metadata, sha256, path: path.to_owned(), components })
    }

    /// The same, for a stored file.
    ///
    /// # Errors
    /// Those of [`Loader::load_stored`].
    pub fn describe_stored(&self, sha256: &Hash) -> Result<PluginFile, LoadError> {
        let missing = || LoadError::NotStored { sha256: *sha256, folder: self.store.folder().to_owned() };
        let (stored, bytes) = self.store.read(sha256)?.ok_or_else(missing)?;
        let metadata = gate::inspect(&bytes, &stored.path.to_string_lossy())?;
        let origin = stored.path.clone();
        self.tried(metadata, stored, origin)
    }

    /// Describes each file of the folders.
    pub fn list(&self, folders: &Folders) -> Vec<Found> {
        let describe = |path: PathBuf| Found { file: self.describe(&path), path };
        folders.files().into_iter().map(describe).collect()
    }

    fn tried(&self, metadata: Metadata, stored: Stored, origin: PathBuf) -> Result<PluginFile, LoadError> {
        let refuse = |reason: Reason| LoadError::from(reason.of(origin.to_string_lossy()));
        let remembered = self.remembered(&stored);
        let text = match &remembered {
            Some(text) => text.clone(),
            None => self.run_probe(&stored, &origin)?.map_err(refuse)?,
        };
        let Components { known, mut warnings } = Components::parse(&text).map_err(refuse)?;
        if remembered.is_none() {
            self.remember(&stored, text)?;
        }
        let (found, ours) = (metadata.abi, nshot_abi::VERSION);
        if found > ours {
            warnings.push(format!(
                "the plugin is built for ABI {}.{}, this host has {}.{}: what it asks of the host beyond that fails with an error",
                found.0, found.1, ours.0, ours.1
            ));
        }
        let Stored { path, sha256 } = stored;
        Ok(PluginFile { metadata, sha256, path, origin, components: known, warnings })
    }

    fn run_probe(&self, stored: &Stored, origin: &Path) -> Result<Result<String, Reason>, LoadError> {
        probe::run(&self.probe, &stored.path, self.time_limit).map_err(|source| LoadError::Probe {
            program: self.probe.clone(),
            file: origin.to_owned(),
            source,
        })
    }

    /// The components, if this version of the loader has tried the file before.
    fn remembered(&self, stored: &Stored) -> Option<String> {
        let bytes = std::fs::read(self.verdict_path(stored)).ok()?;
        let verdict: Verdict = serde_json::from_slice(&bytes).ok()?;
        let ours = verdict.loader == env!("CARGO_PKG_VERSION") && verdict.abi == nshot_abi::VERSION;
        // A verdict that cannot be read is made again.
        (ours && Components::parse(&verdict.components).is_ok()).then_some(verdict.components)
    }

    fn remember(&self, stored: &Stored, components: String) -> Result<(), LoadError> {
        let loader = env!("CARGO_PKG_VERSION").to_owned();
        let verdict = Verdict { loader, abi: nshot_abi::VERSION, components };
        let text = serde_json::to_string(&verdict).unwrap_or_default();
        Ok(write_whole(&self.verdict_path(stored), text.as_bytes(), 0o644)?)
    }

    fn verdict_path(&self, stored: &Stored) -> PathBuf {
        self.store.slot(&stored.sha256).join("verdict.json")
    }

    fn open(&self, file: PluginFile) -> Result<Arc<Plugin>, LoadError> {
        // Held while it loads: two threads may ask for one file.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&file.sha256) {
            return Ok(Arc::clone(plugin));
        }
        let refuse = |reason: Reason| reason.of(file.origin.to_string_lossy());
        let root = library::open(&file.path, &file.metadata.root).map_err(refuse)?;
        library::attach(root, (self.services)()).map_err(refuse)?;
        let plugin = Arc::new(Plugin { file, root });
        loaded.insert(plugin.file.sha256, Arc::clone(&plugin));
        Ok(plugin)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

/// Reads a regular file; a few bytes more than the gate accepts are enough for it to refuse.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // A pipe would be waited for.
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(gate::SIZE_LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
