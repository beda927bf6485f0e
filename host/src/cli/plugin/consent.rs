//! Whose packages the user takes.

use std::path::Path;

use nshot::failure::Result;
use nshot::packages::{Options, Trusted};
use nshot_package::PublicKey;

/// Options of commands that check a package.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The public key of a group that is not known here yet, or its file: get it from the group itself. Where several
    /// groups are new, each with its name. May be repeated.
    #[arg(long, value_name = "[GROUP=]KEY", value_parser = trusted)]
    trust: Vec<Trusted>,
    /// Take packages that nobody signed, of groups whose key is not known.
    #[arg(long)]
    unsigned: bool,
}

impl Arguments {
    pub(super) fn options(&self) -> Options {
        Options { trust: self.trust.clone(), unsigned: self.unsigned, ..Options::default() }
    }
}

/// A key's text, or the file that holds it, with or without the group in front.
fn trusted(text: &str) -> Result<Trusted, String> {
    // A key has a `=` at its end at most.
    let (group, text) = match text.split_once('=') {
        Some((group, rest)) if !rest.is_empty() && !Path::new(text).is_file() => {
            (Some(group.to_owned()), rest)
        }
        _ => (None, text),
    };
    let path = Path::new(text);
    let key = if path.is_file() {
        PublicKey::read(path).map_err(|error| error.to_string())
    } else {
        text.parse().map_err(|error| format!("{error}; nor is it a file"))
    };
    Ok(Trusted { group, key: key? })
}
