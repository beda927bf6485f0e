//! Why a plugin file was refused, in one sentence and a hint.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A plugin file that is not loaded, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file, as it was given.
    pub file: String,
    /// What is wrong with it.
    pub reason: Reason,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the plugin file `{}` {}", clean(&self.file, 4096), self.reason)?;
        match self.reason.hint() {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a plugin file. Its text goes on after "the plugin file `…`".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// No bytes.
    #[error("is empty; expected an ELF shared library")]
    Empty,
    /// More bytes than any plugin has.
    #[error("has {found} bytes; expected at most {limit}")]
    TooLarge {
        /// Size of the file in bytes.
        found: u64,
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// Another kind of file.
    #[error("is {found}; expected an ELF shared library")]
    NotALibrary {
        /// What it looks like.
        found: String,
    },
    /// Less bytes than the file's own headers speak of.
    #[error("is cut short: it has {found} bytes, its headers speak of {expected}")]
    Truncated {
        /// Size of the file in bytes.
        found: u64,
        /// Where the last part of it ends, in bytes.
        expected: u64,
    },
    /// Another processor, word size or byte order.
    #[error("is built for {found}; this machine is {expected}")]
    Machine {
        /// What the file is for.
        found: String,
        /// What the machine is.
        expected: String,
    },
    /// Headers that contradict themselves.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// A shared library, but no plugin.
    #[error("is a shared library but no nshot plugin: it has no section `{}`", nshot_abi::metadata::SECTION)]
    NotAPlugin,
    /// The metadata record cannot be read.
    #[error("has a damaged metadata record: {0}")]
    Metadata(String),
    /// A metadata record of another format.
    #[error("has metadata of format {found}; this host reads format {expected}")]
    MetadataFormat {
        /// The file's format.
        found: u64,
        /// The host's format.
        expected: u64,
    },
    /// Another major version of the ABI.
    #[error("is built for ABI {}.{}; this host takes ABI {expected}.x", found.0, found.1)]
    Abi {
        /// The file's ABI version: major, minor.
        found: (u32, u32),
        /// The host's major version.
        expected: u32,
    },
    /// The record says another target than the host's.
    #[error("is built for the target `{found}`; this host is `{expected}`")]
    Target {
        /// The file's target.
        found: String,
        /// The host's target.
        expected: String,
    },
    /// A panic would end the host.
    #[error(
        "is built with `panic = \"{found}\"`, so that its panic would end the host; expected `panic = \"unwind\"`"
    )]
    Panic {
        /// The file's panic strategy.
        found: String,
    },
    /// It needs a library that a plugin may not need.
    #[error("needs the library `{found}`; a plugin may need {expected}")]
    Needs {
        /// The library.
        found: String,
        /// The libraries that a plugin may need.
        expected: String,
    },
    /// It needs a newer C library.
    #[error("needs glibc {found}; this machine has {expected}")]
    Glibc {
        /// The version that it needs.
        found: String,
        /// The machine's version.
        expected: String,
    },
    /// It is compiled for a processor that can more.
    #[error("is compiled for a processor with {}, which this machine lacks", quoted(found))]
    CpuFeatures {
        /// The features that are missing.
        found: Vec<String>,
    },
    /// The table is not there.
    #[error("does not export its root symbol `{expected}`")]
    NoRoot {
        /// The symbol that the metadata names.
        expected: String,
    },
    /// The symbol is there, but it is no table.
    #[error("exports `{symbol}`, but not as a root table: {found}")]
    Root {
        /// The symbol that the metadata names.
        symbol: String,
        /// What it is.
        found: String,
    },
    /// The system's loader refuses it.
    #[error("cannot be loaded: {0}")]
    Open(String),
    /// The types at the boundary differ.
    #[error("does not fit this host's ABI:{}", listed(.0))]
    Layout(Vec<String>),
    /// A call at load time returned an error.
    #[error("failed in `{call}`: {text}")]
    Call {
        /// The function of the root table.
        call: String,
        /// What it said.
        text: String,
    },
    /// The list of components is wrong.
    #[error("describes its components wrongly: {0}")]
    Components(String),
    /// A signal ended the child process that tried it.
    #[error("crashed when it was first loaded, in a process of its own, by signal {signal}{}", after(.said.as_ref()))]
    Crashed {
        /// Number and name of the signal.
        signal: String,
        /// The last line that the process wrote to its standard error.
        said: Option<String>,
    },
    /// The child process that tried it did not come to an end.
    #[error("did not answer within {seconds} s when it was first loaded, in a process of its own")]
    TimedOut {
        /// The limit in seconds.
        seconds: u64,
    },
    /// The child process that tried it ended without a verdict.
    #[error("ended the process in which it was first loaded, with {status}{}", after(.said.as_ref()))]
    NoAnswer {
        /// The exit status.
        status: String,
        /// The last line that the process wrote to its standard error.
        said: Option<String>,
    },
}

impl Reason {
    /// Makes it a refusal of this file.
    pub fn of(self, file: impl Into<String>) -> Refusal {
        Refusal { file: file.into(), reason: self }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let (major, minor) = nshot_abi::VERSION;
        let text = match self {
            Self::Empty | Self::Truncated { .. } | Self::Damaged(_) | Self::Metadata(_) => {
                "copy or build the file again (`cargo build --release`)".to_owned()
            }
            Self::NotALibrary { .. } | Self::NotAPlugin => {
                "a plugin is a `cdylib` crate that calls `nshot_sdk::plugin!`; build it with `cargo build --release`"
                    .to_owned()
            }
            Self::Machine { .. } | Self::Target { .. } => {
                "build the plugin on this machine with `cargo build --release`".to_owned()
            }
            Self::MetadataFormat { .. }
            | Self::Abi { .. }
            | Self::NoRoot { .. }
            | Self::Root { .. }
            | Self::Layout(_) => {
                format!("rebuild the plugin with an nshot-sdk of ABI {major}.{minor} (`cargo build --release`)")
            }
            Self::Panic { .. } => {
                "remove `panic = \"abort\"` from the profile and from RUSTFLAGS, then build the plugin again"
                    .to_owned()
            }
            Self::Needs { .. } => {
                "link the library statically, or leave it out: tensors are computed by the host alone".to_owned()
            }
            Self::Glibc { .. } => "build the plugin on this machine, or on one with a glibc as old".to_owned(),
            Self::CpuFeatures { .. } => {
                "build the plugin without `-C target-cpu` and `-C target-feature`, or on this machine".to_owned()
            }
            Self::Open(text) if text.contains("undefined symbol") => {
                "the plugin calls a function that it does not contain; link the library that has it statically"
                    .to_owned()
            }
            Self::Crashed { .. } | Self::TimedOut { .. } | Self::NoAnswer { .. } => {
                "if the file is whole, something in the plugin runs when it is loaded; `nshot-probe FILE` tries it alone"
                    .to_owned()
            }
            Self::TooLarge { .. } | Self::Open(_) | Self::Call { .. } | Self::Components(_) => return None,
        };
        Some(text)
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn listed(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n  " + line)
}

fn after(line: Option<&String>) -> String {
    line.map_or_else(String::new, |line| format!(" (it wrote `{line}`)"))
}

/// Text of a file or a plugin, fit for a terminal: in one line, at most `limit` characters long.
pub fn clean(text: &str, limit: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = chars.by_ref().take(limit).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}
