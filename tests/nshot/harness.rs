//! Builds what the tests drive, once, and runs it.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use safetensors::SafeTensors;
use tempfile::TempDir;

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder with the release build of `nshot` and the plugins, built as a user would build them.
pub(crate) fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        cargo(&["xtask", "build", "--release"]);
        target_folder().join("release")
    })
}

/// The library of a plugin under `tests/plugins`, built on first use.
pub(crate) fn test_plugin(name: &str) -> PathBuf {
    cargo(&["build", "--release", "--quiet", "--package", &format!("nshot-test-{name}")]);
    target_folder().join("release").join(format!("libtest_{}.so", name.replace('-', "_")))
}

/// A file or folder of the data that are not the project's to ship: under the folder that `NSHOT_TEST_DATA` names, or
/// `../shared/data`. The test that needs it skips, saying so, where it is absent.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("NSHOT_TEST_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = project().join(folder).join(name);
    if path.exists() {
        return Some(path.canonicalize().unwrap());
    }
    // Past the test runner's capture, so that a skipped test cannot be taken for one that passed.
    let _ = writeln!(
        std::io::stderr(),
        "skipped: there is no `{}`; NSHOT_TEST_DATA names its folder",
        path.display()
    );
    None
}

/// A program that a test needs and that may be absent: what the variable names, else on the path. The test skips, saying
/// so, where there is none.
pub(crate) fn program(name: &str, variable: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file());
    let found = std::env::var_os(variable).map(PathBuf::from).or_else(on_path);
    if found.is_none() {
        let _ =
            writeln!(std::io::stderr(), "skipped: there is no `{name}`, in the path or named by {variable}");
    }
    found
}

/// The float64 tensors of a safetensors file: shape and values by name.
pub(crate) fn read_tensors(path: &Path) -> HashMap<String, (Vec<usize>, Vec<f64>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values =
        |data: &[u8]| data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    let mut all = HashMap::new();
    for (name, view) in tensors.iter() {
        assert_eq!(view.dtype(), safetensors::Dtype::F64, "{name}");
        all.insert(name.to_owned(), (view.shape().to_vec(), values(view.data())));
    }
    all
}

/// Builds a plugin under `tests/plugins` with more arguments of rustc, and copies its library.
pub(crate) fn copy_test_plugin(name: &str, arguments: &[&str], to: &Path) {
    // However it is built, it has one place.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap();
    let package = format!("nshot-test-{name}");
    cargo(&[&["rustc", "--release", "--quiet", "--lib", "--package", &package, "--"], arguments].concat());
    let library = format!("release/libtest_{}.so", name.replace('-', "_"));
    std::fs::copy(target_folder().join(library), to).unwrap();
}

/// Runs cargo in the project; the test fails with its messages if it fails.
pub(crate) fn cargo(arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(project()).output().unwrap();
    assert!(
        output.status.success(),
        "`cargo {}` failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn target_folder() -> PathBuf {
    // The test binary lies in TARGET/PROFILE/deps.
    let executable = std::env::current_exe().unwrap();
    executable.ancestors().nth(3).unwrap().to_owned()
}

/// A user's folder in which `nshot` is run, with its own home.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command `nshot` with arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(release().join("nshot"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("HOME", self.folder.path());
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"] {
            command.env_remove(variable);
        }
        // Several runs share the cores here; threads that spin while they wait would take them from one another.
        command.env("OMP_WAIT_POLICY", "passive");
        command
    }

    pub(crate) fn nshot(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap(), arguments)
    }
}

/// What a finished `nshot` said.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

impl Run {
    pub(crate) fn of(output: Output, arguments: &[&str]) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            what: format!("nshot {}", arguments.join(" ")),
        }
    }

    /// Asserts that it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "`{}` failed:\n{}", self.what, self.stderr);
        self
    }

    /// Asserts that it failed with this exit status, and returns the error without its hint.
    #[track_caller]
    pub(crate) fn error(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "`{}` said:\n{}{}", self.what, self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked at host") && !self.stderr.contains("RUST_BACKTRACE"));
        let start = self.stderr.rfind("error: ").unwrap_or_else(|| panic!("no error in {}", self.stderr));
        self.stderr[start + 7..].split("\n\nhint: ").next().unwrap().trim_end()
    }
}
