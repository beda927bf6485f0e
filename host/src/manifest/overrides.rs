//! `--set key.path=value`.

use toml::{Table, Value};

use super::source::Source;
use crate::failure::{Failure, Result};

/// Tables and the keys in them of which a manifest has one or another: one that is set takes the place of the other.
const ALTERNATIVES: [(&str, [&str; 2]); 3] = [
    ("train", ["epochs", "steps"]),
    ("rank", ["subnets", "architectures"]),
    ("standalone", ["count", "architectures"]),
];

/// Takes `key.path=value` apart, for the command line.
///
/// # Errors
/// No `=`, or no key before it.
pub fn parse_override(argument: &str) -> Result<(String, String), String> {
    let (key, value) =
        argument.split_once('=').ok_or("expected `key.path=value`, for example `train.epochs=2`")?;
    let key = key.trim();
    match segments(key) {
        Some(_) => Ok((key.to_owned(), value.trim().to_owned())),
        None => Err(format!("`{key}` is no key, expected one such as `train.epochs`")),
    }
}

/// Writes the values into the table and notes in `source` where they come from.
pub(super) fn apply(table: &mut Table, overrides: &[(String, String)], source: &mut Source) -> Result<()> {
    for (key, text) in overrides {
        let argument = format!("{key}={text}");
        let wrong = |what: String| Failure::usage(format!("`--set {argument}`: {what}"));
        let path = segments(key).ok_or_else(|| wrong(format!("`{key}` is no key")))?;
        set(table, &path, value(text)).map_err(wrong)?;
        if let [name, chosen] = &path[..]
            && let Some(table) = table.get_mut(name).and_then(Value::as_table_mut)
        {
            drop_alternatives(table, name, chosen, |other| source.is_overridden(&format!("{name}.{other}")));
        }
        source.overridden(path.join("."), argument);
    }
    Ok(())
}

/// Takes the alternatives of a key out of the table of this name, but for those that are to stay.
pub(crate) fn drop_alternatives(table: &mut Table, name: &str, chosen: &str, stays: impl Fn(&str) -> bool) {
    for (of, keys) in ALTERNATIVES {
        if of == name && keys.contains(&chosen) {
            keys.iter().filter(|key| **key != chosen && !stays(key)).for_each(|key| drop(table.remove(*key)));
        }
    }
}

fn set(table: &mut Table, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, tables)) = path.split_last() else { return Ok(()) };
    let mut table = table;
    for (depth, name) in tables.iter().enumerate() {
        let entry = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| format!("`{}` is no table", path[..=depth].join(".")))?;
    }
    table.insert(last.clone(), value);
    Ok(())
}

/// The parts of a dotted key, which may be quoted as in TOML.
fn segments(key: &str) -> Option<Vec<String>> {
    if key.contains(['\n', '=', '#']) {
        return None;
    }
    let mut parsed: Table = toml::from_str(&format!("{key} = 0")).ok()?;
    let mut path = Vec::new();
    loop {
        let (name, value) = std::mem::take(&mut parsed).into_iter().next()?;
        path.push(name);
        match value {
            Value::Table(inner) => parsed = inner,
            _ => return Some(path),
        }
    }
}

/// A TOML value; what is none is a text.
fn value(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok();
    let alone = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    alone.unwrap_or_else(|| Value::String(text.to_owned()))
}
