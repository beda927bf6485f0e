//! Flipped bits: whatever they do, this process goes on.

use std::path::Path;
use std::time::Duration;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, SectionHeader as _};

use nshot_loader::{LoadError, Loader, Reason};

use crate::support::{FIXTURE, LOG, PROBE, Place};

/// The next number of a generator (`SplitMix64`, Steele et al. 2014).
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn flip_bits(whole: &[u8], seed: u64) -> (usize, usize, usize) {
    let place = Place::new();
    let loader =
        Loader::new(place.loader.store().clone(), PROBE, &LOG).with_time_limit(Duration::from_secs(2));
    let (mut taken, mut refused, mut crashed) = (0, 0, 0);
    let mut state = seed;
    for flip in 0..300 {
        let mut bytes = whole.to_vec();
        // A third each: headers and dynamic tables, the section headers at the end, anywhere.
        let length = whole.len() as u64;
        let at = match flip % 3 {
            0 => next(&mut state) % 8192.min(length),
            1 => length - 1 - next(&mut state) % 4096.min(length),
            _ => next(&mut state) % length,
        };
        bytes[at as usize] ^= 1 << (next(&mut state) % 8);
        match loader.describe(&place.file("libx.so", &bytes)) {
            Ok(_) => taken += 1,
            Err(LoadError::Refused(refusal)) => match refusal.reason {
                Reason::Crashed { .. } => crashed += 1,
                _ => refused += 1,
            },
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    (taken, refused, crashed)
}

/// The probe may pass such a file by luck: what lies outside the plugin's memory differs in the host.
#[test]
fn a_relocation_outside_the_plugin_is_seen_by_the_gate() {
    let bytes = &**FIXTURE;
    let header = FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let (_, relocations) = sections.section_by_name(endian, b".rela.dyn").unwrap();
    let first = relocations.sh_offset(endian) as usize;
    // Place, symbol and target of the first entry, each moved far away.
    for (byte, word) in [(3, "writes outside"), (15, "names the symbol"), (19, "points outside")] {
        let mut bytes = bytes.to_vec();
        bytes[first + byte] ^= 0x40;
        let Reason::Damaged(text) = Place::with_probe("/nonexistent").refusal(&bytes) else {
            panic!("{byte}")
        };
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn flipped_bits_end_in_a_refusal_at_worst() {
    let (taken, refused, crashed) = flip_bits(&FIXTURE, 1);
    println!("fixture: {taken} taken, {refused} refused, {crashed} crashed in the child process");
    assert_eq!(taken + refused + crashed, 300);
    assert!(refused > 0);
}

#[test]
fn flipped_bits_of_a_built_in_plugin() {
    let path = Path::new(PROBE).with_file_name("libnshot_plugin_spos.so");
    let Ok(whole) = std::fs::read(&path) else {
        println!("skipped: `{}` is not built", path.display());
        return;
    };
    let (taken, refused, crashed) = flip_bits(&whole, 2);
    println!("spos: {taken} taken, {refused} refused, {crashed} crashed in the child process");
    assert_eq!(taken + refused + crashed, 300);
}
