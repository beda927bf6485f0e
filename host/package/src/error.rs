//! What can go wrong, in one sentence and a hint.

use std::io;
use std::path::{Path, PathBuf};

use nshot_loader::Refusal;

/// A package is not made, read, trusted, installed or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder.
    #[error("cannot {action} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A package file is not what it should be.
    #[error("the package `{}` {problem}", crate::text::clean(file, 400))]
    Package {
        /// The file, as it was given.
        file: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A package cannot be made of what was given.
    #[error("cannot pack: {0}")]
    Pack(String),
    /// A library does not pass the loader's gate.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// No library of the package runs here.
    #[error("{package} has no library for this machine, which is `{expected}`:{}", listed(refusals))]
    NoLibrary {
        /// Group, name and version.
        package: String,
        /// This machine's target.
        expected: String,
        /// Why each of its libraries is refused.
        refusals: Vec<String>,
    },
    /// A key or its file.
    #[error("{0}")]
    Key(String),
    /// A signature or its file.
    #[error("the signature of `{file}` {problem}")]
    Signature {
        /// The signed file.
        file: String,
        /// What is wrong; goes on after "the signature of `…`".
        problem: String,
    },
    /// A package has no signature.
    #[error(
        "`{file}` is not signed, and comes from the group `{group}`\n\nhint: ask the group for `{file}.minisig`; what you packed yourself can be installed with `--unsigned`"
    )]
    Unsigned {
        /// The file.
        file: String,
        /// The group.
        group: String,
    },
    /// Nobody has said that this key may sign for this group.
    #[error(
        "the group `{group}` is not known here: its package is signed with the key {key}\n\nhint: get the group's public key from the group itself, compare, and pass it with `--trust KEY`; it is then remembered for `{group}`"
    )]
    UnknownKey {
        /// The group.
        group: String,
        /// Identifier of the key that signed.
        key: String,
    },
    /// Another key than the one that this group had.
    #[error(
        "THE KEY OF THE GROUP `{group}` HAS CHANGED: its packages were signed with the key {expected}, this one comes with {found}. Somebody may be passing off a package as theirs\n\nhint: ask the group; if it says that its key is now {found}, forget the old one (in `{}`) with `nshot plugin trust --forget {group}` first",
        store.display()
    )]
    ChangedKey {
        /// The group.
        group: String,
        /// The key that comes now.
        found: String,
        /// The key that is remembered.
        expected: String,
        /// The file in which it is remembered.
        store: PathBuf,
    },
    /// The file of trusted keys cannot be used.
    #[error("the file of trusted keys `{}` is wrong: {problem}", path.display())]
    TrustFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A version is there with another content.
    #[error(
        "{package} is installed already, with another content: the package has the SHA-256 {found}, the installed one {expected}\n\nhint: a version is published once; remove the installed one first if you mean to replace it"
    )]
    OtherContent {
        /// Group, name and version.
        package: String,
        /// Hash of the package.
        found: String,
        /// Hash of the installed one.
        expected: String,
    },
    /// A newer version is installed.
    #[error(
        "{package} is older than the installed {installed}\n\nhint: `--older` installs it beside that; a manifest then names it by its version, such as `group/plugin:component@=0.1.0`"
    )]
    Older {
        /// Group, name and version.
        package: String,
        /// The newest installed version.
        installed: String,
    },
    /// What should be removed or looked at is not there.
    #[error("{0} is not installed")]
    NotInstalled(String),
    /// An installed plugin is not what it was.
    #[error(
        "the installed plugin `{}` is damaged: {problem}\n\nhint: remove it and install it again",
        path.display()
    )]
    Damaged {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A source or reference that cannot be understood.
    #[error("`{}` is no place to get a plugin from or send it to: {problem}", crate::text::clean(text, 200))]
    Place {
        /// As it was given.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// A registry or web server.
    #[error("cannot {action} `{place}`: {problem}{}", hinted(*hint))]
    Network {
        /// What was tried.
        action: &'static str,
        /// Where.
        place: String,
        /// What was said.
        problem: String,
        /// What the user can do.
        hint: Option<&'static str>,
    },
    /// A tag is there with another content.
    #[error(
        "`{place}` is there already, with another content: its digest is {found}, this package's {expected}\n\nhint: a version is published once; raise the version"
    )]
    TagTaken {
        /// The reference.
        place: String,
        /// Digest of what is there.
        found: String,
        /// Digest of what should be pushed.
        expected: String,
    },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

fn listed(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n  " + line)
}

fn hinted(hint: Option<&'static str>) -> String {
    hint.map_or_else(String::new, |hint| format!("\n\nhint: {hint}"))
}

/// What is wrong with a package file. Its text goes on after "the package `…`".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Another kind of file.
    #[error("is no package: expected a zstd archive, found {found}")]
    NotAPackage {
        /// What it looks like.
        found: String,
    },
    /// More bytes than are accepted.
    #[error("is too large: {what} has {found} bytes; expected at most {limit}")]
    TooLarge {
        /// Which part.
        what: String,
        /// Bytes, or what is known of them.
        found: u64,
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// More comes out of it than its size allows.
    #[error("unpacks to more than {limit} bytes, from {found}; expected at most {limit}")]
    Expands {
        /// Size of the file in bytes.
        found: u64,
        /// The most that may come out of it, in bytes.
        limit: u64,
    },
    /// Too many files.
    #[error("has more than {limit} files")]
    TooMany {
        /// The most that are accepted.
        limit: usize,
    },
    /// The compressed data or the archive's frame.
    #[error("is damaged or cut short: {0}")]
    Damaged(String),
    /// A name that could lead elsewhere, or that a package does not have.
    #[error("holds a file with the name `{name}`: {expected}")]
    Name {
        /// The name, made fit for a message.
        name: String,
        /// What is expected.
        expected: String,
    },
    /// A link, device or the like.
    #[error("holds `{name}`, which is {found}; expected regular files only")]
    Kind {
        /// The name.
        name: String,
        /// What it is.
        found: String,
    },
    /// A name twice, or not in order.
    #[error("holds `{name}` after `{before}`; expected each name once, in order")]
    Order {
        /// The name.
        name: String,
        /// The name before it.
        before: String,
    },
    /// A header, padding or end that this program does not write.
    #[error("holds {what} of another form; expected what `nshot plugin pack` writes")]
    Form {
        /// Which part.
        what: String,
    },
    /// A part is missing.
    #[error("has no file `{name}`{}", if *listed { ", which its `plugin.toml` lists" } else { "" })]
    Missing {
        /// The name.
        name: String,
        /// Whether `plugin.toml` names it.
        listed: bool,
    },
    /// A file that `plugin.toml` does not list.
    #[error("holds `{name}`, which its `plugin.toml` does not list")]
    Unlisted {
        /// The name.
        name: String,
    },
    /// A file is not the listed one.
    #[error("holds a damaged `{name}`: its SHA-256 is {found}, expected {expected}")]
    Hash {
        /// The name.
        name: String,
        /// The hash of what is there.
        found: String,
        /// The listed hash.
        expected: String,
    },
    /// `plugin.toml` itself.
    #[error("has a wrong `plugin.toml`: {0}")]
    Info(String),
}

impl Problem {
    /// Makes it an error of this file.
    pub fn of(self, file: &str) -> Error {
        Error::Package { file: file.to_owned(), problem: self }
    }
}
