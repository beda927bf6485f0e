//! Keys of research groups, in minisign's format.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;

use ct_codecs::{Base64, Decoder as _};

use crate::error::Error;
use crate::files::read_limited;
use crate::text::clean;

/// The largest key or signature file, in bytes.
pub(crate) const TEXT_LIMIT: u64 = 8192;
/// How the base64 text of a secret key with a password starts (`EdScB2`).
const ENCRYPTED: &str = "RWRTY0Iy";
/// How the bytes of a secret key without one start: algorithms of signature and password, the latter none.
const OPEN: &[u8] = b"Ed\0\0";
/// How the text of a public key starts: the algorithm `Ed`.
const PUBLIC_START: &str = "RW";
const PUBLIC_LENGTH: usize = 56;
const SECRET_LENGTH: usize = 212;

/// A public key: whom a group's packages are checked with. As text, 56 characters that start with `RW`.
#[derive(Clone)]
pub struct PublicKey(pub(crate) minisign::PublicKey);

/// A secret key, without its password.
pub struct SecretKey(pub(crate) minisign::SecretKey);

/// A new pair of keys.
pub struct KeyPair {
    /// The contents of the public key file, to be given to everybody.
    pub public_file: String,
    /// The contents of the secret key file, to be given to nobody.
    pub secret_file: String,
    /// The public key.
    pub public: PublicKey,
}

impl PublicKey {
    /// Reads a public key file, as [`KeyPair`] and `minisign` write it.
    ///
    /// # Errors
    /// It cannot be read or is no public key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(&read_limited(path, TEXT_LIMIT)?).into_owned();
        text.parse().map_err(|e: Error| Error::Key(format!("`{}`: {e}", path.display())))
    }

    /// Its identifier: 16 hexadecimal digits, as `minisign` shows it.
    pub fn id(&self) -> String {
        id(self.0.keynum())
    }
}

/// The identifier of a key as text.
pub(crate) fn id(keynum: &[u8]) -> String {
    keynum.iter().rev().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bytes() == other.0.to_bytes()
    }
}

impl Eq for PublicKey {}

impl FromStr for PublicKey {
    type Err = Error;

    /// Takes the key alone or the text of its file.
    fn from_str(text: &str) -> Result<Self, Error> {
        let line = match text.strip_prefix("untrusted comment:") {
            Some(_) => text.lines().nth(1).unwrap_or_default(),
            None => text,
        };
        let line = line.trim();
        let wrong = || {
            Error::Key(format!(
                "`{}` is no public key; expected {PUBLIC_LENGTH} characters that start with `{PUBLIC_START}`",
                clean(line, 80)
            ))
        };
        // Not a word of it is repeated.
        if line.len() == SECRET_LENGTH {
            return Err(Error::Key("this is a secret key; expected its public half".to_owned()));
        }
        if line.len() != PUBLIC_LENGTH || !line.starts_with(PUBLIC_START) {
            return Err(wrong());
        }
        minisign::PublicKey::from_base64(line).map(Self).map_err(|_| wrong())
    }
}

impl KeyPair {
    /// Makes a pair, its secret key kept under a password or, with `None`, open.
    ///
    /// # Errors
    /// The password is empty, or the system has no random numbers.
    pub fn generate(password: Option<&str>) -> Result<Self, Error> {
        if password.is_some_and(str::is_empty) {
            return Err(Error::Key("the password is empty".to_owned()));
        }
        let wrong = |e: minisign::PError| Error::Key(format!("cannot make a key: {e}"));
        let pair = match password {
            Some(text) => minisign::KeyPair::generate_encrypted_keypair(Some(text.to_owned())),
            None => minisign::KeyPair::generate_unencrypted_keypair(),
        };
        let minisign::KeyPair { pk, sk } = pair.map_err(wrong)?;
        let kind = if password.is_some() { "encrypted" } else { "unencrypted" };
        let comment = format!("minisign {kind} secret key {}", id(pk.keynum()));
        Ok(Self {
            public_file: pk.to_box().map_err(wrong)?.into_string(),
            secret_file: sk.to_box(Some(&comment)).map_err(wrong)?.into_string(),
            public: PublicKey(pk),
        })
    }

    /// Writes both files; that of the secret key can be read by its owner alone. None may be there.
    ///
    /// # Errors
    /// A file is there or cannot be written.
    pub fn save(&self, public: &Path, secret: &Path) -> Result<(), Error> {
        for (path, text, mode) in [(secret, &self.secret_file, 0o600), (public, &self.public_file, 0o644)] {
            let write = || {
                use std::io::Write as _;
                let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            };
            write().map_err(Error::file("write the key file", path))?;
        }
        Ok(())
    }
}

impl SecretKey {
    /// Whether the text of a secret key file asks for a password.
    pub fn needs_password(text: &str) -> bool {
        text.lines().nth(1).is_some_and(|line| line.starts_with(ENCRYPTED))
    }

    /// Takes the text of a secret key file, as [`KeyPair`] and `minisign` write it. A password is not asked for.
    ///
    /// # Errors
    /// It is no secret key, or the password is missing or wrong.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, Error> {
        let wrong = |e: minisign::PError| Error::Key(format!("cannot use the secret key: {e}"));
        // The library indexes into what it decodes.
        if text.len() as u64 > TEXT_LIMIT
            || text.lines().nth(1).is_none_or(|line| line.len() != SECRET_LENGTH)
        {
            return Err(Error::Key("this is no secret key file of minisign".to_owned()));
        }
        match (Self::needs_password(text), password) {
            (false, _) => Self::open(text),
            (true, None) => Err(Error::Key("the secret key needs its password".to_owned())),
            (true, Some(password)) => {
                let file = minisign::SecretKeyBox::from_string(text).map_err(wrong)?;
                file.into_secret_key(Some(password.to_owned())).map(Self).map_err(wrong)
            }
        }
    }

    /// A key without a password. `minisign` writes no checksum into these, so the library refuses its files; that
    /// the public half belongs to the secret one says as much.
    fn open(text: &str) -> Result<Self, Error> {
        let damaged = || Error::Key("the secret key is damaged".to_owned());
        let line = text.lines().nth(1).unwrap_or_default();
        let bytes = Base64::decode_to_vec(line, None).map_err(|_| damaged())?;
        if !bytes.starts_with(OPEN) {
            return Err(damaged());
        }
        let key = minisign::SecretKey::from_bytes(&bytes).map_err(|_| damaged())?;
        let public = minisign::PublicKey::from_secret_key(&key).map_err(|_| damaged())?;
        // Signing compares the two.
        minisign::sign(Some(&public), &key, io::empty(), Some(""), None).map_err(|_| damaged())?;
        Ok(Self(key))
    }

    /// The same, from a file.
    ///
    /// # Errors
    /// The file cannot be read, and those of [`SecretKey::parse`].
    pub fn read(path: &Path, password: Option<&str>) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(&read_limited(path, TEXT_LIMIT)?).into_owned();
        Self::parse(&text, password).map_err(|e| Error::Key(format!("`{}`: {e}", path.display())))
    }
}
