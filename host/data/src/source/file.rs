//! Reading whole files, with the hash that the run's lock records.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A data file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path; `embedded:NAME` for one in the program itself.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl FileRecord {
    pub(crate) fn of(path: impl Into<PathBuf>, content: &[u8]) -> Self {
        use std::fmt::Write;
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(content) {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Self { path: path.into(), sha256, bytes: content.len() as u64 }
    }
}

/// The bytes of `path`, noted in `files`.
pub(crate) fn read(path: &Path, files: &mut Vec<FileRecord>) -> Result<Vec<u8>> {
    let content =
        std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    files.push(FileRecord::of(path, &content));
    Ok(content)
}

/// Unpacks gzip, at most `limit` bytes, so that a small hostile file cannot fill the memory.
pub(crate) fn unpack(path: &Path, content: &[u8], limit: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(content).take(limit).read_to_end(&mut unpacked).map_err(|error| {
        let size = format!("{} bytes, {} unpacked", content.len(), unpacked.len());
        Error::content(path, format!("is cut short or no gzip file ({size}): {error}"))
    })?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        let record = FileRecord::of("abc", b"abc");
        assert_eq!(record.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(record.bytes, 3);
    }

    #[test]
    fn an_absent_file_is_named() {
        let message = read(Path::new("/nowhere/at-all"), &mut Vec::new()).unwrap_err().to_string();
        assert!(message.starts_with("cannot read `/nowhere/at-all`: "), "{message}");
    }
}
