//! A component, for a reader.

use nshot_loader::ComponentInfo;
use serde_json::Value;

use super::schema::Schema;
use crate::cli::output::Lines;

/// A component's name, text and settings.
pub(super) fn describe(component: &ComponentInfo, text: &mut Lines) {
    text.line("");
    text.line(format_args!("  {} `{}`", component.kind, component.name));
    component.doc.lines().for_each(|line| text.line(format!("    {line}").trim_end()));
    if let Some(citation) = component.citation.as_ref().filter(|citation| !citation.is_empty()) {
        text.line(format_args!("    cite: {citation}"));
    }
    let schema = Schema::whole(&component.schema);
    if schema.keys().next().is_none() {
        return text.line("    no settings");
    }
    text.line("    settings:");
    keys(schema, &component.defaults, "      ", text);
}

/// The keys of a table, each on a line, with those of the tables that it holds below it.
fn keys(table: Schema, defaults: &Value, margin: &str, text: &mut Lines) {
    for (name, key) in table.keys() {
        let default = defaults.get(name).or_else(|| key.default()).filter(|value| !value.is_null());
        let default = default.map_or(String::new(), |value| format!(" = {value}"));
        let (about, kind) = (key.about(), key.kind());
        let about = if about.is_empty() { about } else { format!("  # {about}") };
        let kind = if kind.is_empty() { kind } else { format!(": {kind}") };
        text.line(format_args!("{margin}{name}{kind}{default}{about}"));
        if let Some(inner) = key.table() {
            keys(inner, &Value::Null, &format!("{margin}  "), text);
        }
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
                "layers": { "type": "array", "items": { "type": "object", "properties": { "width": { "type": "integer" } } } },
            }}),
            defaults: json!({ "floor": 0.1 }),
            citation: None,
        };
        assert_eq!(
            told(&component),
            "\n  lr-scheduler `cosine`\n    Half a cosine.\n    settings:\n      floor: number = 0.1  # The last \
             factor.\n      layers: list of table\n        width: whole number\n      roles: list\n      sides: list of \
             whole number\n      warm_up\n"
        );
        let bare = ComponentInfo { schema: json!({}), doc: String::new(), ..component };
        assert_eq!(told(&bare), "\n  lr-scheduler `cosine`\n    no settings\n");
    }
}
