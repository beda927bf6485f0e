//! A component, for a reader.

use nshot_loader::ComponentInfo;
use serde_json::Value;

use crate::cli::output::Lines;

/// A component's name, text and settings.
pub(super) fn describe(component: &ComponentInfo, text: &mut Lines) {
    text.line("");
    text.line(format_args!("  {} `{}`", component.kind, component.name));
    component.doc.lines().for_each(|line| text.line(format!("    {line}").trim_end()));
    if let Some(citation) = component.citation.as_ref().filter(|citation| !citation.is_empty()) {
        text.line(format_args!("    cite: {citation}"));
    }
    let settings = component.schema.get("properties").and_then(Value::as_object);
    let Some(settings) = settings.filter(|settings| !settings.is_empty()) else {
        return text.line("    no settings");
    };
    text.line("    settings:");
    for (name, schema) in settings {
        let default = component.defaults.get(name).or_else(|| schema.get("default"));
        let default = default.filter(|value| !value.is_null());
        let default = default.map_or(String::new(), |value| format!(" = {value}"));
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let about = if about.is_empty() { about } else { format!("  # {about}") };
        let kind = kind_of(schema);
        let kind = if kind.is_empty() { kind } else { format!(": {kind}") };
        text.line(format_args!("      {name}{kind}{default}{about}"));
    }
}

/// The type of a setting, as its schema says it; a type of the plugin's own by its name.
fn kind_of(schema: &Value) -> String {
    let joined = |kinds: Vec<String>| {
        let mut kinds: Vec<String> =
            kinds.into_iter().filter(|kind| !kind.is_empty() && kind != "null").collect();
        kinds.dedup();
        kinds.join(" or ")
    };
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(values) = list("enum") {
        return joined(values.iter().map(Value::to_string).collect());
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(choices) = list("anyOf").or_else(|| list("oneOf")).or_else(|| list("allOf")) {
        return joined(choices.iter().map(kind_of).collect());
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    match (schema.get("type"), schema.get("items")) {
        (Some(Value::String(kind)), Some(items)) if kind == "array" => match kind_of(items) {
            items if items.is_empty() => kind.clone(),
            items => format!("list of {items}"),
        },
        (Some(Value::String(kind)), _) => kind.clone(),
        (Some(Value::Array(kinds)), _) => {
            joined(kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use nshot_loader::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_told_with_their_defaults() {
        let told = |component: &ComponentInfo| {
            let mut text = Lines::default();
            describe(component, &mut text);
            text.0
        };
        let component = ComponentInfo {
            name: "cosine".to_owned(),
            kind: Kind::LrScheduler,
            doc: "Half a cosine.".to_owned(),
            schema: json!({ "properties": {
                "floor": { "description": "The last\nfactor.", "type": "number", "default": 0.0 }, "warm_up": {},
                "roles": { "type": ["array", "null"] }, "sides": { "type": "array", "items": { "type": "integer" } },
                "score": { "anyOf": [{ "$ref": "#/$defs/Score" }, { "type": "null" }] },
            }}),
            defaults: json!({ "floor": 0.1 }),
            citation: None,
        };
        assert_eq!(
            told(&component),
            "\n  lr-scheduler `cosine`\n    Half a cosine.\n    settings:\n      floor: number = 0.1  # The last \
             factor.\n      roles: array\n      score: Score\n      sides: list of integer\n      warm_up\n"
        );
        let bare = ComponentInfo { schema: json!({}), doc: String::new(), ..component };
        assert_eq!(told(&bare), "\n  lr-scheduler `cosine`\n    no settings\n");
    }
}
