//! What the tests share: a library that passes the gate, packages of it, keys, and programs that may be there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use nshot_loader::gate;

use crate::{Component, Contents, Fetched, KeyPair, Library, Package, SecretKey, sign};

/// A library with a record and a root symbol, and nothing else: it passes the gate and is never loaded.
static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let (abi, target) = (nshot_loader_abi(), nshot_loader::target());
    let record = format!(
        r#"{{"format":1,"abi":{abi},"plugin":"calr","group":"tests","version":"0.1.0","authors":"A. Uthor","license":"MIT","root":"nshot_root_x","target":"{target}","panic":"unwind","sdk":"0.1.0"}}"#
    );
    let mut bytes = b"NSHOT\0\x01\n".to_vec();
    bytes.extend((record.len() as u32).to_le_bytes());
    bytes.extend(record.as_bytes());
    let source = format!(
        "#[used] #[unsafe(link_section = \".nshot\")] static RECORD: [u8; {}] = {bytes:?};\n\
         #[unsafe(no_mangle)] pub static nshot_root_x: [u64; 32] = [1; 32];\n",
        bytes.len()
    );
    let (file, library) = (folder.path().join("calr.rs"), folder.path().join("calr.so"));
    std::fs::write(&file, source).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "--crate-type=cdylib", "-Anon_upper_case_globals", "-o"]);
    assert!(rustc.arg(&library).arg(&file).status().unwrap().success());
    std::fs::read(library).unwrap()
});

/// The ABI of the loader, as a record has it.
fn nshot_loader_abi() -> &'static str {
    "[1,0]"
}

/// The library with another text of the same length.
pub(crate) fn library(changes: &[(&str, &str)]) -> Library {
    let mut bytes = LIBRARY.clone();
    for (from, to) in changes {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    let metadata = gate::inspect(&bytes, "calr.so").unwrap();
    Library { bytes, metadata }
}

pub(crate) fn contents(version: &str) -> Contents {
    let change = format!("\"version\":\"{version}\"");
    Contents {
        library: library(&[("\"version\":\"0.1.0\"", change.as_str())]),
        components: vec![Component { kind: "lr-scheduler".to_owned(), name: "calr".to_owned() }],
        citation: "arXiv 2503.10740".to_owned(),
        readme: b"# calr\n".to_vec(),
        licenses: BTreeMap::from([("LICENSE-MIT".to_owned(), b"MIT License\n".to_vec())]),
        source: BTreeMap::from([("src/lib.rs".to_owned(), b"//! x\n".to_vec())]),
    }
}

pub(crate) fn package(version: &str) -> Package {
    Package::pack(contents(version)).unwrap()
}

/// A package without the library's bulk, for tests of every byte.
pub(crate) fn small() -> Vec<u8> {
    let mut contents = contents("0.1.0");
    contents.library.bytes = b"not a library, which `open` does not ask".to_vec();
    Package::pack(contents).unwrap().to_bytes().unwrap()
}

/// A pair without a password.
pub(crate) fn keys() -> (KeyPair, SecretKey) {
    let pair = KeyPair::generate(None).unwrap();
    let secret = SecretKey::parse(&pair.secret_file, None).unwrap();
    (pair, secret)
}

/// A signed package, as if it had been read from a file.
pub(crate) fn fetched(version: &str, key: Option<&SecretKey>) -> Fetched {
    let package = package(version);
    let (bytes, name) = (package.to_bytes().unwrap(), package.file_name());
    let signature = key.map(|key| sign(&bytes, package.info(), &name, key).unwrap());
    Fetched { bytes, signature, origin: format!("/x/{name}"), name, digest: None, version: None }
}

/// A program of this name: what the environment says, else on the path. Says so if there is none.
pub(crate) fn program(name: &str, variable: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os(variable).map(PathBuf::from);
    let found = named.or_else(|| {
        std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: there is no `{name}`, on the path or in {variable}");
    }
    found
}

/// Numbers of a fixed seed (xorshift).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
