//! Opening a plugin file with the system's loader, and checking what comes out before any of it is called.

// `dlopen` runs code, a symbol's type is the caller's claim, and the table is taken after a check of its own.
#![allow(unsafe_code)]

use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use nshot_abi::abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use nshot_abi::abi_stable::std_types::RResult;
use nshot_abi::host::ServicesRef;
use nshot_abi::{AbiError, AbiResult, PluginRef};

use crate::component::TEXT_LIMIT;
use crate::machine;
use crate::refusal::{Reason, clean};

/// Opens the file, an absolute path, and checks ABI version and layout. The library stays loaded for ever.
///
/// # Errors
/// The file cannot be opened, the symbol is not there, or the boundary is another one.
pub(crate) fn open(path: &Path, root: &str) -> Result<PluginRef, Reason> {
    // All symbols now: with lazy binding a missing one would end the process at some later call.
    // SAFETY: this runs the file's constructors. The gate has accepted the file, and in the host they have
    // run once in the probe.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|e| Reason::Open(clean(&system_text(&e), 500)))?;
    // SAFETY: the symbol is an object with room for this header (checked by the gate); a reference to it is
    // made of the symbol's address, and what it points to is compared before anything behind it is used.
    let header = unsafe { library.get::<AbiHeaderRef>(root) }.map(|symbol| *symbol);
    // What the plugin hands out points into the library.
    std::mem::forget(library);
    let header = header.map_err(|_| Reason::NoRoot { expected: root.to_owned() })?;
    let header = header.upgrade().map_err(|e| not_a_table(root, &header_text(e)))?;
    check_version(header, root)?;
    let no_layout = || not_a_table(root, "it carries no description of its types");
    nshot_abi::layout::compare(header.layout().ok_or_else(no_layout)?).map_err(Reason::Layout)?;
    // SAFETY: the layout has just been compared, in both directions.
    let table = unsafe { header.unchecked_layout::<PluginRef>() };
    table.map_err(|e| not_a_table(root, &e.to_string()))
}

/// What the system's loader says: libloading keeps it as the source.
fn system_text(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

fn header_text(error: LibraryError) -> String {
    match error {
        LibraryError::InvalidAbiHeader(found) => {
            let ours = nshot_abi::abi_stable::library::AbiHeader::VALUE;
            let name = |magic: [u8; 32]| String::from_utf8_lossy(&magic).trim_end_matches('\0').to_owned();
            format!(
                "its header is `{}` {}.{}, expected `{}` {}.{}",
                name(found.magic_string),
                found.abi_major,
                found.abi_minor,
                name(ours.magic_string),
                ours.abi_major,
                ours.abi_minor
            )
        }
        error => error.to_string(),
    }
}

/// The version of the ABI crate inside the file, which the metadata cannot misstate.
fn check_version(header: &LibHeader, root: &str) -> Result<(), Reason> {
    let text = header.version_strings().version.to_string();
    let found = machine::parse_version(&text);
    let found = found.ok_or_else(|| not_a_table(root, &format!("its ABI version is `{text}`")))?;
    let expected = nshot_abi::VERSION.0;
    if found.0 == expected { Ok(()) } else { Err(Reason::Abi { found, expected }) }
}

fn not_a_table(symbol: &str, found: &str) -> Reason {
    let found: Vec<&str> = found.split_whitespace().collect();
    Reason::Root { symbol: symbol.to_owned(), found: clean(&found.join(" "), 500) }
}

/// Gives the plugin the host's services.
///
/// # Errors
/// What the plugin says.
pub(crate) fn attach(root: PluginRef, services: ServicesRef) -> Result<(), Reason> {
    answer("attach", root.attach()(services))
}

/// Asks for the components, as JSON.
///
/// # Errors
/// What the plugin says, or that its text is too long.
pub(crate) fn components(root: PluginRef) -> Result<String, Reason> {
    let text = answer("components", root.components()())?;
    if text.len() > TEXT_LIMIT {
        let text = format!("the text has {} bytes; expected at most {TEXT_LIMIT}", text.len());
        return Err(Reason::Components(text));
    }
    Ok(text.into())
}

fn answer<T>(call: &str, result: AbiResult<T>) -> Result<T, Reason> {
    match result {
        RResult::ROk(value) => Ok(value),
        RResult::RErr(AbiError { text, .. }) => {
            Err(Reason::Call { call: call.to_owned(), text: clean(&text, 500) })
        }
    }
}
