//! Newer and older versions of a plugin.

use semver::Version;

use crate::error::Error;
use crate::info::Info;
use crate::install::{Outcome, Plugins};
use crate::source::Fetched;
use crate::trust::Trust;
use crate::verify::Consent;

impl Plugins {
    /// Installs a version and removes the older ones of the same plugin.
    ///
    /// # Errors
    /// Those of [`Plugins::install`], [`Plugins::remove`].
    pub fn upgrade(&self, fetched: &Fetched, consent: &Consent, trust: &mut Trust) -> Result<Outcome, Error> {
        let mut outcome = self.install(fetched, consent, trust)?;
        let Info { group, plugin, version, .. } = &outcome.installed.info;
        outcome.removed = self.remove_older(group, plugin, version)?;
        Ok(outcome)
    }

    /// Removes the versions of a plugin that are older than one, and returns them.
    ///
    /// # Errors
    /// Those of [`Plugins::remove`].
    pub fn remove_older(&self, group: &str, plugin: &str, than: &Version) -> Result<Vec<Version>, Error> {
        let mut older = self.versions(group, plugin);
        older.retain(|version| version < than);
        older.iter().try_for_each(|version| self.remove(group, plugin, version))?;
        Ok(older)
    }

    /// Refuses a version that is older than an installed one: who can choose which version is fetched could bring
    /// back a mistake that was mended. A pre-release that is installed does not count against a release.
    ///
    /// # Errors
    /// [`Error::Older`].
    pub fn refuse_older(&self, info: &Info) -> Result<(), Error> {
        let versions = self.versions(&info.group, &info.plugin);
        let counts =
            versions.iter().filter(|installed| installed.pre.is_empty() || !info.version.pre.is_empty());
        match counts.max().filter(|installed| **installed > info.version) {
            // It is there already; nothing changes.
            Some(_) if versions.contains(&info.version) => Ok(()),
            Some(newest) => Err(Error::Older { package: info.title(), installed: newest.to_string() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fetched, keys};

    #[test]
    fn an_older_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (pair, secret) = keys();
        let plugins = Plugins::new(folder.path().join("plugins"));
        let mut trust = Trust::open(folder.path().join("trust.toml")).unwrap();
        let consent = Consent::Signed { trust: Some(pair.public) };
        let (old, new) = (fetched("0.1.0", Some(&secret)), fetched("0.2.0", Some(&secret)));
        let info = |fetched: &Fetched, trust: &Trust| {
            fetched.verify(&consent, trust).unwrap().package.info().clone()
        };
        let before = info(&old, &trust);
        plugins.refuse_older(&before).unwrap();
        plugins.install(&new, &consent, &mut trust).unwrap();
        let said = plugins.refuse_older(&before).unwrap_err().to_string();
        assert!(
            said.contains("0.1.0 is older than the installed 0.2.0") && said.contains("hint: "),
            "{said}"
        );
        plugins.refuse_older(&info(&new, &trust)).unwrap();
        plugins.install(&old, &consent, &mut trust).unwrap();
        plugins.refuse_older(&before).unwrap();
    }
}
