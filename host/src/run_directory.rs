//! The folder of one run: what it was made of, what it measured, where it stands.
//!
//! | file | holds | compared |
//! |---|---|---|
//! | `manifest.toml` | the manifest, resolved | |
//! | `lock.json` | plugin and data files by hash, versions, machine: [`Lock`] | |
//! | `metrics.jsonl` | a line for each logged step: [`Journal`] | byte for byte |
//! | `timing.jsonl` | what differs from run to run: [`Journal`] | |
//! | `status.json` | where the run stands: [`Status`] | |
//! | `log.txt` | texts with their time: [`Log`] | |
//! | `checkpoints/` | what the run goes on from: the newest, and the best ranked | |
//! | `supernets/` | each trained stage's weights | byte for byte |
//! | `scores.csv`, `scores/` | the final ranking, and those during training | byte for byte |
//! | `report.json` | what was printed at the end | |
//!
//! A run directory appears whole or not at all: it is filled beside its place and renamed. One process at a time
//! writes in it; the system releases a dead process's hold.

mod files;
mod journal;
mod lock;
mod log;
mod status;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::progress::say;

pub use files::{hash_of, read_or_empty, sync_folder, write_atomically};
pub use journal::Journal;
pub use lock::{Lock, LockedComponent, LockedPackage, Machine};
pub use log::{Log, record};
pub use status::{Best, State, Status};

/// The file whose hold says that a process writes in the directory.
const HOLD: &str = ".hold";
/// The resolved manifest.
pub const MANIFEST: &str = "manifest.toml";
/// The lock.
pub const LOCK: &str = "lock.json";
/// So many looks of others at a directory are waited for.
const GLANCES: usize = 5;
/// A manifest and a lock that are to take the place of those that are there.
const REMADE: &str = "remade.json";
/// The deterministic figures.
pub const METRICS: &str = "metrics.jsonl";
/// The figures that are not.
pub const TIMING: &str = "timing.jsonl";
/// Where the run stands.
pub const STATUS: &str = "status.json";
/// The folder of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The folder of trained supernets.
pub const SUPERNETS: &str = "supernets";
/// The folder of rankings during training.
pub const SCORES: &str = "scores";
/// The folder of searches.
pub const SEARCHES: &str = "search";
/// The folder of rankings that were asked for later.
pub const RANKINGS: &str = "rankings";
/// The texts.
pub const LOG: &str = "log.txt";

/// A run directory that this process alone writes in.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Open as long as the directory is held.
    _hold: File,
}

impl RunDirectory {
    /// Makes a run directory with the resolved manifest and the lock in it.
    ///
    /// # Errors
    /// It exists and is not empty, or cannot be written.
    pub fn create(path: &Path, manifest: &str, lock: &Lock) -> Result<Self> {
        Self::check_absent(path)?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(|error| Failure::file("make the folder", parent, &error))?;
        let beside = tempfile::Builder::new().prefix(".new-run-").tempdir_in(parent);
        let beside = beside.map_err(|error| Failure::file("make a folder in", parent, &error))?;
        open_to_all(beside.path());
        let hold = hold(beside.path())?;
        write_atomically(&beside.path().join(MANIFEST), manifest.as_bytes())?;
        write_atomically(&beside.path().join(LOCK), &lock.of_manifest(manifest).to_json()?)?;
        std::fs::rename(beside.path(), path).map_err(|error| match error.kind() {
            std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => exists(path),
            _ => Failure::file("make the run directory", path, &error),
        })?;
        // It has its name; nothing is left to remove.
        let _ = beside.keep();
        sync_folder(parent)?;
        let run = Self { path: path.to_owned(), _hold: hold };
        run.begin_log("begins")?;
        Ok(run)
    }

    /// Refuses a path that is taken, so that this is known before anything is computed.
    ///
    /// # Errors
    /// The path is a folder that is not empty, or no folder.
    pub fn check_absent(path: &Path) -> Result<()> {
        match std::fs::read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(Failure::new(format!(
                "the run directory `{}` cannot be made: a file is there",
                path.display()
            ))),
            Err(error) => Err(Failure::file("read the folder", path, &error)),
            Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(exists(path))),
        }
    }

    /// Opens the directory of an earlier run to go on with it.
    ///
    /// # Errors
    /// It is no run directory, or another process writes in it.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Err(Failure::usage(format!("there is no run directory `{}`", path.display()))
                .hint("`nshot runs list` shows those that there are"));
        }
        if !is_run(path) {
            let wrong = format!("`{}` is no run directory: it has no `{MANIFEST}`", path.display());
            return Err(Failure::usage(wrong));
        }
        let run = Self { path: path.to_owned(), _hold: hold(path)? };
        if !is_writable(path) {
            return Ok(run);
        }
        run.remove_leftovers()?;
        run.finish_remaking()?;
        run.begin_log("goes on")?;
        Ok(run)
    }

    /// Removes what a killed process had half written: it has names of its own until it is whole.
    fn remove_leftovers(&self) -> Result<()> {
        let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let of_names =
            [SEARCHES, RANKINGS].map(|folder| entries(self.join(folder)).map(|entry| entry.path()));
        let folders = ["", CHECKPOINTS, SUPERNETS, SCORES].map(|folder| self.join(folder));
        for folder in folders.into_iter().chain(of_names.into_iter().flatten()) {
            for entry in entries(folder) {
                let (name, path) = (entry.file_name(), entry.path());
                let name = name.as_encoded_bytes();
                // `.tmp` is how the writer of safetensors names a file that is not whole.
                let begins = [&b".new-"[..], b".tmp"].iter().any(|start| name.starts_with(start));
                if !begins && !name.ends_with(b".partial") {
                    continue;
                }
                let remove = if path.is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
                let removed = remove(&path);
                removed.map_err(|error| Failure::file("remove", &path, &error))?;
            }
        }
        Ok(())
    }

    fn begin_log(&self, how: &str) -> Result<()> {
        let log = Log::open(&self.join(LOG))?;
        log.write("info", &format!("nshot {} {how}", env!("CARGO_PKG_VERSION")));
        log.make_current();
        Ok(())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in it, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written; what was there stands.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomically(&self.join(name), bytes)
    }

    /// What the run was made of.
    ///
    /// # Errors
    /// `lock.json` cannot be read.
    pub fn lock(&self) -> Result<Lock> {
        Lock::read(&self.join(LOCK))
    }

    /// Says so if the manifest is not the one that the lock was written with.
    ///
    /// # Errors
    /// The manifest cannot be read.
    pub fn warn_of_other_manifest(&self, lock: &Lock) -> Result<()> {
        let path = self.join(MANIFEST);
        let found = hash_of(&path)?.to_string();
        if lock.manifest.as_ref().is_some_and(|expected| *expected != found) {
            let text = format!(
                "`{}` was changed since the run began: what comes now is not of the settings that the run had",
                path.display()
            );
            say(&format!("warning: {text}"));
            record("warn", &text);
        }
        Ok(())
    }

    /// Makes the run of another manifest and lock: of both, or, if the process is killed on the way, of both as soon as the
    /// directory is opened again.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn remake(&self, manifest: &str, lock: &Lock) -> Result<()> {
        let both = (manifest, String::from_utf8_lossy(&lock.of_manifest(manifest).to_json()?).into_owned());
        self.write(REMADE, &serde_json::to_vec(&both)?)?;
        self.finish_remaking()
    }

    fn finish_remaking(&self) -> Result<()> {
        let path = self.join(REMADE);
        let Ok(bytes) = std::fs::read(&path) else { return Ok(()) };
        let (manifest, lock): (String, String) = serde_json::from_slice(&bytes)?;
        self.write(MANIFEST, manifest.as_bytes())?;
        self.write(LOCK, lock.as_bytes())?;
        std::fs::remove_file(&path).map_err(|error| Failure::file("remove", &path, &error))
    }

    /// Whether it still is what was opened.
    ///
    /// # Errors
    /// It was removed.
    pub fn check_there(&self) -> Result<()> {
        if is_run(&self.path) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Failure::new(format!("the run directory `{path}` was removed while the run was at work")))
    }

    /// Says where the run stands.
    ///
    /// # Errors
    /// `status.json` cannot be written, or the directory was removed.
    pub fn write_status(&self, status: &Status) -> Result<()> {
        self.check_there()?;
        status.write(&self.join(STATUS))
    }
}

/// Whether a folder is a run directory.
pub fn is_run(path: &Path) -> bool {
    path.join(MANIFEST).is_file()
}

/// Whether this user may write in a folder.
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether a process writes in a run directory at this moment.
pub fn is_held(path: &Path) -> bool {
    let file = File::open(path.join(HOLD));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn hold(folder: &Path) -> Result<File> {
    let path = folder.join(HOLD);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    // Of another user's run: it is held for reading alone.
    let file = file.or_else(|error| File::open(&path).map_err(|_| error));
    let file = file.map_err(|error| Failure::file("write", &path, &error))?;
    let mut tried = file.try_lock();
    for _ in 0..GLANCES {
        if !matches!(tried, Err(TryLockError::WouldBlock)) {
            break;
        }
        // Whoever only asks whether it is held holds it for a moment.
        std::thread::sleep(Duration::from_millis(20));
        tried = file.try_lock();
    }
    match tried {
        Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
            "another process is working in the run directory `{}`",
            folder.display()
        ))
        .hint("wait for it, or stop it with Ctrl-C")),
        // A file system without locks: better a run without a guard than none.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
    }
}

fn exists(path: &Path) -> Failure {
    let path = path.display();
    Failure::new(format!("the run directory `{path}` exists and is not empty")).hint(format!(
        "to go on with that run: `nshot resume {path}`; for another one: `--directory DIR`, or remove it"
    ))
}

/// A temporary folder is its maker's alone; what it becomes is as open as any folder.
pub(crate) fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    // What the user's mask allows is not to be had without changing it: 755 is what it usually leaves.
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(path: &Path) -> Result<RunDirectory> {
        RunDirectory::create(path, "[run]\n", &Lock::default())
    }

    #[test]
    fn a_run_directory_is_made_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/a");
        let run = create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(run.join(MANIFEST)).unwrap(), "[run]\n");
        assert_eq!(run.lock().unwrap(), Lock::default().of_manifest("[run]\n"));
        let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(entries, 1, "nothing is left beside it");
        let empty = folder.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        create(&empty).unwrap();
    }

    #[test]
    fn an_existing_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        drop(create(&path).unwrap());
        let shown = path.display();
        assert_eq!(
            create(&path).unwrap_err().to_string(),
            format!(
                "the run directory `{shown}` exists and is not empty\n\nhint: to go on with that run: \
                 `nshot resume {shown}`; for another one: `--directory DIR`, or remove it"
            )
        );
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(create(&file).unwrap_err().message.ends_with("a file is there"));
    }

    #[test]
    fn one_process_at_a_time_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let run = create(&path).unwrap();
        assert!(is_held(&path));
        let refused = RunDirectory::open(&path).unwrap_err();
        assert!(refused.message.starts_with("another process is working in the run directory"));
        drop(run);
        assert!(!is_held(&path));
        std::fs::create_dir_all(path.join("checkpoints/.0000-0000000001.partial")).unwrap();
        std::fs::write(path.join(".new-x"), "").unwrap();
        std::fs::write(path.join("checkpoints/.tmpx"), "").unwrap();
        assert_eq!(RunDirectory::open(&path).unwrap().path(), path);
        assert_eq!(std::fs::read_dir(path.join("checkpoints")).unwrap().count(), 0);
        assert!(!path.join(".new-x").exists());
        assert!(RunDirectory::open(folder.path()).unwrap_err().message.contains("is no run directory"));
        assert!(
            RunDirectory::open(&path.join("b")).unwrap_err().message.contains("there is no run directory")
        );
    }
}
