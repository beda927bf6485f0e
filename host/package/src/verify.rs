//! From what was fetched to a package that may be installed.

use nshot_loader::Hash;

use crate::error::{Error, Problem};
use crate::key::PublicKey;
use crate::package::Package;
use crate::signature::Signature;
use crate::source::Fetched;
use crate::trust::Trust;

/// What the user agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Only packages that the group's key has signed. With a key (`--trust KEY`), also of a group that is not
    /// known yet: the key is then remembered for it.
    Signed {
        /// The key of the group, as the user got it.
        trust: Option<PublicKey>,
    },
    /// Also packages that nobody has vouched for, of groups whose key is not known.
    Unsigned,
}

/// A package whose hashes, signature and signer were checked.
#[derive(Debug)]
pub struct Verified {
    /// The package.
    pub package: Package,
    /// Hash of its file.
    pub sha256: Hash,
    /// The key that signed it; none if the user agreed to that.
    pub key: Option<PublicKey>,
    /// Whether the key is to be remembered for the group.
    pub is_new_key: bool,
    /// The signer's comment.
    pub comment: Option<String>,
}

impl Fetched {
    /// Checks the package, its signature and its signer. Nothing is written.
    ///
    /// # Errors
    /// The package or signature is damaged or missing, the key is not the group's, or another version was asked
    /// for.
    pub fn verify(&self, consent: &Consent, trust: &Trust) -> Result<Verified, Error> {
        let package = Package::open(&self.bytes, &self.name)?;
        let info = package.info();
        if let Some(expected) = self.version.as_ref().filter(|expected| **expected != info.version) {
            let text = format!("its version is {}, but it was found as {expected}", info.version);
            return Err(Problem::Info(text).of(&self.name));
        }
        let sha256 = Hash::of(&self.bytes);
        let (given, known) = match consent {
            Consent::Signed { trust: given } => (given.as_ref(), trust.key(&info.group)),
            Consent::Unsigned => (None, trust.key(&info.group)),
        };
        if known.is_none() && *consent == Consent::Unsigned {
            return Ok(Verified { package, sha256, key: None, is_new_key: false, comment: None });
        }
        let unsigned = || Error::Unsigned { file: self.name.clone(), group: info.group.clone() };
        let text = self.signature.as_ref().ok_or_else(unsigned)?;
        let signature = Signature::parse(text, &self.name)?;
        let (group, id) = (&info.group, signature.key_id());
        if known.is_some_and(|known| known.id() != id) {
            return Err(trust.changed(group, &id));
        }
        if let (Some(_), Some(given)) = (known, given) {
            trust.check(group, given)?;
        }
        let unknown = || Error::UnknownKey { group: group.clone(), key: id.clone() };
        let key = known.or(given).ok_or_else(unknown)?;
        signature.verify(&self.bytes, key, &self.name)?;
        signature.check_comment(info, &self.name)?;
        let (key, is_new_key) = (Some(key.clone()), known.is_none());
        Ok(Verified { sha256, key, is_new_key, comment: Some(signature.comment().to_owned()), package })
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
