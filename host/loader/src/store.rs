//! The content-addressed store of plugin files: what was checked is what is loaded, and a run can go on with
//! its plugin after the plugin was rebuilt.
//!
//! ```text
//! store/<sha256>/libnshot_plugin_spos.so    the file, read-only
//! store/<sha256>/verdict.json               what the probe found: see `probe`
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::hash::Hash;

/// A folder of plugin files, each under its hash.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// A plugin file in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The file, as an absolute path without links.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: Hash,
}

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot {action} `{}` in the plugin store: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A stored file is not what it was.
    #[error(
        "the stored plugin file `{}` is damaged: its SHA-256 is {found}, expected {expected}\n\nhint: load the plugin from its original file, which repairs the store",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The hash of what is there.
        found: Hash,
        /// The hash that it is stored under.
        expected: Hash,
    },
}

impl Store {
    /// Opens a store, making the folder if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(failed("make the folder", &folder))?;
        // A bare or relative path would be searched for elsewhere when it is loaded.
        let folder = folder.canonicalize().map_err(failed("find", &folder))?;
        Ok(Self { folder })
    }

    /// The folder, as an absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps these bytes, unless they are there already; a damaged copy is replaced. The first file name under
    /// which a content was added stays.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn add(&self, bytes: &[u8], file_name: &str) -> Result<Stored, StoreError> {
        let sha256 = Hash::of(bytes);
        let path = match self.find(&sha256) {
            Ok(Some(stored)) => return Ok(stored),
            Ok(None) => self.slot(&sha256).join(safe_name(file_name)),
            Err(StoreError::Damaged { path, .. }) => path,
            Err(error) => return Err(error),
        };
        let slot = self.slot(&sha256);
        fs::create_dir_all(&slot).map_err(failed("make the folder", &slot))?;
        write_whole(&path, bytes, 0o444)?;
        Ok(Stored { path, sha256 })
    }

    /// Looks for the file with this hash, and checks that it still has it.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn find(&self, sha256: &Hash) -> Result<Option<Stored>, StoreError> {
        Ok(self.read(sha256)?.map(|(stored, _)| stored))
    }

    /// The same, with the bytes.
    pub(crate) fn read(&self, sha256: &Hash) -> Result<Option<(Stored, Vec<u8>)>, StoreError> {
        let Some(path) = self.library(sha256)? else { return Ok(None) };
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let found = Hash::of(&bytes);
        if found != *sha256 {
            return Err(StoreError::Damaged { path, found, expected: *sha256 });
        }
        Ok(Some((Stored { path, sha256: *sha256 }, bytes)))
    }

    /// The hashes of all stored files, in order.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn hashes(&self) -> Result<Vec<Hash>, StoreError> {
        let entries = fs::read_dir(&self.folder).map_err(failed("read the folder", &self.folder))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut hashes: Vec<Hash> = names.filter_map(|name| name.parse().ok()).collect();
        hashes.sort_unstable();
        Ok(hashes)
    }

    /// The folder of one file.
    pub(crate) fn slot(&self, sha256: &Hash) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    /// The first `.so` of a slot: two processes may have added the same bytes under two names.
    fn library(&self, sha256: &Hash) -> Result<Option<PathBuf>, StoreError> {
        let slot = self.slot(sha256);
        let entries = match fs::read_dir(&slot) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed("read the folder", &slot)(e)),
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(paths.filter(|path| path.extension().is_some_and(|x| x == "so")).min())
    }
}

/// Writes a file beside its place, syncs it and renames it: it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::File { action, path: path.to_owned(), source }
}

/// A file name without folders and odd characters that ends in `.so`.
fn safe_name(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".so").unwrap_or(name);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let stem: String = stem.chars().take(100).map(safe).collect();
    let stem = stem.trim_start_matches('.');
    format!("{}.so", if stem.is_empty() { "plugin" } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("a/store")).unwrap();
        (folder, store)
    }

    #[test]
    fn what_is_added_is_found_read_only() {
        let (_folder, store) = store();
        let hash = Hash::of(b"bytes");
        assert_eq!(store.find(&hash).unwrap(), None);
        let stored = store.add(b"bytes", "libx.so").unwrap();
        assert_eq!(stored.path, store.folder().join(hash.to_string()).join("libx.so"));
        assert_eq!(store.add(b"bytes", "liby.so").unwrap(), stored);
        assert_eq!(store.find(&hash).unwrap(), Some(stored.clone()));
        assert_eq!(fs::metadata(&stored.path).unwrap().permissions().mode() & 0o777, 0o444);
        assert_eq!(store.hashes().unwrap(), [hash]);
    }

    #[test]
    fn a_damaged_file_is_named_and_replaced() {
        let (_folder, store) = store();
        let stored = store.add(b"bytes", "libx.so").unwrap();
        fs::remove_file(&stored.path).unwrap();
        fs::write(&stored.path, b"bytez").unwrap();
        let error = store.find(&stored.sha256).unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains("hint: "), "{error}");
        assert_eq!(store.add(b"bytes", "other.so").unwrap(), stored);
        assert_eq!(fs::read(&stored.path).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(store.slot(&stored.sha256)).unwrap().count(), 1);
    }

    #[test]
    fn many_can_add_at_once() {
        let (_folder, store) = store();
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (store, bytes) = (&store, &bytes);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let stored = store.add(bytes, &format!("lib{}.so", thread % 2)).unwrap();
                        assert_eq!(fs::read(stored.path).unwrap(), *bytes);
                    }
                });
            }
        });
        assert!(store.find(&Hash::of(&bytes)).unwrap().is_some());
    }

    #[test]
    fn names_are_made_safe() {
        for (name, safe) in [
            ("libx.so", "libx.so"),
            ("a/../b c.so", "b_c.so"),
            ("..", "plugin.so"),
            ("", "plugin.so"),
            ("x.so.1", "x.so.1.so"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
        assert_eq!(safe_name(&"é".repeat(500)).len(), 103);
    }
}
