//! Whose packages the user takes.

use std::path::Path;

use nshot::failure::Result;
use nshot::packages::Options;
use nshot_package::PublicKey;

/// Options of commands that check a package.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The public key of a group that is not known here yet, or its file: get it from the group itself. May be repeated.
    #[arg(long, value_name = "KEY", value_parser = key)]
    trust: Vec<PublicKey>,
    /// Take packages that nobody signed, of groups whose key is not known.
    #[arg(long)]
    unsigned: bool,
}

impl Arguments {
    pub(super) fn options(&self) -> Options {
        Options { trust: self.trust.clone(), unsigned: self.unsigned, ..Options::default() }
    }
}

/// A key's text, or the file that holds it.
fn key(text: &str) -> Result<PublicKey, String> {
    let path = Path::new(text);
    let key = if path.is_file() { PublicKey::read(path) } else { text.parse() };
    key.map_err(|error| error.to_string())
}
