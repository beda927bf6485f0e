//! The fixture plugin, changed copies of it, and loaders with a store of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use nshot_abi::abi_stable::std_types::{ROption, RResult, RSlice, RStr};
use nshot_abi::host::Services;
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_loader::{LoadError, Loader, PluginFile, Reason, Store};
use tempfile::TempDir;

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_nshot-probe");

/// Bytes of the fixture.
pub(crate) static FIXTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let programs = Path::new(PROBE).parent().unwrap();
    let path = programs.join("examples/libplugin_fixture.so");
    if !path.exists() {
        // `cargo test` has built it, but for `cargo test --test loader`.
        let release = programs.ends_with("release").then_some("--release");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--package", "nshot-loader", "--example", "plugin_fixture", "--target-dir"])
            .arg(programs.parent().unwrap())
            .args(release)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.unwrap().success());
    }
    std::fs::read(path).unwrap()
});

/// Replaces a text in the fixture by another of the same length.
pub(crate) fn changed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "{from} {to}");
    let mut bytes = FIXTURE.clone();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, w)| *w == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "`{from}` does not occur");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// The fixture in a mode of misbehaviour.
pub(crate) fn with_mode(mode: &str) -> Vec<u8> {
    changed("MODE=fine...............", &format!("{:.<24}", format!("MODE={mode}")))
}

/// Services that remember what was logged.
pub(crate) struct Log(pub(crate) Mutex<Vec<String>>);

impl Services for Log {
    fn log(&self, level: RStr<'_>, target: RStr<'_>, text: RStr<'_>) {
        self.0.lock().unwrap().push(format!("{level} {target} {text}"));
    }

    fn attribute(&self, _name: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn scalar(&self, _name: RStr<'_>, _value: f64, _attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        RResult::ROk(())
    }
}

pub(crate) static LOG: Log = Log(Mutex::new(Vec::new()));

/// A folder with a store and a loader.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) loader: Loader,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_probe(PROBE)
    }

    pub(crate) fn with_probe(probe: impl Into<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        let loader = Loader::new(store, probe, &LOG).with_time_limit(Duration::from_secs(10));
        Self { folder, loader }
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn describe(&self, bytes: &[u8]) -> Result<PluginFile, LoadError> {
        self.loader.describe(&self.file("libx.so", bytes))
    }

    /// Why a file with these bytes is refused. Its text names the file, and is a sentence and a hint.
    pub(crate) fn refusal(&self, bytes: &[u8]) -> Reason {
        match self.describe(bytes) {
            Err(LoadError::Refused(refusal)) => {
                let text = refusal.to_string();
                assert!(text.starts_with("the plugin file `/") && text.contains("libx.so` "), "{text}");
                let sentence = text.split("\n\n").next().unwrap();
                let is_list = matches!(refusal.reason, Reason::Layout(_));
                assert!(is_list || !sentence.contains('\n'), "{text}");
                assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
                refusal.reason
            }
            other => panic!("expected a refusal, found {other:?}"),
        }
    }
}
