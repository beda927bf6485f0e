//! `nshot plugin sign`.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot::run_directory::write_atomically;
use nshot_package::{Fetched, Package, SecretKey, sign, signature_path};

use super::{keygen, password};
use crate::cli::output;

/// Signs a package with the group's secret key: PACKAGE.minisig is written beside it.
///
/// `minisign` can verify the signature, and can make it too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin sign my-sampler-0.1.0.nshot")]
pub(in crate::cli) struct Arguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// The file of the secret key [default: the one that `nshot plugin keygen` makes].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A file whose first line is the key's password, `-` for the standard input; else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let path = &arguments.package;
    let fetched = Fetched::read(path)?;
    let package = Package::open(&fetched.bytes, &fetched.name)?;
    let key = read_key(arguments)?;
    let signature = sign(&fetched.bytes, package.info(), &package.file_name(), &key)?;
    let beside = signature_path(path);
    write_atomically(&beside, signature.as_bytes())?;
    output::print(&format!("{}\n", beside.display()))
}

fn read_key(arguments: &Arguments) -> Result<SecretKey> {
    let path = arguments.key.clone().map_or_else(keygen::default_secret, Ok)?;
    if !path.exists() {
        let failure = Failure::new(format!("there is no secret key `{}`", path.display()));
        return Err(failure.hint("`nshot plugin keygen` makes one, `--key FILE` names another"));
    }
    let text = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let password = if SecretKey::needs_password(&String::from_utf8_lossy(&text)) {
        Some(password::ask("password of the secret key", arguments.password_file.as_deref())?)
    } else {
        None
    };
    Ok(SecretKey::read(&path, password.as_deref())?)
}
