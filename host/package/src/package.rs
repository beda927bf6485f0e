//! A package: what it is made of, written and read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nshot_loader::{Hash, Metadata, gate};

use crate::SIZE_LIMIT;
use crate::archive::{self, Files};
use crate::error::{Error, Problem};
use crate::files::read_limited;
use crate::info::{Component, INFO, Info};

/// A package, `NAME-VERSION.nshot`, whose every file has the listed hash.
///
/// ```text
/// LICENSE, LICENSE-*                 one or more
/// README.md
/// lib/x86_64-linux-gnu/NAME.so       one library for each target
/// plugin.toml                        see `Info`; lists the SHA-256 of all others
/// source/…                           optional
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    info: Info,
    /// All but `plugin.toml`.
    files: Files,
}

/// A built library, and what it says of itself.
#[derive(Debug, Clone)]
pub struct Library {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its record, read without running it.
    pub metadata: Metadata,
}

/// What a package is made of.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The library of this machine.
    pub library: Library,
    /// Its components; a library tells them only to a process that loads it.
    pub components: Vec<Component>,
    /// The paper that it comes from; may be empty.
    pub citation: String,
    /// The text of `README.md`.
    pub readme: Vec<u8>,
    /// The licences by file name: `LICENSE`, or several that start so.
    pub licenses: BTreeMap<String, Vec<u8>>,
    /// The source by path; may be empty. See [`source_tree`](crate::source_tree).
    pub source: BTreeMap<String, Vec<u8>>,
}

impl Library {
    /// Reads a library file through the loader's gate.
    ///
    /// # Errors
    /// It cannot be read, or is not a plugin for this machine.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_limited(path, gate::SIZE_LIMIT)?;
        let metadata = gate::inspect(&bytes, &path.to_string_lossy())?;
        Ok(Self { bytes, metadata })
    }
}

impl Package {
    /// Makes a package.
    ///
    /// # Errors
    /// The version is not semantic, there is no README or licence, or a name, text or size is not fit for a
    /// package.
    pub fn pack(contents: Contents) -> Result<Self, Error> {
        let Contents { library, mut components, citation, readme, licenses, source } = contents;
        let mut info = Info::of(&library.metadata).map_err(Error::Pack)?;
        components.sort_unstable();
        (info.components, info.citation) = (components, citation);
        info.targets = vec![library.metadata.target.clone()];
        let mut files = Files::from([("README.md".to_owned(), readme)]);
        files.insert(info.library_path(&library.metadata.target), library.bytes);
        files.extend(licenses);
        files.extend(source.into_iter().map(|(name, bytes)| (format!("source/{name}"), bytes)));
        Self::new(info, files).map_err(|problem| Error::Pack(format!("the package {problem}")))
    }

    /// Takes the libraries of another package of the same plugin, for targets that this one lacks.
    ///
    /// # Errors
    /// The other is of another plugin, version, ABI or SDK, or has another library for the same target.
    pub fn add(&mut self, other: &Self) -> Result<(), Error> {
        let differs = |field: &str, found: String, expected: String| {
            Error::Pack(format!("the packages differ in `{field}`: found `{found}`, expected `{expected}`"))
        };
        let fields = |info: &Info| {
            let abi = format!("{}.{}", info.abi.0, info.abi.1);
            let components = info.components.iter().map(|c| format!("{} {}", c.kind, c.name));
            [
                ("group", info.group.clone()),
                ("plugin", info.plugin.clone()),
                ("version", info.version.to_string()),
                ("abi", abi),
                ("sdk", info.sdk.clone()),
                ("license", info.license.clone()),
                ("components", components.collect::<Vec<_>>().join(", ")),
            ]
        };
        for ((field, found), (_, expected)) in fields(&other.info).into_iter().zip(fields(&self.info)) {
            if found != expected {
                return Err(differs(field, found, expected));
            }
        }
        let (mut info, mut files) = (self.info.clone(), self.files.clone());
        for target in &other.info.targets {
            let path = info.library_path(target);
            let bytes = other.files.get(&path).cloned().unwrap_or_default();
            let (found, hash) = (Hash::of(&bytes), files.get(&path).map(|bytes| Hash::of(bytes)));
            if let Some(expected) = hash.filter(|expected| *expected != found) {
                return Err(differs(&path, found.to_string(), expected.to_string()));
            }
            files.insert(path, bytes);
            info.targets.push(target.clone());
        }
        info.targets.sort_unstable();
        info.targets.dedup();
        *self = Self::new(info, files).map_err(|problem| Error::Pack(format!("the package {problem}")))?;
        Ok(())
    }

    fn new(mut info: Info, files: Files) -> Result<Self, Problem> {
        let hash = |(name, bytes): (&String, &Vec<u8>)| (name.clone(), Hash::of(bytes).to_string());
        info.files = files.iter().map(hash).collect();
        info.to_toml()?;
        let package = Self { info, files };
        package.check()?;
        Ok(package)
    }

    /// Reads a package. `file` is its name, for the message.
    ///
    /// # Errors
    /// The first thing that is wrong: see [`Problem`].
    pub fn open(bytes: &[u8], file: &str) -> Result<Self, Error> {
        Self::parse(bytes).map_err(|problem| problem.of(file))
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut files = archive::read(bytes)?;
        let missing = || Problem::Missing { name: INFO.to_owned(), listed: false };
        let info = Info::read(&files.remove(INFO).ok_or_else(missing)?)?;
        let package = Self { info, files };
        package.check()?;
        Ok(package)
    }

    /// Compares the files with the list, both ways, and looks for what every package has.
    fn check(&self) -> Result<(), Problem> {
        let listed = &self.info.files;
        if let Some(name) = self.files.keys().find(|name| !listed.contains_key(*name)) {
            return Err(Problem::Unlisted { name: name.clone() });
        }
        for (name, expected) in listed {
            let bytes = self.files.get(name);
            let bytes = bytes.ok_or_else(|| Problem::Missing { name: name.clone(), listed: true })?;
            let found = Hash::of(bytes).to_string();
            if found != *expected {
                return Err(Problem::Hash { name: name.clone(), found, expected: expected.clone() });
            }
        }
        let license = self.files.keys().find(|name| name.starts_with("LICENSE")).cloned();
        let libraries = self.info.targets.iter().map(|target| self.info.library_path(target));
        for name in
            ["README.md".to_owned(), license.unwrap_or("LICENSE".to_owned())].into_iter().chain(libraries)
        {
            if !self.files.contains_key(&name) {
                return Err(Problem::Missing { name, listed: false });
            }
        }
        Ok(())
    }

    /// The package as bytes: equal packages give equal bytes.
    ///
    /// # Errors
    /// It is too large, or a name is not fit for an archive.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let write = || {
            let mut files = self.files.clone();
            files.insert(INFO.to_owned(), self.info.to_toml()?.into_bytes());
            archive::write(&files)
        };
        write().map_err(|problem| problem.of(&self.file_name()))
    }

    /// `NAME-VERSION.nshot`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.nshot", self.info.plugin, self.info.version)
    }

    /// What it says of itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Its files by path, `plugin.toml` apart.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The library that the loader's gate takes on this machine: its path in the package.
    ///
    /// # Errors
    /// The gate takes none, or the library's record is not that of the package.
    pub fn check_library(&self, file: &str) -> Result<String, Error> {
        let mut refusals = Vec::new();
        for target in &self.info.targets {
            let path = self.info.library_path(target);
            let bytes = self.files.get(&path).map(Vec::as_slice).unwrap_or_default();
            match gate::inspect(bytes, &path) {
                Ok(metadata) => {
                    let differs =
                        |text| Problem::Info(format!("`{path}` is another plugin: {text}")).of(file);
                    self.info.compare(&metadata).map_err(differs)?;
                    if metadata.target != *target {
                        let text = format!("`{path}` is for `{}`", metadata.target);
                        return Err(Problem::Info(text).of(file));
                    }
                    return Ok(path);
                }
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        let (package, expected) = (self.info.title(), nshot_loader::target());
        Err(Error::NoLibrary { package, expected, refusals })
    }

    /// Writes all files into a folder, which should be empty, and waits until they are on the disk.
    ///
    /// # Errors
    /// A file is there or cannot be written.
    pub fn unpack(&self, folder: &Path) -> Result<(), Error> {
        let info = self.info.to_toml().map_err(|problem| problem.of(&self.file_name()))?;
        write_new(&folder.join(INFO), info.as_bytes())?;
        for (name, bytes) in &self.files {
            // The names were checked: no `..`, not absolute.
            write_new(&folder.join(name), bytes)?;
        }
        sync_folders(folder)
    }
}

/// Writes a file that is not there, with its folders.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = fs::File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(Error::file("write", path))
}

/// Waits until the entries of a folder and those below are on the disk.
pub(crate) fn sync_folders(folder: &Path) -> Result<(), Error> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let entries = fs::read_dir(&path).map_err(Error::file("read the folder", &path))?;
        let kept = entries.filter_map(Result::ok);
        waiting.extend(kept.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(Error::file("sync", &path))?;
    }
    Ok(())
}

/// Reads a package file.
pub(crate) fn read_package(path: &Path) -> Result<Vec<u8>, Error> {
    read_limited(path, SIZE_LIMIT)
}
