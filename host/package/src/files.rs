//! The source of a plugin, from its folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::archive::FILES_LIMIT;
use crate::error::Error;

/// Reads the files of a crate that belong in a package: all but hidden ones, `target`, its own `runs`, and packages.
/// The names are relative to `folder`, with `/`.
///
/// # Errors
/// A file cannot be read, is a link, has a name that is no text, or they are too many.
pub fn source_tree(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&path).map_err(Error::file("read the folder", &path))? {
            let entry = entry.map_err(Error::file("read the folder", &path))?;
            let path = entry.path();
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| pack(format!("the name of `{}` is no text", path.display())))?;
            let is_package = [".nshot", ".minisig"].iter().any(|extension| name.ends_with(extension));
            let is_made = name == "target" || prefix.is_empty() && name == "runs";
            if name.starts_with('.') || is_made || is_package {
                continue;
            }
            let kind = entry.file_type().map_err(Error::file("look at", &path))?;
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                waiting.push((path, name + "/"));
            } else if kind.is_file() {
                let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
                files.insert(name, bytes);
            } else {
                return Err(pack(format!(
                    "`{}` is a link or device; expected regular files only",
                    path.display()
                )));
            }
            if files.len() > FILES_LIMIT {
                return Err(pack(format!("`{}` has more than {FILES_LIMIT} files", folder.display())));
            }
        }
    }
    Ok(files)
}

fn pack(text: String) -> Error {
    Error::Pack(text)
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let read = || {
        let kind = fs::metadata(path)?.file_type();
        if kind.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        // A pipe would be waited for.
        if !kind.is_file() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            let text = format!("it has more than {limit} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text));
        }
        Ok(bytes)
    };
    read().map_err(Error::file("read", path))
}

/// Held while files are changed that several processes may change.
pub(crate) struct Lock {
    _file: fs::File,
}

impl Lock {
    /// Waits for the lock; it ends with the value.
    pub(crate) fn take(path: &Path) -> Result<Self, Error> {
        let open = || {
            let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.lock()?;
            Ok(file)
        };
        open().map(|file| Self { _file: file }).map_err(Error::file("lock", path))
    }
}
