//! What the gate refuses, from the bytes alone: here the probe cannot even be run.

use nshot_loader::{LoadError, Reason};

use crate::support::{FIXTURE, Place, changed};

fn refusal(bytes: &[u8]) -> Reason {
    Place::with_probe("/nonexistent/nshot-probe").refusal(bytes)
}

#[test]
fn other_files_are_named() {
    let found = |bytes: &[u8]| match refusal(bytes) {
        Reason::NotALibrary { found } => found,
        other => panic!("{other}"),
    };
    assert_eq!(refusal(b""), Reason::Empty);
    assert_eq!(found(b"[run]\nname = \"x\"\n"), "text");
    assert_eq!(found("é".repeat(400).as_bytes()), "text");
    assert_eq!(found(b"!<arch>\nx"), "a static library (an `ar` archive)");
    assert_eq!(found(b"\x00\x01\x02"), "a file of an unknown kind");
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(found(&program), "a program");
    let mut object = FIXTURE.clone();
    object[16] = 1;
    assert_eq!(found(&object), "an object file");
}

#[test]
fn another_library_is_no_plugin() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps
        .lines()
        .find_map(|line| line.split_whitespace().nth(5).filter(|p| p.contains("libc.so")))
        .unwrap();
    assert_eq!(refusal(&std::fs::read(libc).unwrap()), Reason::NotAPlugin);
}

#[test]
fn a_file_cut_short_is_seen_at_every_length() {
    let (whole, place) = (&*FIXTURE, Place::with_probe("/nonexistent/nshot-probe"));
    let step = whole.len() / 200;
    let lengths = (4..100).chain((100..whole.len()).step_by(step)).chain(whole.len() - 70..whole.len());
    for length in lengths {
        match place.refusal(&whole[..length]) {
            Reason::Truncated { found, expected } => assert!(found == length as u64 && expected > found),
            other => panic!("{length}: {other}"),
        }
    }
}

#[test]
fn other_machines_are_named() {
    let at = |place: usize, byte: u8| {
        let mut bytes = FIXTURE.clone();
        bytes[place] = byte;
        match refusal(&bytes) {
            Reason::Machine { found, .. } => found,
            other => panic!("{other}"),
        }
    };
    assert!(at(4, 1).starts_with("32-bit little-endian "));
    assert!(at(5, 2).starts_with("64-bit big-endian "));
    assert_eq!(at(18, 243), "64-bit little-endian riscv");
    assert_eq!(at(19, 77), format!("64-bit little-endian (machine number {})", 77 * 256 + 62));
}

#[test]
fn the_record_is_compared() {
    assert_eq!(
        refusal(&changed("\"abi\":[1,0]", "\"abi\":[2,0]")),
        Reason::Abi { found: (2, 0), expected: 1 }
    );
    let other = format!("{}-linux-xyz", std::env::consts::ARCH);
    let ours = format!("{}-linux-gnu", std::env::consts::ARCH);
    assert_eq!(refusal(&changed(&ours, &other)), Reason::Target { found: other, expected: ours });
    let abort = changed("\"panic\":\"unwind\"", "\"panic\":\"abort\" ");
    assert_eq!(refusal(&abort), Reason::Panic { found: "abort".into() });
    let features = changed("[\"baseline\"]", "[\"amx-9999\"]");
    assert_eq!(refusal(&features), Reason::CpuFeatures { found: vec!["amx-9999".into()] });
    assert_eq!(
        refusal(&changed("\"format\":1", "\"format\":9")),
        Reason::MetadataFormat { found: 9, expected: 1 }
    );
    assert!(matches!(
        refusal(&changed("\"plugin\":\"fixture\"", "\"plugin\":\"fix/../\"")),
        Reason::Metadata(_)
    ));
    assert!(matches!(refusal(&changed("{\"format\"", "[\"format\"")), Reason::Metadata(_)));
    assert!(matches!(refusal(&changed("NSHOT\0\u{1}\n", "NSHOT\0\u{2}\n")), Reason::Metadata(_)));
    assert_eq!(refusal(&changed("\0.nshot\0", "\0.nshut\0")), Reason::NotAPlugin);
}

#[test]
fn what_it_needs_is_compared() {
    match refusal(&changed("libgcc_s.so.1", "libtorch.so.1")) {
        Reason::Needs { found, .. } => assert_eq!(found, "libtorch.so.1"),
        other => panic!("{other}"),
    }
    match refusal(&changed("\0GLIBC_2.3.4\0", "\0GLIBC_9.3.4\0")) {
        Reason::Glibc { found, .. } => assert_eq!(found, "9.3"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_root_symbol_must_be_there() {
    let root =
        |name: &str| refusal(&changed("\"root\":\"nshot_root_good\"", &format!("\"root\":\"{name}\"")));
    assert_eq!(root("nshot_root_none"), Reason::NoRoot { expected: "nshot_root_none".into() });
    let found = |reason| match reason {
        Reason::Root { found, .. } => found,
        other => panic!("{other}"),
    };
    assert!(found(root("nshot_root_tiny")).starts_with("found an object of 1 bytes"));
    assert!(found(root("nshot_root_func")).starts_with("found a function"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let place = Place::new();
    for path in [place.folder.path().join("absent.so"), place.folder.path().to_owned(), "/dev/null".into()] {
        match place.loader.load(&path) {
            Err(error @ LoadError::Read { .. }) => {
                assert!(error.to_string().contains(path.to_str().unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_words_of_a_refusal() {
    let text = Reason::Truncated { found: 10, expected: 64 }.of("a/libx.so").to_string();
    assert_eq!(
        text,
        "the plugin file `a/libx.so` is cut short: it has 10 bytes, its headers speak of 64\n\n\
         hint: copy or build the file again (`cargo build --release`)"
    );
    let text = Reason::Abi { found: (2, 1), expected: 1 }.of("x.so").to_string();
    assert_eq!(
        text,
        "the plugin file `x.so` is built for ABI 2.1; this host takes ABI 1.x\n\n\
         hint: rebuild the plugin with an nshot-sdk of ABI 1.0 (`cargo build --release`)"
    );
}
