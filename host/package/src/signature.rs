//! Detached signatures, `FILE.minisig`, in minisign's format.

use std::ffi::OsString;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::info::Info;
use crate::key::{PublicKey, SecretKey, TEXT_LIMIT, id};
use crate::text::clean;

/// Characters of a signature (74 bytes) and of its second one, over the comment (64 bytes), in base64.
const LENGTHS: (usize, usize) = (100, 88);

/// A signature of a file, read but not verified.
pub struct Signature {
    signature: minisign::SignatureBox,
    comment: String,
}

/// The path of a file's signature: `.minisig` is appended.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".minisig");
    name.into()
}

/// Signs the bytes of a package. The trusted comment names its file, plugin and version.
///
/// # Errors
/// The system has no random numbers.
pub fn sign(bytes: &[u8], info: &Info, file_name: &str, key: &SecretKey) -> Result<String, Error> {
    let Info { group, plugin, version, .. } = info;
    let comment =
        format!("file:{}\tplugin:{group}/{plugin}\tversion:{version}\thashed", clean(file_name, 200));
    let untrusted = format!("signature of {group}/{plugin} {version}");
    let signature = minisign::sign(None, &key.0, Cursor::new(bytes), Some(&comment), Some(&untrusted));
    let wrong = |e: minisign::PError| Error::Key(format!("cannot sign `{}`: {e}", clean(file_name, 200)));
    Ok(signature.map_err(wrong)?.into_string())
}

impl Signature {
    /// Reads the text of a signature. `file` is the signed file's name, for the message.
    ///
    /// # Errors
    /// It is no signature.
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let fail = |text: &str| wrong(file, &format!("is damaged: {text}"));
        if text.len() as u64 > TEXT_LIMIT {
            return Err(fail(&format!("it has {} bytes; expected at most {TEXT_LIMIT}", text.len())));
        }
        let lines: Vec<&str> = text.lines().collect();
        let &[_, first, _, second] = lines.as_slice() else {
            return Err(fail(&format!("it has {} lines; expected 4", lines.len())));
        };
        // The library takes other lengths for granted.
        for (line, number, length) in [(first, 2, LENGTHS.0), (second, 4, LENGTHS.1)] {
            let whole = line.len() == length && line.ends_with(if number == 2 { "=" } else { "==" });
            if !whole {
                return Err(fail(&format!("line {number} is not {length} characters of base64")));
            }
        }
        let said = |e: minisign::PError| fail(&clean(&e.to_string(), 200));
        let signature = minisign::SignatureBox::from_string(text).map_err(said)?;
        let comment = signature.trusted_comment().map_err(said)?;
        Ok(Self { signature, comment })
    }

    /// Identifier of the key that it says it was made with.
    pub fn key_id(&self) -> String {
        id(self.signature.keynum())
    }

    /// The signer's comment, which the signature covers; true once it is verified.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Verifies that the key signed these bytes and the comment.
    ///
    /// # Errors
    /// It did not, or the signature is of the old kind that is not over a hash.
    pub fn verify(&self, bytes: &[u8], key: &PublicKey, file: &str) -> Result<(), Error> {
        let verified = minisign::verify(&key.0, &self.signature, Cursor::new(bytes), true, false, false);
        verified.map_err(|e| wrong(file, &format!("is wrong: {}", clean(&e.to_string(), 200))))
    }

    /// Compares the comment's fields with the package; those that another program left out are not missed.
    pub(crate) fn check_comment(&self, info: &Info, file: &str) -> Result<(), Error> {
        let plugin = format!("{}/{}", info.group, info.plugin);
        for (field, expected) in [("plugin", plugin), ("version", info.version.to_string())] {
            let found = self.comment.split('\t').find_map(|part| part.strip_prefix(field)?.strip_prefix(':'));
            if let Some(found) = found.filter(|found| *found != expected) {
                let found = clean(found, 80);
                return Err(wrong(file, &format!("is for the {field} `{found}`, expected `{expected}`")));
            }
        }
        Ok(())
    }
}

fn wrong(file: &str, problem: &str) -> Error {
    Error::Signature { file: clean(file, 400), problem: problem.to_owned() }
}
