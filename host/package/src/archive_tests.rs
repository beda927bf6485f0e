use super::*;
use crate::testing::{Numbers, small};

fn compress(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

/// An archive of one entry with this name (not checked), kind and link.
fn entry(name: &[u8], kind: EntryType, link: &[u8]) -> Vec<u8> {
    let mut header = header("x", 1).unwrap();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_cksum();
    let mut tar = header.as_bytes().to_vec();
    tar.push(7);
    tar.resize(2 * BLOCK + END, 0);
    compress(&tar)
}

fn files() -> Files {
    let long = format!("source/{}/{}", "d".repeat(90), "f".repeat(90));
    [("b.txt", b"bytes".to_vec()), ("a/x", Vec::new()), (&long, vec![3; 2000])]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into()
}

#[test]
fn files_come_back_and_the_same_bytes_are_written() {
    let bytes = write(&files()).unwrap();
    assert_eq!(read(&bytes).unwrap(), files());
    assert_eq!(write(&files()).unwrap(), bytes);
    assert_eq!(read(&write(&Files::new()).unwrap()).unwrap(), Files::new());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = [b'a'; 100];
    for name in [
        b"../x".as_slice(),
        b"/etc/passwd",
        b"a/../../x",
        b"a//b",
        b"./a",
        b"a/.",
        b"a/",
        b"a\\b",
        b"C:x",
        b"a b",
        b"a\nb",
        b"\x1b[31m",
        b"\xff\xfe",
        "é".as_bytes(),
    ] {
        let error = read(&entry(name, EntryType::Regular, b"")).unwrap_err();
        assert!(matches!(error, Problem::Name { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains(['\x1b', '\n']), "{error}");
    }
    assert!(read(&entry(&long, EntryType::Regular, b"")).is_ok());
    let deep = vec!["a"; 20].join("/");
    assert!(matches!(write(&[(deep, Vec::new())].into()), Err(Problem::Name { .. })));
}

#[test]
fn links_and_devices_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::XHeader,
        EntryType::GNULongName,
        EntryType::GNUSparse,
        EntryType::Continuous,
    ] {
        let error = read(&entry(b"x", kind, b"/etc/passwd")).unwrap_err();
        assert!(matches!(error, Problem::Kind { .. }), "{kind:?}: {error}");
    }
    // A link name in a regular file is another form.
    assert!(matches!(read(&entry(b"x", EntryType::Regular, b"y")), Err(Problem::Form { .. })));
}

#[test]
fn names_are_there_once_and_in_order() {
    for (first, second) in [("a", "a"), ("b", "a")] {
        let mut tar = Vec::new();
        for name in [first, second] {
            tar.extend(header(name, 0).unwrap().as_bytes());
        }
        tar.resize(tar.len() + END, 0);
        assert!(matches!(read(&compress(&tar)), Err(Problem::Order { .. })), "{first} {second}");
    }
}

#[test]
fn owners_times_padding_and_ends_have_one_form() {
    let tar = write_tar(&[("x".to_owned(), vec![7])].into()).unwrap();
    assert!(read(&compress(&tar)).is_ok());
    let mut changed: Header = header("x", 1).unwrap();
    changed.set_mode(0o4755);
    changed.set_cksum();
    let other = [changed.as_bytes(), &tar[BLOCK..]].concat();
    assert!(matches!(read(&compress(&other)), Err(Problem::Form { .. })));
    let mut other = tar.clone();
    other[BLOCK + 100] = 1;
    assert!(matches!(read(&compress(&other)), Err(Problem::Form { .. })));
    for end in [0, BLOCK, END + 1, END + BLOCK] {
        let other = [&tar[..2 * BLOCK], &vec![0; end]].concat();
        assert!(read(&compress(&other)).is_err(), "{end}");
    }
    let twice = [compress(&tar), compress(&tar)].concat();
    assert!(matches!(read(&twice), Err(Problem::Form { .. })));
}

#[test]
fn what_grows_too_much_is_refused() {
    let bomb = compress(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    assert!(matches!(read(&bomb), Err(Problem::Expands { .. })));
    let huge = vec![0; SIZE_LIMIT as usize + 1];
    assert!(matches!(read(&huge), Err(Problem::TooLarge { .. })));
    let many = (0..=FILES_LIMIT).map(|i| (format!("{i:05}"), Vec::new())).collect();
    assert!(matches!(write(&many), Err(Problem::TooMany { .. })));
    let mut tar = Vec::new();
    for name in many.keys() {
        tar.extend(header(name, 0).unwrap().as_bytes());
    }
    tar.resize(tar.len() + END, 0);
    assert!(matches!(read(&compress(&tar)), Err(Problem::TooMany { .. })));
    // A size that is only claimed.
    let mut tar = header("x", TOTAL_LIMIT as usize).unwrap().as_bytes().to_vec();
    tar.resize(tar.len() + END, 0);
    assert!(matches!(read(&compress(&tar)), Err(Problem::Damaged(_))));
}

#[test]
fn damage_at_every_byte_is_an_error_or_changes_nothing() {
    let good = small();
    let files = read(&good).unwrap();
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_err(), "cut to {length}");
    }
    let mut unchanged = 0;
    for at in 0..good.len() {
        for flip in [1, 0x10, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            match read(&bytes) {
                Ok(found) => {
                    assert_eq!(found, files, "byte {at} changed by {flip:#x}");
                    unchanged += 1;
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    // Bits of the compressed form that say nothing.
    assert!(unchanged < good.len() / 50, "{unchanged} of {}", 4 * good.len());
}

#[test]
fn foreign_bytes_do_not_panic() {
    let mut numbers = Numbers(0x5eed);
    let tar = decompress(&small()).unwrap();
    for _ in 0..5000 {
        let mut bytes = tar.clone();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.below(256) as u8;
        }
        bytes.truncate(bytes.len() - numbers.below(2) * numbers.below(bytes.len()));
        let _ = read_tar(&bytes);
        let noise: Vec<u8> =
            MAGIC.into_iter().chain((0..numbers.below(100)).map(|_| numbers.below(256) as u8)).collect();
        assert!(read(&noise).is_err());
    }
}
