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
    serde_json::from_str(text).map_err(|error| Error::new(format!("settings: {error}")))
}

pub(crate) fn schema<S: Settings>() -> serde_json::Value {
    schemars::schema_for!(S).to_value()
}

/// The settings with nothing set; null if one is required.
pub(crate) fn defaults<S: Settings>() -> serde_json::Value {
    serde_json::from_str::<S>("{}")
        .ok()
        .and_then(|settings| serde_json::to_value(settings).ok())
        .unwrap_or(serde_json::Value::Null)
}
