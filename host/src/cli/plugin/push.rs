//! `nshot plugin push`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot_package::{Fetched, Package, Reference};

use super::login;
use crate::cli::output;

/// Sends a package and its signature to a registry, under its version.
///
/// Any registry of the Open Container Initiative takes it. A version is never replaced by another content. The name and
/// digest of what is there now are printed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot plugin push my-sampler-0.1.0.nshot oci://registry.example.org/my-lab/my-sampler"
)]
pub(in crate::cli) struct Arguments {
    /// The package; its signature lies beside it.
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// The repository: one for each plugin.
    #[arg(value_name = "oci://HOST/REPOSITORY")]
    to: String,
    /// Send it although nobody signed it.
    #[arg(long)]
    unsigned: bool,
    #[command(flatten)]
    login: login::Arguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let to: Reference = arguments.to.parse()?;
    let fetched = Fetched::read(&arguments.package)?;
    Package::open(&fetched.bytes, &fetched.name)?;
    if fetched.signature.is_none() && !arguments.unsigned {
        let text = format!("`{}` is not signed", arguments.package.display());
        return Err(Failure::new(text)
            .hint("`nshot plugin sign` signs it; a version keeps its content in a registry, and its signature with it"));
    }
    let pushed = arguments.login.client()?.push(&fetched.bytes, fetched.signature.as_deref(), &to)?;
    if pushed.was_there {
        output::say("it was there already");
    }
    output::print(&format!("{}@{}\n", pushed.reference, pushed.digest))
}
