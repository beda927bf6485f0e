//! Installing what was fetched, as far as the user agrees.

use nshot_package::{Consent, Fetched, Outcome, PublicKey, Signature};

use super::Shelf;
use crate::failure::Result;

/// What the user agrees to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys of groups that are not known yet.
    pub trust: Vec<PublicKey>,
    /// Packages that nobody signed, of groups whose key is not known.
    pub unsigned: bool,
    /// Older versions of the plugin go.
    pub upgrade: bool,
    /// The version may be older than an installed one.
    pub older: bool,
}

/// What that means for one package: of several keys, the one that the signature says it was made with.
///
/// # Errors
/// The signature is damaged.
pub fn consent(fetched: &Fetched, options: &Options) -> Result<Consent> {
    if options.unsigned && (fetched.signature.is_none() || options.trust.is_empty()) {
        return Ok(Consent::Unsigned);
    }
    let key = match &fetched.signature {
        Some(text) if options.trust.len() > 1 => {
            let id = Signature::parse(text, &fetched.name)?.key_id();
            options.trust.iter().find(|key| key.id() == id)
        }
        _ => options.trust.first(),
    };
    Ok(Consent::Signed { trust: key.cloned() })
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
