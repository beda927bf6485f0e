//! Everything that can go wrong, each as one sentence and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::version::EXPECTED;

/// A failed command, in the words that the user reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "Python is needed to fetch libtorch, but neither `python3` nor `python` runs\n\n\
         hint: install it (Debian, Ubuntu: `apt-get install python3 python3-pip`), or point `LIBTORCH` at a \
         libtorch {EXPECTED} of your own"
    )]
    NoPython,
    #[error(
        "pip is needed to fetch libtorch, but `{interpreter} -m pip` fails: {detail}\n\n\
         hint: install it (Debian, Ubuntu: `apt-get install python3-pip`; elsewhere: `{interpreter} -m ensurepip`), \
         or point `LIBTORCH` at a libtorch {EXPECTED} of your own"
    )]
    NoPip { interpreter: String, detail: String },
    #[error(
        "pip could not reach its package index: {detail}\n\n\
         hint: check the network and pip's proxy settings; without a network, fetch the wheels elsewhere and name \
         their folder in `PIP_FIND_LINKS`:\n{wheels}"
    )]
    NoNetwork { detail: String, wheels: String },
    #[error(
        "pip failed: {detail}\n\n\
         hint: `python3 -m pip install --upgrade pip` helps where pip is older than 21"
    )]
    Pip { detail: String },
    #[error(
        "the disk is full: `{}` has {free} MB free, and set-up needs {needed} MB\n\n\
         hint: free some space, or make `target` a link to a folder on a larger disk",
        folder.display()
    )]
    DiskFull { folder: PathBuf, free: u64, needed: u64 },
    #[error(
        "`{file}` is not the file that was expected: its SHA-256 is `{found}`, expected `{expected}`\n\n\
         hint: the download was damaged or changed on its way; try again, and look at `PIP_FIND_LINKS`, \
         `PIP_INDEX_URL` and proxies if it stays so"
    )]
    WrongHash { file: String, found: String, expected: String },
    #[error("`{file}` cannot be extracted: {detail}")]
    Extract { file: String, detail: String },
    #[error(
        "there is no ready libtorch {EXPECTED} for {found}: set-up knows Linux on x86-64 with glibc 2.28 or newer\n\n\
         hint: build or fetch libtorch {EXPECTED} yourself and point `LIBTORCH` at its folder"
    )]
    UnsupportedPlatform { found: String },
    #[error(
        "`LIBTORCH` is `{}`, where no libtorch can be used: {reason}\n\n\
         hint: unset `LIBTORCH` to have libtorch {EXPECTED} fetched, or give the absolute path of a folder that \
         holds its `lib` and `include`",
        path.display()
    )]
    UnusableLibtorch { path: PathBuf, reason: String },
    #[error(
        "`LIBTORCH` is `{}`, which holds libtorch {found}; expected {EXPECTED}\n\n\
         hint: unset `LIBTORCH` to have libtorch {EXPECTED} fetched",
        path.display()
    )]
    WrongVersion { path: PathBuf, found: String },
    #[error(
        "libtorch was fetched to `{}`, but does not load: {detail}\n\n\
         hint: a missing system library is installed with the system's package manager (libstdc++ comes with g++)",
        path.display()
    )]
    DoesNotLoad { path: PathBuf, detail: String },
    #[error(
        "a C++ compiler is needed, but `{command}` does not run\n\n\
         hint: install one (Debian, Ubuntu: `apt-get install g++`), or name yours in `CXX`"
    )]
    NoCompiler { command: String },
    #[error(
        "there are no JPEG files in `{}`\n\n\
         hint: Pillow makes them on the first call: add `--with-pytorch`",
        folder.display()
    )]
    NoImages { folder: PathBuf },
    #[error("`{command}` failed ({status})")]
    Command { command: String, status: String },
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("`{command}` printed what cannot be read: {detail}")]
    Unreadable { command: String, detail: String },
}

impl Failure {
    /// For `map_err`: adds to an I/O error what was tried, and where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_sentence_and_a_hint() {
        let failures = [
            Failure::NoPython,
            Failure::NoPip { interpreter: "python3".into(), detail: "No module named pip".into() },
            Failure::WrongVersion { path: "/opt/libtorch".into(), found: "2.4.0".into() },
            Failure::DiskFull { folder: "target".into(), free: 3, needed: 1100 },
            Failure::UnsupportedPlatform { found: "aarch64 macos".into() },
        ];
        for failure in failures {
            let text = failure.to_string();
            let (sentence, hint) = text.split_once("\n\nhint: ").unwrap();
            assert!(!sentence.contains('\n') && !sentence.ends_with('.'), "{sentence}");
            assert!(!hint.is_empty() && !hint.contains("  "), "{hint}");
        }
    }

    #[test]
    fn a_wrong_version_names_found_and_expected() {
        let text = Failure::WrongVersion { path: "/opt/libtorch".into(), found: "2.4.0".into() }.to_string();
        assert!(
            text.starts_with("`LIBTORCH` is `/opt/libtorch`, which holds libtorch 2.4.0; expected 2.13\n")
        );
    }
}
