//! Names of a foreign checkpoint turned into a supernet's: what `init_from = { file, map }` says.

use std::collections::BTreeMap;

use crate::{Result, TorchError};

/// Rules from names in a file to names of parameters, each one of
///
/// - a whole name: `"fc.weight" = "classifier.weight"`;
/// - a whole name with `{}` for text without a dot, kept in the order of occurrence:
///   `"stages.{}.{}.conv.weight" = "stage{}.cell{}.weight"`;
/// - a beginning, empty or ending in a dot: `"weight." = ""`.
///
/// Whole names win over `{}`, these over beginnings, longer over shorter ones. Without rules names stay.
#[derive(Debug, Clone, Default)]
pub struct NameMap {
    rules: Vec<(String, String)>,
}

impl NameMap {
    /// From the table in a manifest.
    ///
    /// # Errors
    /// A replacement with another number of `{}` than its pattern.
    pub fn new(table: &BTreeMap<String, String>) -> Result<NameMap> {
        let mut rules = Vec::with_capacity(table.len());
        for (pattern, replacement) in table {
            let (found, expected) = (replacement.matches("{}").count(), pattern.matches("{}").count());
            if found != expected {
                return Err(TorchError::invalid(format!(
                    "name map: `{replacement}` has {found} `{{}}`, expected {expected} as in `{pattern}`"
                )));
            }
            rules.push((pattern.clone(), replacement.clone()));
        }
        rules.sort_by_key(|(pattern, _)| (rank(pattern), std::cmp::Reverse(pattern.len())));
        Ok(NameMap { rules })
    }

    /// The parameter's name for a name in the file; `None` where no rule fits.
    pub fn apply(&self, name: &str) -> Option<String> {
        if self.rules.is_empty() {
            return Some(name.to_owned());
        }
        self.rules.iter().find_map(|(pattern, replacement)| match rank(pattern) {
            0 => (pattern == name).then(|| replacement.clone()),
            1 => wildcards(pattern, name).map(|parts| fill(replacement, &parts)),
            _ => name.strip_prefix(pattern.as_str()).map(|rest| format!("{replacement}{rest}")),
        })
    }
}

fn rank(pattern: &str) -> u8 {
    if pattern.contains("{}") {
        1
    } else if pattern.is_empty() || pattern.ends_with('.') {
        2
    } else {
        0
    }
}

/// What each `{}` stands for, the shortest that fits, left to right.
fn wildcards<'a>(pattern: &str, name: &'a str) -> Option<Vec<&'a str>> {
    let Some((literal, rest)) = pattern.split_once("{}") else {
        return (pattern == name).then(Vec::new);
    };
    let name = name.strip_prefix(literal)?;
    let longest = name.find('.').unwrap_or(name.len());
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= longest);
    for end in ends {
        if let Some(mut parts) = wildcards(rest, &name[end..]) {
            parts.insert(0, &name[..end]);
            return Some(parts);
        }
    }
    None
}

fn fill(replacement: &str, parts: &[&str]) -> String {
    let mut out = String::new();
    for (i, literal) in replacement.split("{}").enumerate() {
        if i > 0 {
            out.push_str(parts.get(i - 1).copied().unwrap_or_default());
        }
        out.push_str(literal);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rules: &[(&str, &str)]) -> Result<NameMap> {
        NameMap::new(&rules.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn rules_of_each_form() {
        let map = map(&[
            ("weight.", ""),
            ("weight.stem", "odd"),
            (
                "weight.stages.{}.{}.edges.{}.nor_conv_3x3.conv.weight",
                "stage{}.cell{}.edge{}.nor_conv_3x3.weight",
            ),
        ])
        .unwrap();
        let apply = |name| map.apply(name);
        assert_eq!(apply("weight.stem.weight").as_deref(), Some("stem.weight"));
        assert_eq!(apply("weight.stem").as_deref(), Some("odd"));
        assert_eq!(
            apply("weight.stages.1.0.edges.5.nor_conv_3x3.conv.weight").as_deref(),
            Some("stage1.cell0.edge5.nor_conv_3x3.weight")
        );
        assert_eq!(apply("batch.0.images"), None);
        assert_eq!(NameMap::default().apply("x").as_deref(), Some("x"));
    }

    #[test]
    fn uneven_wildcards_are_refused() {
        let message = map(&[("a.{}.b", "c")]).unwrap_err().to_string();
        assert!(message.contains("has 0 `{}`, expected 1"), "{message}");
    }
}
