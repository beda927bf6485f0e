//! `plugin.toml`: what a package says of itself.

use std::collections::{BTreeMap, BTreeSet};

use nshot_loader::{ComponentInfo, Hash, Metadata};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::text::{clean, line};

/// Its name in a package.
pub(crate) const INFO: &str = "plugin.toml";
/// The format of packages that this host reads and writes.
const FORMAT: i64 = 1;
/// The longest `plugin.toml`, in bytes.
pub(crate) const INFO_LIMIT: usize = 1 << 20;
const NAME_LIMIT: usize = 64;
const TEXT_LIMIT: usize = 4096;

/// What a package says of itself: its `plugin.toml`. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Format of the package: 1.
    pub format: i64,
    /// The research group that it comes from.
    pub group: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Version of the plugin, semantic.
    pub version: Version,
    /// Version of the ABI that all its libraries are built for: major, minor.
    pub abi: (u32, u32),
    /// Version of the SDK that all its libraries are built with.
    pub sdk: String,
    /// What it has a library for, in order: processor, system, environment.
    pub targets: Vec<String>,
    /// Who wrote it.
    pub authors: String,
    /// Its licence, as an SPDX expression.
    pub license: String,
    /// What it is, in a sentence.
    pub description: String,
    /// Where to read more.
    pub homepage: String,
    /// The paper that it comes from.
    pub citation: String,
    /// What can be used of it in a manifest.
    pub components: Vec<Component>,
    /// SHA-256 of each file but this one, by its path in the package.
    pub files: BTreeMap<String, String>,
}

/// A component of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it is for, such as `sampler`; a later host may know others.
    pub kind: String,
    /// Its name: what `use` says in a manifest.
    pub name: String,
}

impl From<&ComponentInfo> for Component {
    fn from(info: &ComponentInfo) -> Self {
        Self { kind: info.kind.name().to_owned(), name: info.name.clone() }
    }
}

impl Info {
    /// `GROUP/PLUGIN VERSION`, for messages.
    pub fn title(&self) -> String {
        format!("`{}/{}` {}", self.group, self.plugin, self.version)
    }

    /// The path in a package of the library for a target.
    pub fn library_path(&self, target: &str) -> String {
        format!("lib/{target}/{}.so", self.plugin)
    }

    /// Starts from the record of a library, with no files and components.
    pub(crate) fn of(metadata: &Metadata) -> Result<Self, String> {
        Ok(Self {
            format: FORMAT,
            group: metadata.group.clone(),
            plugin: metadata.plugin.clone(),
            version: version(&metadata.version)?,
            abi: metadata.abi,
            sdk: metadata.sdk.clone(),
            targets: Vec::new(),
            authors: metadata.authors.clone(),
            license: metadata.license.clone(),
            description: metadata.description.clone(),
            homepage: metadata.homepage.clone(),
            citation: String::new(),
            components: Vec::new(),
            files: BTreeMap::new(),
        })
    }

    /// Says in which field the record of a library differs.
    pub(crate) fn compare(&self, metadata: &Metadata) -> Result<(), String> {
        let abi = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        for (field, found, expected) in [
            ("group", metadata.group.clone(), self.group.clone()),
            ("plugin", metadata.plugin.clone(), self.plugin.clone()),
            ("version", metadata.version.clone(), self.version.to_string()),
            ("abi", abi(metadata.abi), abi(self.abi)),
            ("sdk", metadata.sdk.clone(), self.sdk.clone()),
            ("license", metadata.license.clone(), self.license.clone()),
        ] {
            if found != expected {
                let found = clean(&found, 80);
                return Err(format!("its `{field}` is `{found}`, expected `{expected}`"));
            }
        }
        Ok(())
    }

    pub(crate) fn to_toml(&self) -> Result<String, Problem> {
        let text = toml::to_string(self).map_err(|e| Problem::Info(clean(&e.to_string(), 400)))?;
        // What is written can be read again.
        Self::read(text.as_bytes())?;
        Ok(text)
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > INFO_LIMIT {
            let (found, limit) = (bytes.len() as u64, INFO_LIMIT as u64);
            return Err(Problem::TooLarge { what: format!("`{INFO}`"), found, limit });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| Problem::Info(format!("it is no text: {e}")))?;
        let wrong = |e: toml::de::Error| {
            let place = e.span().map(|span| format!("line {}: ", line(text, span.start)));
            Problem::Info(clean(&format!("{}{}", place.unwrap_or_default(), e.message()), 400))
        };
        // Before the other keys: another format may have others.
        let table: toml::Table = toml::from_str(text).map_err(wrong)?;
        if let Some(format) = table.get("format").and_then(toml::Value::as_integer)
            && format != FORMAT
        {
            return Err(Problem::Info(format!("its `format` is {format}; this nshot reads {FORMAT}")));
        }
        let info: Self = toml::from_str(text).map_err(wrong)?;
        info.check().map_err(Problem::Info)?;
        Ok(info)
    }

    fn check(&self) -> Result<(), String> {
        name("group", &self.group)?;
        name("plugin", &self.plugin)?;
        for (field, text) in [
            ("sdk", &self.sdk),
            ("authors", &self.authors),
            ("license", &self.license),
            ("description", &self.description),
            ("homepage", &self.homepage),
            ("citation", &self.citation),
        ] {
            if text.len() > TEXT_LIMIT || text.chars().any(|c| c.is_control() && c != '\n') {
                let found = clean(text, 80);
                return Err(format!(
                    "`{field}` is `{found}` ({} bytes); expected plain text of at most {TEXT_LIMIT} bytes",
                    text.len()
                ));
            }
        }
        if !(1..=64).contains(&self.targets.len()) || !self.targets.is_sorted_by(|a, b| a < b) {
            return Err(format!(
                "`targets` has {} entries; expected 1 to 64, each once, in order",
                self.targets.len()
            ));
        }
        self.targets.iter().try_for_each(|target| name("targets", target))?;
        let distinct: BTreeSet<&Component> = self.components.iter().collect();
        if self.components.len() > 256 || distinct.len() != self.components.len() {
            return Err("`components` has an entry twice, or more than 256".to_owned());
        }
        for component in &self.components {
            name("kind", &component.kind)?;
            name("name", &component.name)?;
        }
        self.files.iter().try_for_each(|(file, hash)| self.check_file(file, hash))
    }

    fn check_file(&self, file: &str, hash: &str) -> Result<(), String> {
        hash.parse::<Hash>().map_err(|e| format!("`{}`: {e}", clean(file, 80)))?;
        let is_library = || self.targets.iter().any(|target| self.library_path(target) == file);
        let is_license = file.starts_with("LICENSE") && !file.contains('/');
        if file == "README.md" || is_license || file.starts_with("source/") || is_library() {
            return Ok(());
        }
        Err(format!(
            "`files` has `{}`; expected README.md, LICENSE*, `source/…`, and `{}` for each target",
            clean(file, 80),
            self.library_path("TARGET")
        ))
    }
}

/// A semantic version.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    let wrong = |e| format!("the version `{}` is not semantic, such as `1.2.0`: {e}", clean(text, 80));
    Version::parse(text).map_err(wrong)
}

/// A name: it becomes part of a path, and may not look like an option or a hidden file.
pub(crate) fn name(field: &str, name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let found = clean(name, 80);
    Err(format!("`{field}` is `{found}`; expected 1 to {NAME_LIMIT} letters, digits, `-` and `_`"))
}

/// The newest of some versions; a pre-release only if there is nothing else.
pub fn newest(versions: &[Version]) -> Option<&Version> {
    versions.iter().max_by_key(|version| (version.pre.is_empty(), (*version).clone()))
}

/// The newest version that an installed one can be upgraded to; a pre-release only from a pre-release.
pub fn newer<'a>(versions: &'a [Version], installed: &Version) -> Option<&'a Version> {
    let offered = versions.iter().filter(|version| version.pre.is_empty() || !installed.pre.is_empty());
    offered.max().filter(|version| *version > installed)
}

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;
