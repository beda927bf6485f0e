//! Plugin files: from a path to a plugin that can be called, or to a sentence that says why not.
//!
//! ```text
//! bytes ──► gate ──► store ──► probe (child process, once for each file) ──► dlopen ──► layout ──► Plugin
//! ```
//!
//! - Nothing of a plugin runs before the [`gate`] has accepted its bytes, and nothing runs in the host before
//!   it has run in a child process.
//! - The bytes are read once; what was checked is what is loaded, from the [`Store`].
//! - A loaded library is never unloaded.
//! - This crate knows nothing of libtorch.
//!
//! The gate stops accidents, not attackers: loaded code can do what the user can.

mod component;
mod folders;
pub mod gate;
mod hash;
mod image;
mod library;
mod load_error;
mod loader;
mod machine;
mod metadata;
pub mod probe;
mod refusal;
mod store;

pub use component::{ComponentInfo, Components, Kind};
pub use folders::{Folders, default_plugin_folder, default_store};
pub use hash::Hash;
pub use load_error::LoadError;
pub use loader::{Found, Loader, Looked, Plugin, PluginFile};
pub use machine::target;
pub use metadata::{Announced, Metadata};
pub use refusal::{Reason, Refusal, clean};
pub use store::{Store, StoreError, Stored};
