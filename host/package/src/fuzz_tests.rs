//! Damaged packages, by the thousand, given to the installer: each is refused in one line and nothing is written, or the
//! damage does not matter: what is installed is whole by its own list, and lies in its own folder.
//!
//! `NSHOT_FUZZ_COUNT` says how many (2,000 by default), `NSHOT_FUZZ_SEED` which. Files of the folder `corpus` come first.

use std::fs;
use std::path::{Path, PathBuf};

use crate::testing::{Numbers, fetched};
use crate::{Consent, Fetched, Package, Plugins, Trust, archive};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// All files and folders below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| below(&path).into_iter().chain([path])).collect()
}

/// Whether it was installed.
fn try_one(bytes: Vec<u8>, whole: &Package, which: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let plugins = Plugins::new(folder.path().join("data/plugins"));
    let mut trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let file = Fetched { bytes, ..fetched_of(whole) };
    match plugins.install(&file, &Consent::Unsigned, &mut trust) {
        Ok(outcome) => {
            outcome.installed.check().unwrap();
            let (installed, lock) = (outcome.installed.folder, plugins.folder().join(".lock"));
            let outside = |path: &PathBuf| path.is_file() && !path.starts_with(&installed) && *path != lock;
            assert_eq!(below(folder.path()).into_iter().find(outside), None, "{which}");
            true
        }
        Err(error) => {
            let text = error.to_string();
            let sentence = text.split("\n\n").next().unwrap();
            assert!(
                !sentence.is_empty() && !sentence.contains('\n') && sentence.len() < 2000,
                "{which}: {text}"
            );
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{which}: {text:?}");
            let written: Vec<_> = below(folder.path())
                .into_iter()
                .filter(|path| path.is_file() && !path.ends_with(".lock"))
                .collect();
            assert!(written.is_empty(), "{which} wrote {written:?}");
            false
        }
    }
}

fn fetched_of(whole: &Package) -> Fetched {
    let name = whole.file_name();
    Fetched {
        bytes: Vec::new(),
        signature: None,
        origin: format!("/x/{name}"),
        name,
        digest: None,
        version: None,
    }
}

/// Cut, or bytes changed: of the file, of what is in the archive, or of a file in it whose hash is then made right.
fn damaged(whole: &[u8], package: &Package, numbers: &mut Numbers) -> Vec<u8> {
    let change = |bytes: &mut Vec<u8>, numbers: &mut Numbers| {
        for _ in 0..=numbers.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = numbers.below(bytes.len());
            bytes[at] = match numbers.below(3) {
                0 => bytes[at] ^ (1 << numbers.below(8)),
                1 => b"\0/.\"=[\n\xff"[numbers.below(8)],
                _ => numbers.below(256) as u8,
            };
        }
    };
    let mut bytes = whole.to_vec();
    match numbers.below(4) {
        0 => bytes.truncate(numbers.below(whole.len())),
        1 => change(&mut bytes, numbers),
        2 => {
            let mut tar = archive::decompress(whole).unwrap();
            // Headers are where names and sizes are.
            let blocks = tar.len() / 512;
            let start = numbers.below(blocks) * 512;
            let mut part = tar[start..start + 512].to_vec();
            change(&mut part, numbers);
            tar[start..start + 512].copy_from_slice(&part);
            bytes = archive::encode(&tar, 1).unwrap();
        }
        _ => {
            let mut files = package.files().clone();
            let mut info = package.info().to_toml().unwrap().into_bytes();
            change(&mut info, numbers);
            files.insert(crate::info::INFO.to_owned(), info);
            bytes = archive::encode(&archive::write_tar(&files).unwrap(), 1).unwrap();
        }
    }
    bytes
}

#[test]
fn damaged_packages() {
    let (count, seed) = (number("NSHOT_FUZZ_COUNT", 2000), number("NSHOT_FUZZ_SEED", 1));
    let whole = fetched("0.1.0", None).bytes;
    let package = Package::open(&whole, "x").unwrap();
    let mut harmless = 0;
    for index in 0..count {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (index + 1));
        (0..8).for_each(|_| _ = numbers.below(2));
        let bytes = damaged(&whole, &package, &mut numbers);
        harmless += u64::from(try_one(bytes, &package, &format!("package {index} of seed {seed}")));
    }
    println!("{count} damaged packages of seed {seed}: {harmless} harmless, {} refused", count - harmless);
    assert!(harmless < count / 2, "the damage is no damage: {harmless} of {count} installed");
}

#[test]
fn the_corpus_is_refused() {
    let package = Package::open(&fetched("0.1.0", None).bytes, "x").unwrap();
    let mut files = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!try_one(bytes, &package, &path.display().to_string()), "{}", path.display());
        files += 1;
    }
    assert!(files >= 6, "{files}");
}
