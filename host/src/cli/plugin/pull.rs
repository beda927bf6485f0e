//! `nshot plugin pull`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot::run_directory::write_atomically;
use nshot_package::{Package, Reference, signature_path};

use super::login;
use crate::cli::output;

/// Gets a package and its signature from a registry, as files. Nothing is installed or trusted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot plugin pull oci://registry.example.org/my-lab/my-sampler:0.1.0 --out packages"
)]
pub(in crate::cli) struct Arguments {
    /// A version, a digest, or a repository, of which the newest version is meant.
    #[arg(value_name = "oci://HOST/REPOSITORY[:VERSION|@DIGEST]")]
    from: String,
    /// The folder that gets the files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    login: login::Arguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let from: Reference = arguments.from.parse()?;
    if !arguments.out.is_dir() {
        return Err(Failure::usage(format!("there is no folder `{}`", arguments.out.display())));
    }
    let fetched = arguments.login.client()?.pull(&from)?;
    let package = Package::open(&fetched.bytes, &fetched.name)?;
    let path = arguments.out.join(package.file_name());
    // The package last: one that is there has the signature that belongs to it.
    let signature = signature_path(&path);
    match &fetched.signature {
        Some(text) => write_atomically(&signature, text.as_bytes())?,
        None if signature.exists() => {
            let text = format!("`{}` is there, but the package has no signature", signature.display());
            return Err(Failure::new(text).hint("remove it, or name another folder with `--out`"));
        }
        None => {}
    }
    write_atomically(&path, &fetched.bytes)?;
    output::say(&format!("{} {}", package.info().title(), fetched.digest.unwrap_or_default()));
    output::print(&format!("{}\n", path.display()))
}
