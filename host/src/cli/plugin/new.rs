//! `nshot plugin new`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot::scaffold;
use nshot_loader::Kind;

use crate::cli::output;

/// Makes a plugin's crate: the shortest useful example of a kind, with tests and a manifest to try it.
///
/// The crate is whole: the SDK lies in its folder `vendor`, so it builds anywhere that Rust is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin new sampler my-sampler")]
pub(in crate::cli) struct Arguments {
    /// What the plugin is.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    kind: String,
    /// Its name: a-z, 0-9 and `-`.
    name: String,
    /// The folder that gets the crate's folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// The SDK's folder (`sdk` in a checkout of nshot), in place of the one in this program.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

pub(super) fn main(new: &Arguments) -> Result<()> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == new.kind);
    let kind = kind.ok_or_else(|| Failure::usage(format!("there is no kind `{}`", new.kind)))?;
    let folder = scaffold::create(&scaffold::New {
        kind,
        name: new.name.clone(),
        parent: new.path.clone(),
        sdk: new.sdk.clone(),
    })?;
    let shown = folder.display();
    output::say(&format!(
        "made `{shown}`\n\n  cd {shown}\n  cargo test           # needs neither nshot nor libtorch\n  nshot plugin check . # \
         whether it keeps what its kind promises\n  nshot run run.toml   # builds it and runs it"
    ));
    Ok(())
}
