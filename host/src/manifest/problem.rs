//! serde's errors, said in the manifest's words and with their place.

use serde_path_to_error::{Error, Segment};

use super::source::Source;
use crate::failure::{Failure, Result};

/// The failure for a table that does not fit the manifest's types.
pub(super) fn explain(source: &Source, error: &Error<toml::de::Error>) -> Failure {
    let key = dotted(error);
    let message = error.inner().message();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(source, &key, rest);
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return missing_key(source, &key, name.trim_matches('`'));
    }
    let failure = if let Some((found, expected)) = mismatch(message) {
        Failure::usage(format!("`{key}` is {found}, expected {expected}"))
    } else if let Some(rest) = message.strip_prefix("unknown variant ") {
        unknown_name(&key, rest)
    } else {
        Failure::usage(format!("`{key}` {message}"))
    };
    source.locate(&key, failure)
}

/// serde takes a list for a table, its values in the order of the keys, which no reader of a manifest knows.
pub(super) fn refuse_lists_for_tables(
    source: &Source,
    given: &toml::Table,
    read: &toml::Table,
    within: &str,
) -> Result<()> {
    for (name, value) in given {
        let key = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        match (value, read.get(name)) {
            (toml::Value::Array(_), Some(toml::Value::Table(_))) => {
                let wrong = Failure::usage(format!("`{key}` is a list, expected a table"));
                return Err(source.locate(&key, wrong));
            }
            (toml::Value::Table(given), Some(toml::Value::Table(read))) => {
                refuse_lists_for_tables(source, given, read, &key)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// `space.channels`, without positions in lists.
fn dotted(error: &Error<toml::de::Error>) -> String {
    let names = error.path().iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        Segment::Enum { variant } => Some(variant.as_str()),
        Segment::Seq { .. } | Segment::Unknown => None,
    });
    names.collect::<Vec<_>>().join(".")
}

fn unknown_key(source: &Source, key: &str, rest: &str) -> Failure {
    let (expected, name) =
        (quoted(rest.rsplit_once(", expected ").map_or("", |(_, names)| names)), last(key));
    let wrong = match key.rsplit_once('.') {
        Some((table, _)) => Failure::usage(format!("unknown key `{name}` in `[{table}]`")),
        None => Failure::usage(format!("unknown table `[{name}]`")),
    };
    let hint = match key {
        "matrix" => "this is a comparison of methods; `nshot sweep` runs it".to_owned(),
        _ => suggestion(name, &expected),
    };
    source.locate_key(key, wrong.hint(hint))
}

fn missing_key(source: &Source, table: &str, name: &str) -> Failure {
    let failure = match (table, name) {
        ("", "train") => {
            Failure::usage("the table `[train]` is missing").hint("it needs `epochs` or `steps`, and `lr`")
        }
        ("", _) => Failure::usage(format!("the table `[{name}]` is missing"))
            .hint(format!("it needs `use`; `nshot plugin list` shows what there is{}", example(name))),
        (_, "use") => Failure::usage(format!("`use` is missing in `[{table}]`"))
            .hint(format!("`nshot plugin list` shows what there is{}", example(table))),
        _ => Failure::usage(format!("`{name}` is missing in `[{table}]`")),
    };
    source.locate_key(table, failure)
}

fn example(table: &str) -> &'static str {
    match table {
        "space" => ", for example `use = \"nas-bench-201\"`",
        "sampler" => ", for example `use = \"spos\"`",
        "scheduler" => ", for example `use = \"cosine\"`",
        "optimizer" => ", for example `use = \"sgd\"`",
        _ => "",
    }
}

fn unknown_name(key: &str, rest: &str) -> Failure {
    let (found, names) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
    let names = quoted(names);
    let failure = Failure::usage(format!("`{key}` is {found}, expected {}", one_of(&names)));
    match nearest(found.trim_matches('`'), &names) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure,
    }
}

/// `invalid type: integer `3`, expected a string`, in the manifest's words.
fn mismatch(message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some((found_words(found), expected_words(expected)))
}

/// serde's error of a plugin's setting in the same words: `is 3, expected a text`. None if it is another one.
pub(crate) fn in_words(message: &str) -> Option<String> {
    mismatch(message).map(|(found, expected)| format!("is {found}, expected {expected}"))
}

fn found_words(found: &str) -> String {
    match found.split_once(' ').unwrap_or((found, "")) {
        ("integer" | "boolean", value) => value.to_owned(),
        ("floating", value) => value.trim_start_matches("point ").to_owned(),
        ("string", value) => format!("the text {value}"),
        ("map", _) => "a table".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        _ => found.to_owned(),
    }
}

fn expected_words(expected: &str) -> String {
    match expected {
        "u64" | "usize" => "a whole number, 0 or more",
        "u32" => "a whole number from 0 to 4294967295",
        "u16" => "a whole number from 0 to 65535",
        "u8" => "a whole number from 0 to 255",
        "i64" | "isize" => "a whole number",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "f64" | "f32" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "string" => "a text",
        "path string" => "a path",
        "a map" => "a table",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
    .to_owned()
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The names in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn suggestion(name: &str, expected: &[&str]) -> String {
    match nearest(name, expected) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("expected {}", one_of(expected)),
    }
}

/// The names as alternatives.
pub(crate) fn one_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [name] => name.clone(),
        [first, second] => format!("{first} or {second}"),
        _ => format!("one of {}", names.join(", ")),
    }
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let scored =
        names.iter().map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), *candidate));
    scored.filter(|(score, _)| *score >= 0.5).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
