//! Settings: the schema, the defaults, and values at the edges and beside them.

use serde_json::{Map, Value, json};

use super::ground::Case;
use super::report::{Checks, Ended};
use crate::component::is_panic;
use crate::failure::{Failure, Result};

/// Values that are tried for each setting.
const TRIED: [&str; 16] = [
    "null", "true", "false", "0", "1", "-1", "2", "10000", "0.5", "-0.5", "1e300", "\"\"", "\"x\"", "[]",
    "[0]", "{}",
];

pub(super) fn check(case: &Case, checks: &mut Checks) {
    let info = &case.info;
    let wrong =
        |text: String| Ended::Failed(Failure::new(format!("the {} `{}`: {text}", info.kind, info.name)));
    checks.run("settings", || {
        let schema = jsonschema::validator_for(&info.schema)
            .map_err(|error| wrong(format!("its settings have a schema that is none: {error}")))?;
        let count = settings(case).map_or(0, Map::len);
        let required = info.schema.get("required").and_then(Value::as_array).is_some_and(|r| !r.is_empty());
        if required {
            return Ok(format!("{count}, not all of them with a default"));
        }
        if let Some(error) = schema.iter_errors(&info.defaults).next() {
            let at = error.instance_path().to_string();
            return Err(wrong(format!("its defaults do not fit its schema: `{at}`: {error}")));
        }
        let made = case.make(&case.resolved.with_settings(Map::new()));
        made.map_err(|failure| failure.context("without settings, by its defaults"))?;
        // What the plugin says that it takes by default, it must take when it is given.
        let defaults = info.defaults.as_object().cloned().unwrap_or_default();
        let made = case.make(&case.resolved.with_settings(defaults));
        made.map_err(|failure| failure.context("with the defaults that it names"))?;
        Ok(format!("{count}, with defaults"))
    });
    checks.run("odd settings", || odd(case));
}

fn settings(case: &Case) -> Option<&Map<String, Value>> {
    case.info.schema.get("properties").and_then(Value::as_object)
}

/// Values that the schema refuses must be refused; others may be, but no value may end in a panic.
fn odd(case: &Case) -> Result<String, Ended> {
    let (mut tried, mut refused) = (0, 0);
    let given = case.resolved.settings();
    let mut make = |settings: &Map<String, Value>| {
        let made = case.make(&case.resolved.with_settings(settings.clone()));
        tried += 1;
        refused += u64::from(made.is_err());
        let shown = Value::Object(settings.clone());
        match &made {
            Err(failure) if is_panic(failure) => Err(failure.clone().context(&format!("with {shown}"))),
            _ => Ok((made, shown)),
        }
    };
    for (name, schema) in settings(case).into_iter().flatten() {
        let fits = schema_of(case, schema);
        let bounds = ["minimum", "maximum", "default"].iter().filter_map(|key| schema.get(*key).cloned());
        // A large bound may be a size that fills the memory.
        let bounds = bounds.filter(|value| value.as_f64().is_none_or(|value| value.abs() <= 1e6));
        let tried = TRIED.iter().filter_map(|text| serde_json::from_str(text).ok());
        for value in tried.chain(bounds) {
            let mut settings = given.clone();
            settings.insert(name.clone(), value.clone());
            let (made, shown) = make(&settings)?;
            if made.is_ok() && fits.as_ref().is_some_and(|fits| !fits.is_valid(&value)) {
                let text = format!("it took {shown}, which its schema refuses, expected an error");
                return Err(Failure::new(format!(
                    "{} `{}`, in `new`: {text}",
                    case.info.kind, case.info.name
                ))
                .into());
            }
        }
    }
    let mut settings = given.clone();
    settings.insert("no-such-setting".to_owned(), json!(1));
    let (made, _) = make(&settings)?;
    if made.is_ok() && case.info.schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        let text = "it took the setting `no-such-setting`, which its schema refuses, expected an error";
        return Err(Failure::new(format!("{} `{}`, in `new`: {text}", case.info.kind, case.info.name)).into());
    }
    Ok(format!("{tried} tried, {refused} refused, none in a panic"))
}

/// The schema of one setting, with the definitions that it may refer to.
fn schema_of(case: &Case, schema: &Value) -> Option<jsonschema::Validator> {
    let mut schema = schema.as_object()?.clone();
    for key in ["$defs", "definitions"] {
        if let Some(definitions) = case.info.schema.get(key) {
            schema.insert(key.to_owned(), definitions.clone());
        }
    }
    jsonschema::validator_for(&Value::Object(schema)).ok()
}
