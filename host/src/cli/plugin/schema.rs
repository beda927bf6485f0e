//! What a setting may be, from its JSON schema, in a reader's words.

use serde_json::{Map, Value};

/// Definitions may hold each other without end.
const DEPTH: usize = 8;

/// A part of a component's schema.
#[derive(Clone, Copy)]
pub(super) struct Schema<'a> {
    part: &'a Value,
    whole: &'a Value,
    depth: usize,
}

impl<'a> Schema<'a> {
    pub(super) fn whole(schema: &'a Value) -> Self {
        Self { part: schema, whole: schema, depth: 0 }
    }

    fn within(self, part: &'a Value) -> Self {
        Self { part, depth: self.depth + 1, ..self }
    }

    /// The part itself, or the definition that it refers to.
    fn resolved(self) -> Option<Self> {
        if self.depth > DEPTH {
            return None;
        }
        let Some(name) = self.part.get("$ref").and_then(Value::as_str) else { return Some(self) };
        self.within(self.whole.pointer(name.strip_prefix('#')?)?).resolved()
    }

    fn alternatives(self) -> Option<&'a Vec<Value>> {
        ["anyOf", "oneOf", "allOf"].iter().find_map(|key| self.part.get(key)?.as_array())
    }

    /// The names and schemas of a table's keys.
    pub(super) fn keys(self) -> impl Iterator<Item = (&'a str, Self)> {
        let keys = self.part.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter);
        keys.map(move |(name, part)| (name.as_str(), self.within(part)))
    }

    /// The table with named keys that a setting is, or has in a list.
    pub(super) fn table(self) -> Option<Self> {
        let schema = self.resolved()?;
        if schema.keys().next().is_some() {
            return Some(schema);
        }
        let parts = schema.alternatives().into_iter().flatten().chain(schema.part.get("items"));
        parts.map(|part| schema.within(part)).find_map(Self::table)
    }

    pub(super) fn about(self) -> String {
        let about = self.part.get("description").and_then(Value::as_str);
        about.unwrap_or_default().replace('\n', " ")
    }

    pub(super) fn default(self) -> Option<&'a Value> {
        self.part.get("default")
    }

    /// Its type: `whole number`, `list of text`, or the values that there are. Empty where the schema does not say.
    pub(super) fn kind(self) -> String {
        let Some(schema) = self.resolved() else { return String::new() };
        let part = schema.part;
        if let Some(values) = part.get("enum").and_then(Value::as_array) {
            return joined(values.iter().filter(|value| !value.is_null()).map(Value::to_string));
        }
        if let Some(value) = part.get("const") {
            return value.to_string();
        }
        if let Some(alternatives) = schema.alternatives() {
            return joined(alternatives.iter().map(|part| schema.within(part).kind()));
        }
        match part.get("type") {
            Some(Value::String(kind)) => schema.of_type(kind),
            Some(Value::Array(kinds)) => {
                joined(kinds.iter().filter_map(Value::as_str).map(|kind| schema.of_type(kind)))
            }
            _ => String::new(),
        }
    }

    fn of_type(self, kind: &str) -> String {
        let of = |part: &'a Value| self.within(part).kind();
        match kind {
            "array" => match (self.part.get("prefixItems").and_then(Value::as_array), self.part.get("items"))
            {
                (Some(items), _) => format!("[{}]", items.iter().map(of).collect::<Vec<_>>().join(", ")),
                (None, Some(item)) => with_content("list", &of(item)),
                (None, None) => "list".to_owned(),
            },
            "object" => {
                let values = self.part.get("additionalProperties");
                with_content("table", &values.map(of).unwrap_or_default())
            }
            "integer" => "whole number".to_owned(),
            "string" => "text".to_owned(),
            "boolean" => "true or false".to_owned(),
            "null" => String::new(),
            other => other.to_owned(),
        }
    }
}

fn with_content(what: &str, content: &str) -> String {
    if content.is_empty() { what.to_owned() } else { format!("{what} of {content}") }
}

fn joined(kinds: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = Vec::new();
    for kind in kinds.filter(|kind| !kind.is_empty()) {
        if !different.contains(&kind) {
            different.push(kind);
        }
    }
    different.join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema<'a>(part: &'a Value, whole: &'a Value) -> Schema<'a> {
        Schema { part, ..Schema::whole(whole) }
    }

    #[test]
    fn types_are_told_in_words() {
        let whole = json!({ "$defs": {
            "Score": { "oneOf": [{ "const": "accuracy" }, { "const": "nll" }] },
            "Limit": { "anyOf": [
                { "type": "number" },
                { "type": "array", "prefixItems": [{ "type": "number" }, { "type": "number" }] },
            ]},
            "Layer": { "type": "object", "properties": { "width": { "type": "integer" } } },
            "Endless": { "type": "array", "items": { "$ref": "#/$defs/Endless" } },
        }});
        for (part, expected) in [
            (
                json!({ "anyOf": [{ "$ref": "#/$defs/Score" }, { "type": "null" }] }),
                "\"accuracy\" or \"nll\"",
            ),
            (json!({ "enum": [1, 2, null] }), "1 or 2"),
            (
                json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/Limit" } }),
                "table of number or [number, number]",
            ),
            (json!({ "type": ["array", "null"], "items": { "type": "string" } }), "list of text"),
            (json!({ "type": "array", "items": { "$ref": "#/$defs/Layer" } }), "list of table"),
            (json!({ "type": ["boolean", "null"] }), "true or false"),
            (json!({ "$ref": "#/$defs/Nothing" }), ""),
            (json!({ "$ref": "nowhere" }), ""),
            (json!({}), ""),
            (json!(true), ""),
        ] {
            assert_eq!(schema(&part, &whole).kind(), expected, "{part}");
        }
        let layers = json!({ "anyOf": [{ "type": "array", "items": { "$ref": "#/$defs/Layer" } }] });
        let keys =
            schema(&layers, &whole).table().unwrap().keys().map(|(name, key)| (name.to_owned(), key.kind()));
        assert_eq!(keys.collect::<Vec<_>>(), [("width".to_owned(), "whole number".to_owned())]);
        let endless = json!({ "$ref": "#/$defs/Endless" });
        assert!(schema(&endless, &whole).kind().starts_with("list of list"));
        assert!(schema(&endless, &whole).table().is_none());
    }
}
