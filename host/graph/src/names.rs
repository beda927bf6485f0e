//! Names that plugins choose: bounded, printable, and met with a suggestion when unknown.

use crate::{GraphError, Result, limits};

/// Refuses empty names, long ones and control characters.
pub(crate) fn check(what: &'static str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.chars().nth(limits::NAME_CHARS).is_some() {
        format!("is longer than {} characters", limits::NAME_CHARS)
    } else if name.chars().any(char::is_control) {
        "contains a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(GraphError::Declaration { what, name: shorten(name), problem })
}

/// A name as messages print it: at most 64 characters, control characters escaped.
pub(crate) fn shorten(name: &str) -> String {
    let mut short: String =
        name.chars().take(64).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if name.chars().nth(64).is_some() {
        short.push('…');
    }
    short
}

/// The known name most like `name`, if one is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if name.len() > limits::NAME_CHARS {
        return None;
    }
    known
        .into_iter()
        .take(10_000)
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other.to_owned())
}
