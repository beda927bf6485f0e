//! The trained supernets of a run directory, one for each stage, with their hashes.

use std::path::{Path, PathBuf};

use nshot_torch::ParameterStore;

use crate::failure::{Failure, Result};
use crate::run_directory::{SUPERNETS, hash_of, read_or_empty, sync_folder, write_atomically};

/// The hashes, as `sha256sum` writes and checks them.
const SUMS: &str = "SHA256SUMS";

/// Where a trained stage's supernet lies in a run directory.
pub fn weights_path(run_directory: &Path, stage: &str) -> PathBuf {
    run_directory.join(SUPERNETS).join(format!("{stage}.safetensors"))
}

/// Keeps a trained supernet, whole or not at all.
pub(super) fn keep(store: &ParameterStore, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    // Written beside, synced and renamed.
    store.save(path)?;
    let (name, hash) = (name(path), hash_of(path)?);
    let sums = read_or_empty(&folder.join(SUMS))?;
    let sums = String::from_utf8_lossy(&sums);
    let mut lines: Vec<&str> = sums.lines().filter(|line| of(line).1 != name).collect();
    let line = format!("{hash}  {name}");
    lines.push(&line);
    write_atomically(&folder.join(SUMS), (lines.join("\n") + "\n").as_bytes())?;
    sync_folder(folder)
}

/// Refuses a supernet that is not the one that was kept. One without a hash beside it is taken as it is.
///
/// # Errors
/// It was changed or cannot be read.
pub(crate) fn check(path: &Path) -> Result<()> {
    let sums = read_or_empty(&path.with_file_name(SUMS))?;
    let (name, sums) = (name(path), String::from_utf8_lossy(&sums));
    let Some((expected, _)) = sums.lines().map(of).find(|(_, file)| *file == name) else { return Ok(()) };
    if hash_of(path)?.to_string() == expected {
        return Ok(());
    }
    let text = format!("`{}` is damaged: its SHA-256 is not the one in `{SUMS}` beside it", path.display());
    Err(Failure::new(text)
        .hint("remove that file; `nshot resume` makes a run's last supernet again from its checkpoint"))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The hash of a line, and the file.
fn of(line: &str) -> (&str, &str) {
    line.split_once("  ").unwrap_or((line, ""))
}
