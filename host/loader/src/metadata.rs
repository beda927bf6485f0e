//! What a plugin file says of itself without being run: the record in its section `.nshot`.

use nshot_abi::metadata::{HEADER, MAGIC};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::refusal::{Reason, clean};

/// The format of the record that this host reads.
const FORMAT: u64 = 1;
/// The longest record, in bytes.
const RECORD_LIMIT: usize = 1 << 20;
/// The longest name of a plugin, group or component.
pub(crate) const NAME_LIMIT: usize = 64;

/// The metadata record of a plugin file. Fields that a later version adds are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Format of the record: 1.
    pub format: u64,
    /// Version of the ABI that the plugin was built for: major, minor.
    pub abi: (u32, u32),
    /// Name of the plugin.
    pub plugin: String,
    /// Name of the research group that it comes from.
    pub group: String,
    /// Version of the plugin.
    pub version: String,
    /// Who wrote it.
    #[serde(default)]
    pub authors: String,
    /// What it is, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Its licence, as an SPDX expression.
    #[serde(default)]
    pub license: String,
    /// Where to read more.
    #[serde(default)]
    pub homepage: String,
    /// Name of the exported symbol of the root table.
    pub root: String,
    /// The target that it was built for: processor, system, environment.
    pub target: String,
    /// The panic strategy: `unwind` or `abort`.
    pub panic: String,
    /// Version of the SDK.
    #[serde(default)]
    pub sdk: String,
    /// The compiler.
    #[serde(default)]
    pub rustc: String,
    /// The processor features that it was compiled for.
    #[serde(default)]
    pub features: Vec<String>,
    /// What it says that it holds; what it does hold, only its code can tell.
    #[serde(default)]
    pub components: Vec<Announced>,
}

/// A component, as the record names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// What it is for; a later host may know other kinds.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Metadata {
    /// Reads a framed record: the contents of the section.
    pub(crate) fn read(section: &[u8]) -> Result<Self, Reason> {
        let value = parse(unframe(section)?)?;
        let format = value.get("format").and_then(Value::as_u64);
        let format = format.ok_or_else(|| wrong("it has no number `format`"))?;
        if format != FORMAT {
            return Err(Reason::MetadataFormat { found: format, expected: FORMAT });
        }
        // Before the other fields: another major version may have others.
        let abi = value.get("abi").cloned().unwrap_or_default();
        let abi: (u32, u32) = serde_json::from_value(abi)
            .map_err(|_| wrong("`abi` is not a pair of numbers, such as `[1,0]`"))?;
        if abi.0 != nshot_abi::VERSION.0 {
            return Err(Reason::Abi { found: abi, expected: nshot_abi::VERSION.0 });
        }
        let metadata: Self = serde_json::from_value(value).map_err(|e| wrong(&e.to_string()))?;
        metadata.check()?;
        Ok(metadata)
    }

    fn check(&self) -> Result<(), Reason> {
        check_name("plugin", &self.plugin)?;
        check_name("group", &self.group)?;
        let symbol = |c: char| c.is_ascii_alphanumeric() || c == '_';
        check_text("root", &self.root, 1..=256, symbol, "letters, digits and `_`")?;
        let version = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
        check_text("version", &self.version, 1..=64, version, "letters, digits, `.`, `+` and `-`")?;
        let plain = |c: char| !c.is_control();
        for (field, text) in [
            ("authors", &self.authors),
            ("description", &self.description),
            ("license", &self.license),
            ("homepage", &self.homepage),
            ("target", &self.target),
            ("panic", &self.panic),
            ("sdk", &self.sdk),
            ("rustc", &self.rustc),
        ] {
            check_text(field, text, 0..=4096, plain, "no control characters")?;
        }
        if self.features.len() > 256 {
            return Err(wrong(&format!(
                "`features` has {} entries; expected at most 256",
                self.features.len()
            )));
        }
        self.features
            .iter()
            .try_for_each(|name| check_text("features", name, 1..=64, plain, "plain text"))?;
        if self.components.len() > 256 {
            let found = self.components.len();
            return Err(wrong(&format!("`components` has {found} entries; expected at most 256")));
        }
        let texts = self.components.iter().flat_map(|component| [&component.kind, &component.name]);
        texts.into_iter().try_for_each(|text| check_name("components", text))
    }
}

/// Checks the name of a plugin or group. A plugin is called as its crate, and these may have `_` and capitals.
fn check_name(field: &str, name: &str) -> Result<(), Reason> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    check_text(field, name, 1..=NAME_LIMIT, allowed, "letters, digits, `-` and `_`")
}

fn check_text(
    field: &str,
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    allowed: impl Fn(char) -> bool,
    expected: &str,
) -> Result<(), Reason> {
    if text.chars().all(allowed) && length.contains(&text.len()) {
        return Ok(());
    }
    let (low, high) = (length.start(), length.end());
    let (found, bytes) = (clean(text, 80), text.len());
    Err(wrong(&format!("`{field}` is `{found}` ({bytes} bytes); expected {low} to {high} bytes, {expected}")))
}

fn unframe(section: &[u8]) -> Result<&[u8], Reason> {
    let frame = section.split_at_checked(HEADER);
    let (header, rest) =
        frame.ok_or_else(|| wrong(&format!("{} bytes; expected {HEADER} or more", section.len())))?;
    let (magic, length) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(wrong("it does not start with the magic bytes of a record"));
    }
    let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    if length > RECORD_LIMIT {
        return Err(wrong(&format!("its length says {length} bytes; expected at most {RECORD_LIMIT}")));
    }
    let (record, padding) = rest.split_at_checked(length).ok_or_else(|| {
        wrong(&format!("its length says {length} bytes; the section has {} left", rest.len()))
    })?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(wrong("more bytes follow it; were two plugins linked into one file?"));
    }
    Ok(record)
}

fn parse(record: &[u8]) -> Result<Value, Reason> {
    match serde_json::from_slice(record) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(wrong("it is JSON, but no object")),
        Err(e) => Err(wrong(&e.to_string())),
    }
}

fn wrong(text: &str) -> Reason {
    Reason::Metadata(clean(text, 400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(record: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((record.len() as u32).to_le_bytes());
        bytes.extend(record.as_bytes());
        bytes
    }

    fn record() -> Value {
        serde_json::json!({
            "format": 1, "abi": [1, 7], "plugin": "spos", "group": "nshot", "version": "0.1.0",
            "root": "nshot_root_x", "target": "t", "panic": "unwind", "of-a-later-version": {"a": [1]},
        })
    }

    fn read(value: &Value) -> Result<Metadata, Reason> {
        Metadata::read(&framed(&value.to_string()))
    }

    #[test]
    fn a_record_of_a_newer_minor_version_is_read() {
        let metadata = read(&record()).unwrap();
        assert_eq!((metadata.abi, metadata.plugin.as_str()), ((1, 7), "spos"));
        let mut padded = framed(&record().to_string());
        padded.extend([0; 5]);
        assert!(Metadata::read(&padded).is_ok());
    }

    #[test]
    fn another_major_version_or_format_is_named() {
        let mut value = record();
        value["abi"] = serde_json::json!([2, 3]);
        value["root"] = Value::Null;
        assert_eq!(read(&value), Err(Reason::Abi { found: (2, 3), expected: 1 }));
        value["format"] = 2.into();
        assert_eq!(read(&value), Err(Reason::MetadataFormat { found: 2, expected: 1 }));
    }

    #[test]
    fn wrong_fields_are_named() {
        let odd = "a".repeat(65);
        for (field, text) in [
            ("plugin", odd.as_str()),
            ("plugin", ""),
            ("plugin", "spös"),
            ("group", "a/b"),
            ("root", "a b"),
            ("version", "1 2"),
            ("description", "\u{1b}[31m"),
        ] {
            let mut value = record();
            value[field] = text.into();
            let Err(Reason::Metadata(said)) = read(&value) else { panic!("{field} {text}") };
            assert!(said.contains(field) && !said.contains('\u{1b}'), "{said}");
        }
        let mut value = record();
        value["components"] = serde_json::json!([{ "kind": "sampler", "name": "\n" }]);
        assert!(matches!(read(&value), Err(Reason::Metadata(said)) if said.contains("components")));
        let mut value = record();
        value["root"] = 3.into();
        assert!(matches!(read(&value), Err(Reason::Metadata(_))));
    }

    #[test]
    fn wrong_frames_are_refused() {
        let good = framed(&record().to_string());
        for length in 0..good.len() {
            assert!(matches!(Metadata::read(&good[..length]), Err(Reason::Metadata(_))), "{length}");
        }
        assert!(Metadata::read(&[good.clone(), good.clone()].concat()).is_err());
        assert!(Metadata::read(&framed("[1]")).is_err());
        assert!(Metadata::read(&framed(&"[".repeat(100_000))).is_err());
        let mut endless = good;
        endless[8..12].copy_from_slice(&[0xff; 4]);
        assert!(Metadata::read(&endless).is_err());
    }
}
