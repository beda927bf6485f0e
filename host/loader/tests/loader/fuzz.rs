//! Damaged plugin files, by the thousand: each is refused in one line, or the child process loaded it and lived.
//!
//! `NSHOT_FUZZ_COUNT` says how many (2,000 by default), `NSHOT_FUZZ_SEED` which. A failure names the number of the file;
//! the same seed and count make it again. Files of the folder `tests/corpus` come first: what once mattered stays there.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};

use nshot_loader::{LoadError, Loader};

use crate::damage::next;
use crate::support::{FIXTURE, LOG, PROBE, Place};

/// The longest that the child process may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Files of one place, so that the store does not fill the disk.
const BATCH: usize = 50;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Where the damage goes: headers, the tables at the end, each section that matters, the record, anywhere.
fn regions(whole: &[u8]) -> Vec<(usize, usize)> {
    let header = FileHeader64::<Endianness>::parse(whole).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, whole).unwrap();
    let mut regions = vec![(0, 64), (64, 1024), (whole.len() - 4096, whole.len()), (0, whole.len())];
    for name in
        [".dynamic", ".dynsym", ".dynstr", ".gnu.hash", ".rela.dyn", ".init_array", ".nshot", ".nshot"]
    {
        if let Some((_, section)) = sections.section_by_name(endian, name.as_bytes()) {
            let start = section.sh_offset(endian) as usize;
            regions.push((start, start + section.sh_size(endian) as usize));
        }
    }
    regions
}

fn damaged(whole: &[u8], regions: &[(usize, usize)], state: &mut u64) -> Vec<u8> {
    let mut below = |bound: usize| (next(state) % bound.max(1) as u64) as usize;
    let mut bytes = whole.to_vec();
    // A quarter is cut; of the rest, one to four bytes change, often in one place.
    if below(4) == 0 {
        bytes.truncate(below(whole.len()));
        return bytes;
    }
    let (start, end) = regions[below(regions.len())];
    for _ in 0..=below(4) {
        let at = start + below(end - start);
        bytes[at] = match below(3) {
            0 => bytes[at] ^ (1 << below(8)),
            1 => [0, 0x7f, 0x80, 0xff][below(4)],
            _ => below(256) as u8,
        };
    }
    bytes
}

/// One file. Returns whether it was taken.
fn try_one(place: &Place, loader: &Loader, bytes: &[u8], which: &str) -> bool {
    let path = place.file("libx.so", bytes);
    let begun = Instant::now();
    let found = loader.describe(&path);
    // Generous: other processes share the processors.
    assert!(begun.elapsed() < 10 * LIMIT, "{which} took {:?}", begun.elapsed());
    let entries = std::fs::read_dir(place.folder.path()).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    entries.sort();
    assert_eq!(entries, ["libx.so", "store"], "{which} wrote beside the store");
    match found {
        Ok(_) => true,
        Err(LoadError::Refused(refusal)) => {
            let text = refusal.to_string();
            let sentence = text.split("\n\n").next().unwrap();
            let is_list = matches!(refusal.reason, nshot_loader::Reason::Layout(_));
            assert!(is_list || !sentence.contains('\n'), "{which}: {text}");
            assert!(sentence.len() < 2000, "{which}: {text}");
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{which}: {text:?}");
            false
        }
        Err(error) => panic!("{which}: {error}"),
    }
}

#[test]
fn damaged_plugin_files() {
    let (count, seed) = (number("NSHOT_FUZZ_COUNT", 2000) as usize, number("NSHOT_FUZZ_SEED", 1));
    let (whole, regions) = (&**FIXTURE, regions(&FIXTURE));
    let (taken, begun) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let first = begun.fetch_add(BATCH, Ordering::Relaxed);
            if first >= count {
                break;
            }
            let place = Place::new();
            let loader = Loader::new(place.loader.store().clone(), PROBE, &LOG).with_time_limit(LIMIT);
            for index in first..count.min(first + BATCH) {
                let mut state = seed.wrapping_mul(0x1000_0000).wrapping_add(index as u64);
                let bytes = damaged(whole, &regions, &mut state);
                let which = format!("file {index} of seed {seed}");
                taken.fetch_add(usize::from(try_one(&place, &loader, &bytes, &which)), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work();
        other.join().unwrap();
    });
    let taken = taken.into_inner();
    println!("{count} damaged files of seed {seed}: {taken} harmless, {} refused", count - taken);
    assert!(taken < count / 2, "the damage is no damage: {taken} of {count} taken");
}

#[test]
fn the_corpus_is_refused() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!try_one(&place, &place.loader, &bytes, &path.display().to_string()), "{}", path.display());
        files += 1;
    }
    assert!(files >= 6, "{files}");
}
