//! Where a manifest's keys stand, for errors that point at a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::failure::{Failure, Result};

/// The largest manifest, in bytes.
const LARGEST: u64 = 1 << 20;
/// The longest line that is shown below an error, in characters.
const LONGEST_LINE: usize = 160;

/// A manifest's text with the places of its keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: String,
    places: BTreeMap<String, Place>,
    /// The folder that relative paths start from, if it is not the file's.
    pub(super) base: Option<PathBuf>,
    /// The table in the file whose keys were laid over the others.
    pub(super) laid_over: Option<String>,
    /// The keys that `--set` gave, each with the argument.
    overrides: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Place {
    key: Range<usize>,
    /// None for a table, whose value is not in one line.
    value: Option<Range<usize>>,
}

/// Two manifests are equal whatever files they come from.
impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The text of the file.
pub(crate) fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let failed = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::usage(format!("there is no manifest `{shown}`")),
        _ => Failure::usage(format!("cannot read the manifest `{shown}`: {error}")),
    };
    if path.is_dir() {
        let wrong = Failure::usage(format!("`{shown}` is a folder, expected a manifest"));
        let resolved = path.join("manifest.toml").is_file();
        return Err(if resolved {
            wrong.hint(format!("to go on with this run: `nshot resume {shown}`"))
        } else {
            wrong
        });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::usage(format!("the manifest `{shown}` has more than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = String::from_utf8_lossy(before).matches('\n').count() + 1;
        Failure::usage(format!("{shown}:{line}: the manifest is not UTF-8 text"))
    })
}

impl Source {
    /// Reads the text as TOML.
    pub(super) fn parse(text: String, path: &Path) -> Result<(Self, toml::Table)> {
        let mut source = Self { path: path.to_owned(), text, ..Self::default() };
        let mut places = BTreeMap::new();
        let parsed = DeTable::parse(&source.text).and_then(|table| {
            collect(table.get_ref(), "", &mut places);
            toml::from_str(&source.text)
        });
        match parsed {
            Ok(table) => {
                source.places = places;
                Ok((source, table))
            }
            Err(error) => Err(source.syntax(&error)),
        }
    }

    /// The folder that relative paths start from.
    pub(super) fn base(&self) -> &Path {
        if let Some(base) = &self.base {
            return base;
        }
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    pub(super) fn overridden(&mut self, key: String, argument: String) {
        self.overrides.push((key, argument));
    }

    /// Whether `--set` gave this key.
    pub(super) fn is_overridden(&self, key: &str) -> bool {
        self.overrides.iter().any(|(given, _)| given == key)
    }

    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        match self.argument(key) {
            Some(_) => None,
            None => self.place(key).map(|(place, _)| self.line(place.key.start)),
        }
    }

    /// Blames the value of a key, or the nearest table around it.
    pub(super) fn locate(&self, key: &str, failure: Failure) -> Failure {
        self.blame(key, failure, |place| place.value.clone().unwrap_or_else(|| place.key.clone()))
    }

    /// Blames the key itself.
    pub(super) fn locate_key(&self, key: &str, failure: Failure) -> Failure {
        self.blame(key, failure, |place| place.key.clone())
    }

    fn blame(&self, key: &str, failure: Failure, span: impl Fn(&Place) -> Range<usize>) -> Failure {
        if let Some(argument) = self.argument(key) {
            return failure.context(&format!("`--set {argument}`"));
        }
        match self.place(key) {
            Some((place, true)) => self.point(&span(place), failure),
            Some((place, false)) => self.point(&place.key, failure),
            None => failure.context(&self.path.display().to_string()),
        }
    }

    /// The last `--set` that gave this key, a table around it, or a table of this name that the file has not.
    fn argument(&self, key: &str) -> Option<&str> {
        let laid_over = || self.laid_over.as_ref().map(|table| format!("{table}.{key}"));
        let absent =
            !self.places.contains_key(key) && !laid_over().is_some_and(|key| self.places.contains_key(&key));
        let blamed = |given: &str| within(key, given) || (absent && within(given, key));
        let given = self.overrides.iter().rev().find(|(given, _)| blamed(given));
        given.map(|(_, argument)| argument.as_str())
    }

    /// The place of a key, or of the nearest table around it, and whether it is the key's own.
    fn place(&self, key: &str) -> Option<(&Place, bool)> {
        if let Some(place) =
            self.laid_over.as_ref().and_then(|table| self.places.get(&format!("{table}.{key}")))
        {
            return Some((place, true));
        }
        let mut part = key;
        loop {
            if let Some(place) = self.places.get(part) {
                return Some((place, part == key));
            }
            part = &part[..part.rfind('.')?];
        }
    }

    fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    fn syntax(&self, error: &toml::de::Error) -> Failure {
        let span = error.span().unwrap_or(0..0);
        let found = self.text.get(span.clone()).unwrap_or_default();
        let message = match error.message() {
            "duplicate key" => format!("the key `{}` is given twice", found.trim_matches(['"', '\''])),
            other if other.contains("` as i128") => format!("the number {found} has more than 64 bits"),
            other => format!("this is no TOML: {other}"),
        };
        self.point(&span, Failure::usage(message))
    }

    /// With `FILE:LINE: ` before the message, and the line with a mark below it.
    fn point(&self, span: &Range<usize>, failure: Failure) -> Failure {
        let line = self.line(span.start);
        let mut failure = failure.context(&format!("{}:{line}", self.path.display()));
        if let Some(excerpt) = self.excerpt(line, span) {
            failure.message.push_str(&excerpt);
        }
        failure
    }

    fn excerpt(&self, number: usize, span: &Range<usize>) -> Option<String> {
        let start = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        let plain =
            |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let before = self.text[start..span.start].chars().count();
        let marked = self.text.get(span.clone())?.lines().next().unwrap_or_default().chars().count();
        if line.chars().count() > LONGEST_LINE {
            return None;
        }
        let number = number.to_string();
        let margin = " ".repeat(number.len());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{margin} |\n{number} | {}\n{margin} | ", plain(line).trim_end());
        let _ = write!(text, "{}{}", " ".repeat(before), "^".repeat(marked.max(1)));
        Some(text)
    }
}

/// Whether `key` is `table` or something in it.
fn within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn collect(table: &DeTable, prefix: &str, places: &mut BTreeMap<String, Place>) {
    for (key, value) in table {
        let path =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        let inner = match value.get_ref() {
            DeValue::Table(table) => {
                collect(table, &path, places);
                None
            }
            _ => Some(value.span()),
        };
        places.insert(path, Place { key: key.span(), value: inner });
    }
}
