//! `nshot plugin keygen`, and where keys lie.

use std::path::PathBuf;

use nshot::failure::{Failure, Result};
use nshot_package::{KeyPair, Trust};

use super::password;
use crate::cli::output;

/// Makes the pair of keys that a group signs its packages with.
///
/// The files are those of `minisign`, which can use them too. The public key goes to everybody; the secret one, kept
/// under a password, to nobody.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin keygen")]
pub(in crate::cli) struct Arguments {
    /// The file of the secret key [default: nshot/minisign.key in the configuration folder].
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The file of the public key [default: the secret key's, with `.pub`].
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// A file whose first line is the password, `-` for the standard input; else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Keep the secret key without a password: whoever reads the file can sign.
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let secret = arguments.secret.clone().map_or_else(default_secret, Ok)?;
    let public = arguments.public.clone().unwrap_or_else(|| secret.with_extension("pub"));
    for path in [&secret, &public] {
        if path.exists() {
            return Err(Failure::new(format!("there is a key file `{}` already", path.display()))
                .hint("a group keeps its key; `--secret FILE` makes another one elsewhere"));
        }
    }
    let password = if arguments.no_password { None } else { Some(new_password(arguments)?) };
    let pair = KeyPair::generate(password.as_deref())?;
    for folder in [secret.parent(), public.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    }
    pair.save(&public, &secret)?;
    output::say(&format!(
        "secret key  {}\npublic key  {}, which is the line below: give it to those who install from you",
        secret.display(),
        public.display()
    ));
    output::print(&format!("{}\n", pair.public))
}

fn new_password(arguments: &Arguments) -> Result<String> {
    let file = arguments.password_file.as_deref();
    let password = password::ask("password of the new secret key", file)?;
    if file.is_none() && password::ask("the same again", None)? != password {
        return Err(Failure::new("the two passwords differ; no key was made"));
    }
    Ok(password)
}

/// Where the secret key lies that is used if none is named.
pub(super) fn default_secret() -> Result<PathBuf> {
    let trust = Trust::default_path();
    let folder = trust.as_deref().and_then(std::path::Path::parent);
    let absent = || Failure::new("there is no folder for the secret key").hint("set HOME, or name it");
    Ok(folder.ok_or_else(absent)?.join("minisign.key"))
}
