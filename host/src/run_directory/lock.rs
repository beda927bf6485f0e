//! What a run was made of. With the manifest it says all that shapes the numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nshot_data::FileRecord;
use nshot_loader::{Hash, PluginFile};
use nshot_package::Record;
use serde::{Deserialize, Serialize};

use super::write_atomically;
use crate::failure::{Failure, Result};

/// The format of `lock.json` that this program writes and reads.
const FORMAT: u32 = 1;

/// `lock.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Format of the file.
    pub format: u32,
    /// Version of nshot.
    pub nshot: String,
    /// Version of the plugin ABI: major, minor.
    pub abi: (u32, u32),
    /// The machine and what computed on it.
    pub machine: Machine,
    /// The component behind each of the manifest's tables, by the table's name.
    pub components: BTreeMap<String, LockedComponent>,
    /// The files that were read: data, initial weights, the list of subnets to rank.
    pub data: Vec<FileRecord>,
    /// SHA-256 of the run directory's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// The machine and what computed on it. On another one, numbers may differ in the last bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Version of libtorch.
    pub libtorch: String,
    /// The instruction set of libtorch's CPU kernels.
    pub cpu_capability: String,
    /// The compiler of nshot.
    pub rustc: String,
    /// The processor.
    pub cpu: String,
    /// Threads of an operation.
    pub threads: usize,
    /// The device that `auto` stood for.
    pub device: String,
}

/// A component and the plugin file that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedComponent {
    /// The component's name.
    pub component: String,
    /// SHA-256 of the plugin file: its name in the plugin store.
    pub sha256: String,
    /// The plugin's name.
    pub plugin: String,
    /// The group that it comes from.
    pub group: String,
    /// Its version.
    pub version: String,
    /// The SDK that it was built with.
    pub sdk: String,
    /// The ABI that it was built for: major, minor.
    pub abi: (u32, u32),
    /// The compiler that built it.
    pub rustc: String,
    /// Where it was found.
    pub origin: PathBuf,
    /// The package that it was installed from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<LockedPackage>,
}

impl LockedComponent {
    /// `group/plugin:component`: the same in every version, which has the same settings and state.
    pub fn full_name(&self) -> String {
        format!("{}/{}:{}", self.group, self.plugin, self.component)
    }
}

/// Where a plugin can be had again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedPackage {
    /// SHA-256 of the package.
    pub sha256: String,
    /// File, address or reference, without a digest.
    pub origin: String,
    /// Digest of the registry's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The public key that signed it; none if it was installed unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            format: FORMAT,
            nshot: env!("CARGO_PKG_VERSION").to_owned(),
            abi: nshot_abi::VERSION,
            machine: Machine::default(),
            components: BTreeMap::new(),
            data: Vec::new(),
            manifest: None,
        }
    }
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// The file cannot be read, or is no lock of this format.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        let wrong = |what: &str| Failure::new(format!("`{}` is no lock of a run: {what}", path.display()));
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(wrong(&format!("it has the format {format}, expected {FORMAT}"))),
            None => return Err(wrong("it has no `format`")),
        }
        serde_json::from_value(value).map_err(|error| wrong(&error.to_string()))
    }

    /// The lock beside a manifest.
    pub(super) fn of_manifest(&self, manifest: &str) -> Self {
        Self { manifest: Some(Hash::of(manifest.as_bytes()).to_string()), ..self.clone() }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_json()?)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Compares the contents of the data files with those of another lock; they may lie elsewhere.
    ///
    /// # Errors
    /// One of the two has a file that the other has not.
    pub fn compare_contents(&self, now: &Self) -> Result<()> {
        Self::hold_contents(std::slice::from_ref(self), now)?;
        if let Some(file) = self.data.iter().find(|file| !now.has_content(file)) {
            let (path, sha256) = (file.path.display(), &file.sha256);
            let text =
                format!("the lock names the file `{path}` with the SHA-256 {sha256}, which is not used here");
            return Err(Failure::new(text).hint("the lock belongs to other data"));
        }
        Ok(())
    }

    /// Sees that some locks have the content of each data file of another; they may have more.
    ///
    /// # Errors
    /// They lack one.
    pub fn hold_contents(locks: &[Self], now: &Self) -> Result<()> {
        let lacks = |file: &&FileRecord| !locks.iter().any(|lock| lock.has_content(file));
        let Some(file) = now.data.iter().find(lacks) else { return Ok(()) };
        let (path, sha256) = (file.path.display(), &file.sha256);
        let text = format!("the lock has no file with the content of `{path}`, whose SHA-256 is {sha256}");
        Err(Failure::new(text).hint("the lock belongs to other data"))
    }

    /// Sees that the run in a directory, whose lock this is, was made of the same components as others, such as `the lock`.
    ///
    /// # Errors
    /// One is of another file.
    pub fn compare_plugins(
        &self,
        directory: &Path,
        pins: &BTreeMap<String, LockedComponent>,
        others: &str,
    ) -> Result<()> {
        for (table, pin) in pins {
            let Some(mine) = self.components.get(table).filter(|mine| !mine.is_same(pin)) else { continue };
            let text = format!(
                "the run in `{}` has as its `[{table}]` `{}` of {} with the SHA-256 {}; {others} `{}` of {} with {}",
                directory.display(),
                mine.component,
                mine.title(),
                mine.sha256,
                pin.component,
                pin.title(),
                pin.sha256
            );
            return Err(Failure::new(text).hint("give another `--directory`, or remove that run"));
        }
        Ok(())
    }

    fn has_content(&self, file: &FileRecord) -> bool {
        self.data.iter().any(|other| other.sha256 == file.sha256)
    }

    /// The plugin file behind one of the manifest's tables.
    ///
    /// # Errors
    /// The lock does not have it, or its hash is none.
    pub fn plugin(&self, table: &str) -> Result<Hash> {
        let locked = self.components.get(table);
        let locked =
            locked.ok_or_else(|| Failure::new(format!("the run's lock has no plugin for `[{table}]`")))?;
        Ok(locked.sha256.parse::<Hash>()?)
    }
}

impl LockedComponent {
    /// A component of a plugin file.
    pub fn new(component: &str, file: &PluginFile, package: Option<LockedPackage>) -> Self {
        let metadata = file.metadata.clone();
        Self {
            component: component.to_owned(),
            sha256: file.sha256.to_string(),
            plugin: metadata.plugin,
            group: metadata.group,
            version: metadata.version,
            sdk: metadata.sdk,
            abi: metadata.abi,
            rustc: metadata.rustc,
            origin: file.origin.clone(),
            package,
        }
    }

    /// Whether it is the same component of the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.sha256, &self.component) == (&other.sha256, &other.component)
    }

    /// `group/plugin 1.2.3`, for messages.
    pub fn title(&self) -> String {
        format!("`{}/{}` {}", self.group, self.plugin, self.version)
    }
}

impl From<&Record> for LockedPackage {
    fn from(record: &Record) -> Self {
        let Record { sha256, origin, digest, key } = record.clone();
        Self { sha256, origin, digest, key }
    }
}

impl Machine {
    /// This machine, with the libtorch, the threads and the device that compute.
    pub fn this(versions: &nshot_torch::Versions, device: &str) -> Self {
        Self {
            libtorch: versions.libtorch.clone(),
            cpu_capability: versions.cpu_capability.clone(),
            // The build script tells it.
            rustc: option_env!("NSHOT_RUSTC").unwrap_or("unknown").to_owned(),
            cpu: cpu_model(),
            threads: versions.threads,
            device: device.to_owned(),
        }
    }
}

/// The processor's name, or its architecture where the system does not say it.
fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_survives_writing_and_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock.json");
        let mut lock = Lock::default();
        let component = LockedComponent {
            component: "spos".to_owned(),
            sha256: "0f".repeat(32),
            plugin: "spos".to_owned(),
            group: "nshot".to_owned(),
            version: "0.1.0".to_owned(),
            sdk: "0.1.0".to_owned(),
            abi: (1, 0),
            rustc: "rustc 1.95.0".to_owned(),
            origin: "libx.so".into(),
            package: None,
        };
        lock.components.insert("sampler".to_owned(), component);
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(lock.plugin("sampler").unwrap().to_string(), "0f".repeat(32));
        assert_eq!(lock.plugin("space").unwrap_err().message, "the run's lock has no plugin for `[space]`");
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock.json");
        for (text, said) in [
            ("", "EOF while parsing"),
            ("{}", "it has no `format`"),
            ("{\"format\": 2}", "it has the format 2, expected 1"),
            ("{\"format\": 1}", "missing field"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = Lock::read(&path).unwrap_err().message;
            assert!(message.contains(said), "{message}");
        }
        assert!(!cpu_model().is_empty());
    }
}
