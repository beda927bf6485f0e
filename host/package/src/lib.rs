//! Plugins that travel: a plugin is packed into one file, signed, passed from group to group, and installed.
//!
//! ```text
//! libraries + files ──► Package ──► NAME-VERSION.nshot (+ .minisig) ──► file, web or registry
//!                                                                             │
//! Plugins (the user's folder) ◄── gate ◄── Trust ◄── signature ◄── Package ◄── Source
//! ```
//!
//! - A package is tar in zstd, of one form only: the same input gives the same bytes, and bytes that this crate
//!   would not write are refused. See [`Package`] for what is in it.
//! - Archives, signatures and registries are foreign: everything read has a limit, and nothing panics.
//! - Nothing of a plugin runs here; its library passes the loader's gate before it is put in place.
//! - This crate knows nothing of libtorch. It waits for the network with a runtime of its own, and so may not be
//!   called from inside another `tokio` runtime.

mod archive;
mod client;
mod error;
mod files;
mod info;
mod install;
mod key;
mod oci;
mod package;
mod reference;
mod signature;
mod source;
mod text;
mod trust;
mod upgrade;
mod verify;
mod web;

pub use client::{Client, Login, Pushed};
pub use error::{Error, Problem};
pub use files::source_tree;
pub use info::{Component, Info, newer, newest};
pub use install::{Installed, Outcome, Plugins, Record};
pub use key::{KeyPair, PublicKey, SecretKey};
pub use package::{Contents, Library, Package};
pub use reference::Reference;
pub use signature::{Signature, sign, signature_path};
pub use source::{Fetched, Source};
pub use trust::Trust;
pub use verify::{Consent, Verified};

#[cfg(test)]
#[path = "fuzz_tests.rs"]
mod fuzz;
#[cfg(test)]
mod testing;

/// The largest package file, in bytes.
pub const SIZE_LIMIT: u64 = 256 << 20;
