//! `nshot plugin trust`.

use nshot::failure::{Failure, Result};
use nshot::packages::Shelf;

use crate::cli::output;

/// Lists the groups whose packages may be installed, with their public keys; or forgets one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot plugin trust\n          nshot plugin trust --forget my-lab")]
pub(in crate::cli) struct Arguments {
    /// Forget the key of this group; what is installed stays.
    #[arg(long, value_name = "GROUP")]
    forget: Option<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let mut trust = Shelf::open()?.trust;
    if let Some(group) = &arguments.forget {
        if trust.forget(group)? {
            return output::print(&format!("the key of `{group}` is forgotten\n"));
        }
        return Err(Failure::new(format!("no key of the group `{group}` is known"))
            .hint("`nshot plugin trust` lists those that are"));
    }
    let rows: Vec<_> =
        trust.groups().map(|(group, key)| [group.to_owned(), key.id(), key.to_string()]).collect();
    output::print_table(["group", "identifier", "public key"], &rows)
}
