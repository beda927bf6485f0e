//! The SDK's source, as this program carries it.

use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

use super::write;
use crate::failure::{Failure, Result};

/// The crates that a plugin needs: the SDK with the ABI in it, and the graphs that its test kit draws on.
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk");
static GRAPH: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/graph");
/// The workspace that they inherit from.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const LICENSES: [(&str, &str); 2] = [
    ("LICENSE-MIT", include_str!("../../../LICENSE-MIT")),
    ("LICENSE-APACHE", include_str!("../../../LICENSE-APACHE")),
];

/// Writes it to a folder, as a workspace of its own.
pub(super) fn unpack(folder: &Path) -> Result<()> {
    extract(&SDK, &folder.join("sdk"))?;
    extract(&GRAPH, &folder.join("host/graph"))?;
    write(&folder.join("Cargo.toml"), workspace()?.as_bytes())?;
    LICENSES.iter().try_for_each(|(name, text)| write(&folder.join(name), text.as_bytes()))
}

/// The workspace's manifest with these crates alone.
fn workspace() -> Result<String> {
    let mut manifest: toml::Table = toml::from_str(WORKSPACE)?;
    manifest.remove("profile");
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut);
    let workspace = workspace.ok_or_else(|| Failure::new("the SDK's workspace is damaged"))?;
    for key in ["exclude", "default-members"] {
        workspace.remove(key);
    }
    let members = ["sdk", "sdk/abi", "host/graph"].map(|member| toml::Value::String(member.to_owned()));
    workspace.insert("members".to_owned(), toml::Value::Array(members.to_vec()));
    if let Some(dependencies) = workspace.get_mut("dependencies").and_then(toml::Value::as_table_mut) {
        let ours = ["nshot-abi", "nshot-sdk", "nshot-graph"];
        dependencies.retain(|name, _| !name.starts_with("nshot-") || ours.contains(&name));
    }
    Ok(toml::to_string(&manifest)?)
}

fn extract(from: &Dir<'_>, to: &Path) -> Result<()> {
    for entry in from.entries() {
        let name = entry.path().file_name().unwrap_or_default();
        match entry {
            // Their tests stay with the project.
            DirEntry::Dir(_) if name == "tests" || name == "target" => {}
            DirEntry::Dir(folder) => extract(folder, &to.join(name))?,
            DirEntry::File(file) => write(&to.join(name), file.contents())?,
        }
    }
    Ok(())
}
