//! Files that are there whole or not at all, also after a power cut.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nshot_loader::Hash;

use crate::failure::{Failure, Result};

/// Writes a file: beside its place, synced, renamed, and the folder synced. A link is followed, and what is no file, such
/// as a pipe, is written into.
///
/// # Errors
/// It cannot be written; what was there before stands.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    let found = std::fs::metadata(path);
    if found.as_ref().is_ok_and(|found| !found.is_file()) {
        return File::options().write(true).open(path).and_then(|mut it| it.write_all(bytes)).map_err(failed);
    }
    let followed = found.and_then(|_| path.canonicalize());
    let path = followed.as_deref().unwrap_or(path);
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| match error.kind() {
            // The text of this error has the name of the file beside, which nobody knows.
            std::io::ErrorKind::NotFound => {
                let text =
                    format!("cannot write `{}`: there is no folder `{}`", path.display(), folder.display());
                Failure::new(text)
            }
            _ => failed(error),
        })?;
    beside.write_all(bytes).map_err(failed)?;
    beside.as_file().sync_all().map_err(failed)?;
    beside.persist(path).map_err(|error| failed(error.error))?;
    sync_folder(folder)
}

/// Makes the names in a folder last.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::file("sync the folder", folder, &error))
}

/// What a file holds; nothing if there is none.
///
/// # Errors
/// It is there and cannot be read.
pub fn read_or_empty(path: &Path) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| Failure::file("read", path, &error)),
    }
}

/// The hash of a file.
///
/// # Errors
/// It cannot be read.
pub fn hash_of(path: &Path) -> Result<Hash> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(Hash::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let absent = folder.path().join("no/a.json");
        let said = write_atomically(&absent, b"").unwrap_err().message;
        assert!(said.starts_with(&format!("cannot write `{}`", absent.display())), "{said}");
    }
}
