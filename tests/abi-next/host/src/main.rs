//! The smallest host: loads a plugin file as `nshot` would, drives every component that it has, and prints what came
//! of it as one JSON object. The same source is a host of ABI 1.0, and with the feature `next` of ABI 1.1.
//!
//! `nshot-abi-host FILE` is the probe that its own loader calls; `nshot-abi-host STORE FILE` is the host.

mod drive;
mod views;

use std::path::Path;
use std::process::ExitCode;

use nshot_loader::{Loader, Store};
use serde_json::{Map, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, file] = &arguments[..] else { return nshot_loader::probe::main() };
    match host(Path::new(store), Path::new(file)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn host(store: &Path, file: &Path) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let loader = Loader::new(Store::open(store)?, std::env::current_exe()?, &views::SERVICES);
    let plugin = loader.load(file)?;
    let mut components = Map::new();
    for component in &plugin.file.components {
        let said = drive::component(plugin.root, component.kind, &component.name);
        components.insert(component.name.clone(), said);
    }
    Ok(json!({
        "host": nshot_abi::VERSION,
        "plugin": plugin.file.metadata.abi,
        "warnings": plugin.file.warnings,
        "components": components,
        "notes": drive::notes(plugin.root),
    }))
}
