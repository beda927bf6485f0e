//! Plugins that travel: packed from a crate, installed with the user's consent, brought back by a lock.

mod from_lock;
mod install;
mod pack;
mod upgrade;

use nshot_package::{Plugins, Trust};

use crate::failure::{Failure, Result};

pub use from_lock::{Brought, bring};
pub use install::{Options, Trusted, consent, install};
pub use pack::{Order, Packed, pack};
pub use upgrade::{Offer, installed_name, offer};

/// The user's installed plugins, and whose signatures count for him.
pub struct Shelf {
    /// The installed plugins.
    pub plugins: Plugins,
    /// The keys of the groups that he knows.
    pub trust: Trust,
}

impl Shelf {
    /// Opens both where they lie for this user.
    ///
    /// # Errors
    /// There is no home folder, or the file of trusted keys is damaged.
    pub fn open() -> Result<Self> {
        let absent = || Failure::new("there is no folder for the plugins").hint("set HOME, or XDG_DATA_HOME");
        let folder = nshot_loader::default_plugin_folder().ok_or_else(absent)?;
        let trust = Trust::default_path().ok_or_else(absent)?;
        Ok(Self { plugins: Plugins::new(folder), trust: Trust::open(trust)? })
    }
}
