//! `nshot plugin pack`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot::packages::{Order, pack};
use nshot::plugins::Plugins;
use nshot::run_directory::write_atomically;
use nshot_package::signature_path;

use crate::cli::output;

/// Packs a plugin's crate into one file, NAME-VERSION.nshot, that others can install without a compiler.
///
/// The crate is built in release. The package holds the library, README.md, the licences (LICENSE*), and plugin.toml
/// with the SHA-256 of each. The same input gives the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin pack my-sampler\n          \
                        nshot plugin pack my-sampler --source --add from-another-machine/my-sampler-0.1.0.nshot")]
pub(in crate::cli) struct Arguments {
    /// The folder of the plugin's crate.
    #[arg(value_name = "CRATE")]
    folder: PathBuf,
    /// The folder that gets the package.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Pack this library of the crate, which is built already.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// Put the source in too: all of the folder but `target`, `runs` and hidden files.
    #[arg(long)]
    source: bool,
    /// Take the library of this package too: the same plugin, packed on another kind of machine. May be repeated.
    #[arg(long, value_name = "PACKAGE")]
    add: Vec<PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let Arguments { folder, out, library, source, add } = arguments;
    if !out.is_dir() {
        return Err(Failure::usage(format!("there is no folder `{}`", out.display())));
    }
    let order = Order { folder: folder.clone(), library: library.clone(), source: *source, add: add.clone() };
    let packed = pack(&order, &Plugins::open()?)?;
    packed.notes.iter().for_each(|note| output::say(&format!("note: {note}")));
    let bytes = packed.package.to_bytes()?;
    let path = out.join(packed.package.file_name());
    let is_same = std::fs::read(&path).is_ok_and(|before| before == bytes);
    if !is_same {
        write_atomically(&path, &bytes)?;
        if signature_path(&path).exists() {
            let signature = signature_path(&path);
            output::say(&format!(
                "note: the signature `{}` is of another content; sign again",
                signature.display()
            ));
        }
    }
    output::say(&format!("{}, {} bytes", packed.package.info().title(), bytes.len()));
    output::print(&format!("{}\n", path.display()))
}
