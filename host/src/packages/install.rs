//! Installing what was fetched, as far as the user agrees.

use nshot_package::{Consent, Fetched, Outcome, Package, PublicKey, Signature};

use super::Shelf;
use crate::failure::Result;

/// A key that the user vouches for.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// The group that it is of; without it, that of whatever package it signed.
    pub group: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// What the user agrees to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys of groups that are not known yet.
    pub trust: Vec<Trusted>,
    /// Packages that nobody signed, of groups whose key is not known.
    pub unsigned: bool,
    /// Older versions of the plugin go.
    pub upgrade: bool,
    /// The version may be older than an installed one.
    pub older: bool,
}

/// What that means for one package: of its group's keys, the one that the signature says it was made with.
///
/// # Errors
/// The package or its signature is damaged.
pub fn consent(fetched: &Fetched, options: &Options) -> Result<Consent> {
    if options.unsigned && (fetched.signature.is_none() || options.trust.is_empty()) {
        return Ok(Consent::Unsigned);
    }
    if options.trust.is_empty() {
        return Ok(Consent::Signed { trust: None });
    }
    let package = Package::open(&fetched.bytes, &fetched.name)?;
    let signature =
        fetched.signature.as_ref().map(|text| Signature::parse(text, &fetched.name)).transpose()?;
    let of_group =
        |trusted: &&Trusted| trusted.group.as_ref().is_none_or(|group| *group == package.info().group);
    let keys: Vec<&PublicKey> = options.trust.iter().filter(of_group).map(|trusted| &trusted.key).collect();
    let signed =
        keys.iter().find(|key| signature.as_ref().is_some_and(|signature| signature.key_id() == key.id()));
    Ok(Consent::Signed { trust: signed.or(keys.first()).copied().cloned() })
}

/// Checks a package and puts it in place.
///
/// # Errors
/// It is damaged, not signed by whom it should be, older than an installed version, or does not run here.
pub fn install(shelf: &mut Shelf, fetched: &Fetched, options: &Options) -> Result<Outcome> {
    let consent = consent(fetched, options)?;
    if !options.older {
        let verified = fetched.verify(&consent, &shelf.trust)?;
        shelf.plugins.refuse_older(verified.package.info())?;
    }
    let Shelf { plugins, trust } = shelf;
    let install = if options.upgrade {
        plugins.upgrade(fetched, &consent, trust)
    } else {
        plugins.install(fetched, &consent, trust)
    };
    Ok(install?)
}
