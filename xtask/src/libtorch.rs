//! `cargo xtask setup`: one libtorch of the right version, in the one place where Cargo looks for it.
//!
//! The user's own `LIBTORCH` comes first, then what an earlier set-up left, then an installed `PyTorch`, then a
//! download. What is provided is made beside and renamed, so that it is there whole or not at all.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::failure::Failure;
use crate::python::{Probe, Python};
use crate::version::{EXPECTED, HEADERS, Version};
use crate::wheels;
use crate::workspace::Workspace;

/// Written last into the provided folder: what it was made from.
const STAMP: &str = "stamp";

/// Makes sure that libtorch is there.
pub(crate) fn provide(workspace: &Workspace, cuda: bool, force: bool) -> Result<(), Failure> {
    if let Some(own) = workspace.own_libtorch() {
        let version = check_own(&own, cuda)?;
        eprintln!("xtask: using libtorch {version} in `{}`, as `LIBTORCH` says", own.display());
        return Ok(());
    }
    let place = workspace.root().join("target/libtorch");
    if !force && is_provided(&place, cuda) {
        eprintln!("xtask: libtorch {EXPECTED} is in `{}`", workspace.libtorch().display());
        return Ok(());
    }
    let target = workspace.root().join("target");
    fs::create_dir_all(&target).map_err(Failure::io("create", &target))?;
    let _lock = lock(&target.join("libtorch.lock"))?;
    if !force && is_provided(&place, cuda) {
        return Ok(());
    }

    let started = Instant::now();
    let python = Python::find()?;
    let probe = python.probe(&target)?;
    check_platform(&probe)?;
    let partial = target.join("libtorch.partial");
    remove(&partial)?;
    fs::create_dir(&partial).map_err(Failure::io("create", &partial))?;
    let made = make(&python, &probe, cuda, &partial);
    if made.is_err() {
        // The first failure is the one to report.
        let _ = remove(&partial);
    }
    made?;
    swap(&partial, &place)?;
    let seconds = started.elapsed().as_secs();
    eprintln!("xtask: libtorch {EXPECTED} is ready in `{}` ({seconds} s)", workspace.libtorch().display());
    Ok(())
}

/// Fills `partial` from an installed `PyTorch` or a download.
fn make(python: &Python, probe: &Probe, cuda: bool, partial: &Path) -> Result<(), Failure> {
    let mut installed = None;
    if let Some(folder) = probe.torch.as_deref()
        && usable(python, folder, cuda)?
    {
        installed = Some(folder);
    }
    let stamp = if let Some(folder) = installed {
        eprintln!("xtask: using the PyTorch installed in `{}`", folder.display());
        link(folder, &partial.join("torch"))?;
        format!("installed {}\n", folder.display())
    } else {
        fetch(python, probe, cuda, partial)?;
        wheels::list(cuda)
    };
    write(&partial.join(STAMP), &stamp)
}

/// Downloads the wheels and extracts them into `partial`.
fn fetch(python: &Python, probe: &Probe, cuda: bool, partial: &Path) -> Result<(), Failure> {
    python.check_pip()?;
    let (free, needed) = (probe.free / 1_000_000, wheels::megabytes(cuda));
    if free < needed {
        return Err(Failure::DiskFull {
            folder: partial.parent().unwrap_or(partial).to_owned(),
            free,
            needed,
        });
    }
    let size = if cuda { "3 GB" } else { "540 MB" };
    eprintln!("xtask: fetching libtorch {EXPECTED} with pip ({size}, once)");
    let downloads = partial.join("downloads");
    fs::create_dir(&downloads).map_err(Failure::io("create", &downloads))?;
    wheels::download(python, cuda, &downloads)?;
    for wheel in wheels::needed(cuda) {
        wheels::extract(python, wheel, cuda, &downloads, partial)?;
    }
    remove(&downloads)?;
    if !cuda {
        // torch-sys links `-ltorch`, which in the wheel needs CUDA: this linker script stands in for it.
        write(&partial.join("torch/lib/libtorch.so"), "INPUT(-ltorch_cpu)\n")?;
    }
    let library = partial.join("torch/lib/libtorch_cpu.so");
    python.load(&library)?.map_err(|detail| Failure::DoesNotLoad { path: partial.join("torch"), detail })
}

/// Whether an installed `PyTorch` can be used; says why not, where it cannot.
fn usable(python: &Python, folder: &Path, cuda: bool) -> Result<bool, Failure> {
    let obstacle = match Version::of(folder) {
        None => Some("it has no headers".to_owned()),
        Some(version) if !version.is_expected() => Some(format!("it is {version}, expected {EXPECTED}")),
        Some(_) => match missing_file(folder, cuda) {
            Some(file) => Some(format!("`{file}` is missing")),
            None => python.load(&folder.join("lib/libtorch_cpu.so"))?.err(),
        },
    };
    if let Some(reason) = &obstacle {
        eprintln!("xtask: the PyTorch installed in `{}` is not used: {reason}", folder.display());
    }
    Ok(obstacle.is_none())
}

/// Checks the folder that the user's `LIBTORCH` names.
fn check_own(folder: &Path, cuda: bool) -> Result<Version, Failure> {
    let unusable = |reason: String| Failure::UnusableLibtorch { path: folder.to_owned(), reason };
    if !folder.is_absolute() {
        return Err(unusable("it is not an absolute path".into()));
    }
    if !folder.is_dir() {
        return Err(unusable("there is no such folder".into()));
    }
    let version = Version::of(folder).ok_or_else(|| unusable(format!("`{}` is missing", HEADERS[0])))?;
    if !version.is_expected() {
        return Err(Failure::WrongVersion { path: folder.to_owned(), found: version.to_string() });
    }
    match missing_file(folder, cuda) {
        Some(file) => Err(unusable(format!("`{file}` is missing"))),
        None => Ok(version),
    }
}

/// The first library that is linked or loaded and not in `folder`.
fn missing_file(folder: &Path, cuda: bool) -> Option<&'static str> {
    let files = ["lib/libtorch.so", "lib/libtorch_cpu.so", "lib/libc10.so", "lib/libtorch_cuda.so"];
    files.into_iter().take(if cuda { 4 } else { 3 }).find(|file| !folder.join(file).is_file())
}

/// Whether an earlier set-up left what is needed: CUDA's libraries serve without CUDA too.
fn is_provided(place: &Path, cuda: bool) -> bool {
    let Ok(stamp) = fs::read_to_string(place.join(STAMP)) else { return false };
    let torch = place.join("torch");
    let source_stands = stamp.starts_with("installed ")
        || stamp == wheels::list(true)
        || (!cuda && stamp == wheels::list(false));
    source_stands
        && missing_file(&torch, cuda).is_none()
        && Version::of(&torch).is_some_and(Version::is_expected)
}

fn check_platform(probe: &Probe) -> Result<(), Failure> {
    let system = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    if system != "linux on x86_64" {
        return Err(Failure::UnsupportedPlatform { found: system });
    }
    let found = match probe.glibc.as_str() {
        "" => format!("{system} without glibc"),
        glibc if is_older(glibc, (2, 28)) => format!("{system} with glibc {glibc}"),
        _ => return Ok(()),
    };
    Err(Failure::UnsupportedPlatform { found })
}

fn is_older(version: &str, than: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    numbers.next().zip(numbers.next()).is_some_and(|found: (u32, u32)| found < than)
}

/// Held until dropped: two set-ups at once would make the same folder.
fn lock(path: &Path) -> Result<File, Failure> {
    let file = File::create(path).map_err(Failure::io("create", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("xtask: waiting for another set-up"),
        Err(TryLockError::Error(error)) => return Err(Failure::io("lock", path)(error)),
    }
    file.lock().map_err(Failure::io("lock", path))?;
    Ok(file)
}

/// Puts the finished folder into place, what lay there before being moved out first.
fn swap(partial: &Path, place: &Path) -> Result<(), Failure> {
    let previous = place.with_extension("previous");
    remove(&previous)?;
    if place.symlink_metadata().is_ok() {
        fs::rename(place, &previous).map_err(Failure::io("move", place))?;
    }
    fs::rename(partial, place).map_err(Failure::io("move", partial))?;
    remove(&previous)
}

/// Removes a folder that may be absent.
fn remove(folder: &PathBuf) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::io("write", path))
}

#[cfg(unix)]
fn link(folder: &Path, name: &Path) -> Result<(), Failure> {
    std::os::unix::fs::symlink(folder, name).map_err(Failure::io("create", name))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<(), Failure> {
    Err(Failure::UnsupportedPlatform { found: std::env::consts::OS.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like libtorch from outside.
    fn fake_libtorch(minor: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let header = folder.path().join(HEADERS[0]);
        fs::create_dir_all(header.parent().unwrap()).unwrap();
        let text = format!("#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR {minor}\n");
        fs::write(header, text).unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        for library in ["libtorch.so", "libtorch_cpu.so", "libc10.so"] {
            fs::write(folder.path().join("lib").join(library), "").unwrap();
        }
        folder
    }

    #[test]
    fn an_own_libtorch_is_checked() {
        assert!(check_own(fake_libtorch(13).path(), false).is_ok());
        let failure = check_own(fake_libtorch(13).path(), true).unwrap_err().to_string();
        assert!(failure.contains("`lib/libtorch_cuda.so` is missing"), "{failure}");
        let failure = check_own(fake_libtorch(8).path(), false).unwrap_err().to_string();
        assert!(failure.contains("holds libtorch 2.8; expected 2.13"), "{failure}");
        let failure = check_own(Path::new("/nowhere/libtorch"), false).unwrap_err().to_string();
        assert!(failure.contains("`/nowhere/libtorch`") && failure.contains("no such folder"), "{failure}");
        let failure = check_own(Path::new("libtorch"), false).unwrap_err().to_string();
        assert!(failure.contains("not an absolute path"), "{failure}");
    }

    #[test]
    fn what_another_set_of_wheels_left_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        fs::rename(fake_libtorch(13).keep(), place.path().join("torch")).unwrap();
        assert!(!is_provided(place.path(), false), "no stamp");
        fs::write(place.path().join(STAMP), "0000 torch-2.12.0.whl\n").unwrap();
        assert!(!is_provided(place.path(), false), "another stamp");
        fs::write(place.path().join(STAMP), wheels::list(false)).unwrap();
        assert!(is_provided(place.path(), false));
        assert!(!is_provided(place.path(), true), "no CUDA");
        fs::remove_file(place.path().join("torch/lib/libc10.so")).unwrap();
        assert!(!is_provided(place.path(), false), "a library is gone");
    }

    #[test]
    fn glibc_versions_compare_as_numbers() {
        assert!(is_older("2.9", (2, 28)) && is_older("2.27", (2, 28)));
        assert!(!is_older("2.28", (2, 28)) && !is_older("2.36", (2, 28)) && !is_older("3.0", (2, 28)));
    }
}
