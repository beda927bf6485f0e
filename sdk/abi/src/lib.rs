//! The boundary between the nshot host and its plugins, and nothing else.
//!
//! Everything here has a fixed layout, checked when a plugin is loaded. A plugin author uses `nshot-sdk`, which
//! wraps it; a host uses `nshot-loader`. Two rules keep a plugin built today working with later hosts:
//!
//! - a plain struct or enum never changes within a major version;
//! - a table (a `sabi_trait`, or the root table [`Plugin`]) grows at its end only, and what is added has a default.
//!
//! This crate's version is the ABI's, and part of every type's layout: it changes only with the ABI.

// The macros of abi_stable expand to unsafe code and to impls beside their types; `from_text` is a space's method.
#![allow(unsafe_code, non_local_definitions, clippy::pedantic, clippy::wrong_self_convention)]

pub mod component;
mod differences;
pub mod host;
pub mod layout;
pub mod metadata;
pub mod root;
pub mod value;

pub use abi_stable;
pub use root::{Plugin, PluginRef};
pub use value::{AbiError, AbiResult, Attribute, Value};

/// Version of this ABI: major, minor. A host takes plugins of its own major version.
pub const VERSION: (u32, u32) = (1, 0);
