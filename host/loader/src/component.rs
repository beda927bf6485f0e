//! The components of a plugin file, as it describes them itself.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metadata::NAME_LIMIT;
use crate::refusal::{Reason, clean};

/// The longest description of all components of a file, in bytes.
pub(crate) const TEXT_LIMIT: usize = 4 << 20;

/// What a component is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Describes the networks.
    SearchSpace,
    /// Draws the paths of a step.
    Sampler,
    /// Sets the learning rate.
    LrScheduler,
    /// Updates the parameters.
    Optimizer,
    /// Separates the optimizer's state.
    StateGroups,
    /// Looks for good architectures.
    Searcher,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::SearchSpace,
        Self::Sampler,
        Self::LrScheduler,
        Self::Optimizer,
        Self::StateGroups,
        Self::Searcher,
    ];

    /// Its name at the boundary, such as `lr-scheduler`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SearchSpace => "search-space",
            Self::Sampler => "sampler",
            Self::LrScheduler => "lr-scheduler",
            Self::Optimizer => "optimizer",
            Self::StateGroups => "state-groups",
            Self::Searcher => "searcher",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One component of a plugin file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComponentInfo {
    /// Its name: what `use` says in a manifest.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What it does, for a reader.
    pub doc: String,
    /// The JSON schema of its settings, an object.
    pub schema: Value,
    /// The settings that it takes when none are given, an object.
    pub defaults: Value,
    /// The paper that it comes from.
    pub citation: Option<String>,
}

/// The components of a file that this host can use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Components {
    /// The components, in the plugin's order. A name may occur once for each kind.
    pub known: Vec<ComponentInfo>,
    /// One sentence for each component that was left out, because it needs a newer host.
    pub warnings: Vec<String>,
}

/// As it stands in the plugin's text; fields that a later version adds are ignored.
#[derive(Deserialize)]
struct Described {
    name: String,
    kind: String,
    #[serde(default)]
    doc: String,
    #[serde(default = "empty_object")]
    schema: Value,
    #[serde(default = "empty_object")]
    defaults: Value,
    #[serde(default)]
    citation: Option<String>,
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

impl Components {
    /// Reads and checks the text that a plugin gives of its components.
    ///
    /// # Errors
    /// The text is too long or no JSON; a name is empty, too long, twice there or has odd characters; a schema or
    /// the defaults are no object.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if text.len() > TEXT_LIMIT {
            return Err(wrong(&format!("the text has {} bytes; expected at most {TEXT_LIMIT}", text.len())));
        }
        // As objects first: serde would also take lists, by position.
        let objects: Vec<Map<String, Value>> =
            serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
        let mut components = Self::default();
        let mut seen = HashSet::new();
        for object in objects {
            let described =
                Described::deserialize(Value::Object(object)).map_err(|e| wrong(&e.to_string()))?;
            let Described { name, kind, doc, schema, defaults, citation } = described;
            check_name(&name)?;
            if !seen.insert((kind.clone(), name.clone())) {
                return Err(wrong(&format!(
                    "there are two of the name `{name}` and the kind `{}`",
                    clean(&kind, 80)
                )));
            }
            for (field, value) in [("schema", &schema), ("defaults", &defaults)] {
                if !value.is_object() {
                    let found = clean(&value.to_string(), 80);
                    return Err(wrong(&format!("`{field}` of `{name}` is {found}; expected an object")));
                }
            }
            let Some(kind) = Kind::ALL.into_iter().find(|known| known.name() == kind) else {
                let kind = clean(&kind, 80);
                components.warnings.push(format!(
                    "the component `{name}` is of the kind `{kind}`, which this host does not know; it is left out"
                ));
                continue;
            };
            components.known.push(ComponentInfo { name, kind, doc, schema, defaults, citation });
        }
        Ok(components)
    }
}

fn check_name(name: &str) -> Result<(), Reason> {
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    if (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let (found, bytes) = (clean(name, 80), name.len());
    Err(wrong(&format!(
        "the name of a component is `{found}` ({bytes} bytes); expected 1 to {NAME_LIMIT} of the characters a-z, 0-9 and `-`"
    )))
}

fn wrong(text: &str) -> Reason {
    Reason::Components(clean(text, 400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_read() {
        let text = r#"[{"name":"spos","kind":"sampler","doc":"d","schema":{"type":"object"},"defaults":{"a":1},"new":2},
                       {"name":"spos","kind":"searcher"}, {"name":"x","kind":"scorer"}]"#;
        let components = Components::parse(text).unwrap();
        let kinds: Vec<_> = components.known.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        assert_eq!(kinds, [("spos", Kind::Sampler), ("spos", Kind::Searcher)]);
        assert_eq!(components.known[0].defaults["a"], 1);
        assert_eq!(components.warnings.len(), 1);
        assert!(components.warnings[0].contains("`scorer`"));
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn wrong_descriptions_are_named() {
        let endless = format!(r#"[{{"name":"{}","kind":"sampler"}}]"#, "a".repeat(1_000_000));
        for (text, part) in [
            ("", "EOF"),
            ("{}", "invalid type"),
            (r#"[{"name":"a"}]"#, "missing field `kind`"),
            (r#"[{"name":"","kind":"sampler"}]"#, "(0 bytes)"),
            (r#"[{"name":"A b","kind":"sampler"}]"#, "`A b`"),
            (r#"[{"name":"a","kind":"sampler"},{"name":"a","kind":"sampler"}]"#, "two of the name `a`"),
            (r#"[{"name":"a","kind":"sampler","schema":3}]"#, "`schema` of `a` is 3"),
            (r#"[{"name":"a","kind":"sampler","defaults":[]}]"#, "`defaults` of `a` is []"),
            (&endless, "(1000000 bytes)"),
            (&" ".repeat(TEXT_LIMIT + 1), "expected at most"),
            ("[[]]", "invalid type"),
            (&format!(r#"[{{"name":{}"#, "[".repeat(1000)), "recursion limit"),
        ] {
            let said = Components::parse(text).unwrap_err().to_string();
            assert!(said.contains(part) && said.len() < 600, "{said}");
        }
    }
}
