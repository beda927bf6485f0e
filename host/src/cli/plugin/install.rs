//! `nshot plugin install`.

use std::path::PathBuf;

use nshot::failure::Result;
use nshot::packages::{self, Offer, Options, Shelf};
use nshot_package::{Outcome, Source};
use semver::Version;

use super::{consent, login};
use crate::cli::output;

/// Installs a plugin from a package: a file, an https:// address, or a registry.
///
/// Hashes, signature and library are checked before anything of it can run. The first package of a group needs the
/// group's public key, `--trust KEY`; the key is remembered for the group, and another one is refused from then on.
/// Versions lie beside each other; a manifest takes the newest that it allows.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot plugin install my-sampler-0.1.0.nshot --trust my-lab.pub\n          \
                        nshot plugin install oci://registry.example.org/my-lab/my-sampler:0.1.0 --trust RWQ…\n          \
                        nshot plugin install --upgrade my-lab/my-sampler\n          \
                        nshot plugin install --from-lock runs/first-run/lock.json"
)]
pub(in crate::cli) struct Arguments {
    /// A package file, or its https:// or oci:// address; of a repository the newest version. With `--upgrade` also
    /// GROUP/PLUGIN: what is installed and came from a registry, whose newest version is taken.
    #[arg(value_name = "FILE|URL|oci://…", required_unless_present = "from_lock")]
    source: Option<String>,
    /// Install the plugins of a run's lock: those very files, from where its user had them.
    #[arg(long, value_name = "LOCK", conflicts_with_all = ["source", "upgrade", "older"])]
    from_lock: Option<PathBuf>,
    /// Remove the older versions of the plugin once the new one is there.
    #[arg(long, conflicts_with = "older")]
    upgrade: bool,
    /// Install it although a newer version is installed.
    #[arg(long)]
    older: bool,
    #[command(flatten)]
    consent: consent::Arguments,
    #[command(flatten)]
    login: login::Arguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<()> {
    let Arguments { upgrade, older, .. } = *arguments;
    let mut shelf = Shelf::open()?;
    let client = arguments.login.client()?;
    let options = Options { upgrade, older, ..arguments.consent.options() };
    if let Some(lock) = &arguments.from_lock {
        for brought in packages::bring(lock, &mut shelf, &client, &options)? {
            let how = if brought.was_there { "is here" } else { "installed" };
            remembered(brought.new_key_of.as_deref());
            output::print(&format!("{}: {how}\n", brought.plugin))?;
        }
        return Ok(());
    }
    let source = arguments.source.as_deref().unwrap_or_default();
    let fetched = match packages::installed_name(source).filter(|_| upgrade) {
        None => Source::parse(source)?.fetch(&client)?,
        Some((group, plugin)) => match packages::offer(&shelf, group, plugin, &client)? {
            Offer::Newer(fetched) => fetched,
            Offer::Newest { plugin, repository, removed } => {
                were_removed(&removed);
                return output::print(&format!("{plugin}: the newest version of `{repository}`\n"));
            }
        },
    };
    let outcome = packages::install(&mut shelf, &fetched, &options)?;
    let Outcome { installed, was_there, is_new_key, removed } = outcome;
    let info = &installed.info;
    remembered(is_new_key.then_some(&info.group));
    were_removed(&removed);
    let how = if was_there { "was installed already" } else { "installed" };
    let names: Vec<String> = info.components.iter().map(|c| format!("{} `{}`", c.kind, c.name)).collect();
    output::print(&format!("{}: {how}; {}\n", info.title(), names.join(", ")))
}

fn were_removed(versions: &[Version]) {
    for version in versions {
        output::say(&format!("removed {version}"));
    }
}

fn remembered(group: Option<&str>) {
    if let Some(group) = group {
        output::say(&format!("the key of `{group}` is remembered"));
    }
}
