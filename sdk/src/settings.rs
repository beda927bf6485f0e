//! Settings: a serde struct with a JSON schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// The settings of a component: any type with these derives. Use `#[serde(deny_unknown_fields)]`, so that a typo
/// in a manifest is an error, and doc comments, which become the schema's descriptions.
pub trait Settings: Serialize + DeserializeOwned + JsonSchema + 'static {}

impl<T: Serialize + DeserializeOwned + JsonSchema + 'static> Settings for T {}

/// The settings of a component that has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

pub(crate) fn parse<S: Settings>(text: &str) -> Result<S> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let problem = error.inner().to_string();
        // The place is one in JSON that the host wrote, not in the user's manifest.
        let problem = problem.split(" at line ").next().unwrap_or_default();
        match error.path().to_string().as_str() {
            "." => Error::new(problem),
            setting => Error::new(format!("`{setting}`: {problem}")),
        }
    })
}

pub(crate) fn schema<S: Settings>() -> serde_json::Value {
    schemars::schema_for!(S).to_value()
}

/// The settings with nothing set; where one is required, the defaults of the others.
pub(crate) fn defaults<S: Settings>() -> serde_json::Value {
    if let Some(all) = serde_json::from_str::<S>("{}").ok().and_then(|all| serde_json::to_value(all).ok()) {
        return all;
    }
    let schema = schema::<S>();
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    let default = |(name, property): (&String, &serde_json::Value)| {
        property.get("default").map(|value| (name.clone(), value.clone()))
    };
    serde_json::Value::Object(properties.into_iter().flatten().filter_map(default).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Two {
        #[serde(default)]
        number: u32,
        text: String,
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let error = |json| parse::<Two>(json).unwrap_err().text().to_owned();
        assert_eq!(
            error(r#"{"number": -1, "text": ""}"#),
            "`number`: invalid value: integer `-1`, expected u32"
        );
        assert_eq!(error("{}"), "missing field `text`");
        assert!(error(r#"{"nubmer": 1}"#).contains("unknown field `nubmer`"));
        assert_eq!(defaults::<Two>(), serde_json::json!({"number": 0}));
    }
}
