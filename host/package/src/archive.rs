//! Tar in zstd, in one form: sorted names, no owner, a fixed time. The reader takes that form alone, so there is
//! nothing in an archive that two programs could read in two ways.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use tar::{EntryType, Header};

use crate::SIZE_LIMIT;
use crate::error::Problem;
use crate::text::clean;

/// The files of an archive, by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

const LEVEL: i32 = 19;
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Base 2 logarithm of the most memory that a reader needs, in bytes.
const WINDOW_LOG: u32 = 27;
/// 2000-01-01; some programs complain of zero.
const TIME: u64 = 946_684_800;
const BLOCK: usize = 512;
const END: usize = 2 * BLOCK;

/// The most files.
pub(crate) const FILES_LIMIT: usize = 4096;
/// The most that an archive unpacks to, in bytes.
const TOTAL_LIMIT: u64 = 512 << 20;
/// The most that comes out of one byte, past what is always allowed.
const RATIO_LIMIT: u64 = 100;
const ALWAYS_ALLOWED: u64 = 16 << 20;
const NAME_LIMIT: usize = 200;
const DEPTH_LIMIT: usize = 16;

/// Writes the files. The same files give the same bytes.
pub(crate) fn write(files: &Files) -> Result<Vec<u8>, Problem> {
    let tar = write_tar(files)?;
    let bytes = encode(&tar, LEVEL)?;
    // What is written can be read again.
    check_size("the file", bytes.len() as u64, SIZE_LIMIT)?;
    let allowed = allowed(bytes.len() as u64);
    if tar.len() as u64 > allowed {
        return Err(Problem::Expands { found: bytes.len() as u64, limit: allowed });
    }
    Ok(bytes)
}

/// Compresses at a level of zstd's.
pub(crate) fn encode(tar: &[u8], level: i32) -> Result<Vec<u8>, Problem> {
    let damaged = |e: std::io::Error| Problem::Damaged(e.to_string());
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).map_err(damaged)?;
    encoder.include_checksum(true).map_err(damaged)?;
    encoder.set_pledged_src_size(Some(tar.len() as u64)).map_err(damaged)?;
    encoder.write_all(tar).map_err(damaged)?;
    encoder.finish().map_err(damaged)
}

pub(crate) fn write_tar(files: &Files) -> Result<Vec<u8>, Problem> {
    if files.len() > FILES_LIMIT {
        return Err(Problem::TooMany { limit: FILES_LIMIT });
    }
    let total = files.values().map(|bytes| bytes.len() as u64).sum();
    check_size("its content", total, TOTAL_LIMIT)?;
    let mut tar = Vec::new();
    for (name, bytes) in files {
        check_name(name)?;
        tar.extend(header(name, bytes.len())?.as_bytes());
        tar.extend(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + END, 0);
    Ok(tar)
}

/// Reads an archive, all of it or nothing.
pub(crate) fn read(bytes: &[u8]) -> Result<Files, Problem> {
    check_size("the file", bytes.len() as u64, SIZE_LIMIT)?;
    read_tar(&decompress(bytes)?)
}

fn allowed(compressed: u64) -> u64 {
    TOTAL_LIMIT.min(ALWAYS_ALLOWED + compressed.saturating_mul(RATIO_LIMIT))
}

pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let damaged = |e: std::io::Error| Problem::Damaged(clean(&e.to_string(), 200));
    if !bytes.starts_with(&MAGIC) {
        let found = if bytes.is_empty() { "an empty file" } else { "other bytes" };
        return Err(Problem::NotAPackage { found: found.to_owned() });
    }
    // A bit of the header that decoders pass over.
    if bytes.get(MAGIC.len()).is_some_and(|descriptor| descriptor & 0x10 != 0) {
        return Err(Problem::Form { what: "a header".to_owned() });
    }
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
    let mut decoder = decoder.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(damaged)?;
    let limit = allowed(bytes.len() as u64);
    let mut tar = Vec::new();
    decoder.by_ref().take(limit + 1).read_to_end(&mut tar).map_err(damaged)?;
    if tar.len() as u64 > limit {
        return Err(Problem::Expands { found: bytes.len() as u64, limit });
    }
    if decoder.finish().is_empty() {
        Ok(tar)
    } else {
        Err(Problem::Form { what: "bytes after its end".to_owned() })
    }
}

fn read_tar(tar: &[u8]) -> Result<Files, Problem> {
    let mut files = Files::new();
    let mut rest = tar;
    loop {
        let (block, after) = split(rest, BLOCK)?;
        if block.iter().all(|&byte| byte == 0) {
            let ends = after.len() == END - BLOCK && after.iter().all(|&byte| byte == 0);
            return if ends { Ok(files) } else { Err(Problem::Form { what: "an end".to_owned() }) };
        }
        let (name, size) = read_header(block)?;
        if let Some((before, _)) = files.last_key_value().filter(|(before, _)| **before >= name) {
            return Err(Problem::Order { name, before: before.clone() });
        }
        if files.len() == FILES_LIMIT {
            return Err(Problem::TooMany { limit: FILES_LIMIT });
        }
        let (data, after) = split(after, size)?;
        let (padding, after) = split(after, size.next_multiple_of(BLOCK) - size)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(Problem::Form { what: format!("a padding of `{name}`") });
        }
        files.insert(name, data.to_vec());
        rest = after;
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Problem> {
    let short = || Problem::Damaged(format!("{} bytes are left; expected {at}", bytes.len()));
    bytes.split_at_checked(at).ok_or_else(short)
}

/// Name and size in bytes. A header has one form for these two.
fn read_header(block: &[u8]) -> Result<(String, usize), Problem> {
    let found = Header::from_byte_slice(block);
    let raw = found.path_bytes();
    let shown = clean(&String::from_utf8_lossy(&raw), 80);
    let name = String::from_utf8(raw.into_owned()).ok();
    let name = name.ok_or_else(|| wrong_name(&shown, "expected letters, digits and `. _ - +`"))?;
    if found.entry_type() != EntryType::Regular {
        return Err(Problem::Kind { name: shown, found: kind(found.entry_type()).to_owned() });
    }
    check_name(&name)?;
    let size = found.size().map_err(|e| Problem::Damaged(clean(&e.to_string(), 200)))?;
    check_size(&format!("`{name}`"), size, TOTAL_LIMIT)?;
    let size = size as usize;
    if header(&name, size)?.as_bytes().as_slice() != block {
        return Err(Problem::Form { what: format!("a header of `{name}`") });
    }
    Ok((name, size))
}

fn header(name: &str, size: usize) -> Result<Header, Problem> {
    let mut header = Header::new_ustar();
    let too_long = |_| wrong_name(name, "it is too long for an archive");
    header.set_path(name).map_err(too_long)?;
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

fn kind(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Directory => "a folder",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
            "an extended header"
        }
        _ => "of an unknown kind",
    }
}

/// A relative path that stays where it is unpacked.
fn check_name(name: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(allowed) {
        let expected = format!("expected 1 to {NAME_LIMIT} letters, digits and `. _ - +`, in folders");
        return Err(wrong_name(name, &expected));
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(wrong_name(name, "expected a path inside the package, without `.`, `..` and `//`"));
    }
    if name.split('/').count() > DEPTH_LIMIT {
        return Err(wrong_name(name, &format!("expected at most {DEPTH_LIMIT} folders")));
    }
    Ok(())
}

fn wrong_name(name: &str, expected: &str) -> Problem {
    Problem::Name { name: clean(name, 80), expected: expected.to_owned() }
}

fn check_size(what: &str, found: u64, limit: u64) -> Result<(), Problem> {
    if found <= limit { Ok(()) } else { Err(Problem::TooLarge { what: what.to_owned(), found, limit }) }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
