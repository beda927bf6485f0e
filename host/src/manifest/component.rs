//! A table that names a plugin's component: the host owns `use`, the rest is the component's.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use semver::VersionReq;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest name of a component, a plugin or a group.
const NAME_LIMIT: usize = 64;

/// A component with its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Which component of which plugin.
    pub uses: Use,
    /// The component's own settings, as the manifest gives them.
    pub settings: Map<String, Value>,
}

/// The value of `use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// `component`, `plugin:component`, `group/plugin:component`, each with or without `@^1.2`.
    Named {
        /// The group that the plugin comes from.
        group: Option<String>,
        /// The plugin.
        plugin: Option<String>,
        /// The component.
        component: String,
        /// The versions of the plugin that will do.
        version: Option<VersionReq>,
    },
    /// `{ path = "…" }`: a crate, or a plugin file.
    Path {
        /// The crate's folder, or the plugin file.
        path: PathBuf,
        /// The component, where the plugin has several that fit.
        component: Option<String>,
    },
}

impl Use {
    /// The component's name, if it is given.
    pub fn component(&self) -> Option<&str> {
        match self {
            Self::Named { component, .. } => Some(component),
            Self::Path { component, .. } => component.as_deref(),
        }
    }
}

impl FromStr for Use {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, version) = match text.split_once('@') {
            None => (text, None),
            Some((text, version)) => {
                let parsed = VersionReq::parse(version);
                let why = |error| format!("has the version `{version}`, which is none: {error}");
                (text, Some(parsed.map_err(why)?))
            }
        };
        let (plugin, component) = match text.rsplit_once(':') {
            None if text.contains('/') => {
                return Err(format!("is `{text}`, expected `group/plugin:component`"));
            }
            None => (None, text),
            Some((plugin, component)) => (Some(plugin), component),
        };
        let (group, plugin) = match plugin.map(|plugin| plugin.split_once('/').ok_or(plugin)) {
            None => (None, None),
            Some(Err(plugin)) => (None, Some(plugin)),
            Some(Ok((group, plugin))) => (Some(group), Some(plugin)),
        };
        let owned = |name: Option<&str>| name.map(checked_name).transpose();
        Ok(Self::Named {
            group: owned(group)?,
            plugin: owned(plugin)?,
            component: checked_name(component)?,
            version,
        })
    }
}

fn checked_name(name: &str) -> Result<String, String> {
    let plain = name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
    if plain && (1..=NAME_LIMIT).contains(&name.len()) {
        return Ok(name.to_owned());
    }
    let shown: String = name.chars().take(NAME_LIMIT).map(|c| if c.is_control() { '?' } else { c }).collect();
    Err(format!("has the name `{shown}`, expected 1 to {NAME_LIMIT} of the characters a-z, 0-9 and `-`"))
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { group, plugin, component, version } => {
                if let Some(group) = group {
                    write!(f, "{group}/")?;
                }
                if let Some(plugin) = plugin {
                    write!(f, "{plugin}:")?;
                }
                f.write_str(component)?;
                version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
            }
            Self::Path { path, component: None } => write!(f, "{}", path.display()),
            Self::Path { path, component: Some(component) } => write!(f, "{}:{component}", path.display()),
        }
    }
}

/// The table form of [`Use::Path`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathForm {
    path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<String>,
}

impl Serialize for Use {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named { .. } => serializer.collect_str(self),
            Self::Path { path, component } => {
                PathForm { path: path.clone(), component: component.clone() }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Use {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UseVisitor)
    }
}

struct UseVisitor;

impl<'de> Visitor<'de> for UseVisitor {
    type Value = Use;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a component or { path = \"…\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Use, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Use, A::Error> {
        let PathForm { path, component } = PathForm::deserialize(MapAccessDeserializer::new(map))?;
        if let Some(name) = &component {
            checked_name(name).map_err(de::Error::custom)?;
        }
        Ok(Use::Path { path, component })
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.settings.len() + 1))?;
        map.serialize_entry("use", &self.uses)?;
        for (key, value) in &self.settings {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ComponentVisitor)
    }
}

struct ComponentVisitor;

impl<'de> Visitor<'de> for ComponentVisitor {
    type Value = Component;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Component, A::Error> {
        let mut uses = None;
        let mut settings = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "use" {
                uses = Some(map.next_value()?);
            } else {
                let Setting(value) = map.next_value()?;
                settings.insert(key, value);
            }
        }
        let uses = uses.ok_or_else(|| de::Error::missing_field("use"))?;
        Ok(Component { uses, settings })
    }
}

/// A TOML value as JSON, in which components take their settings; a date is its text.
struct Setting(Value);

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        to_json(toml::Value::deserialize(deserializer)?).map(Setting).map_err(de::Error::custom)
    }
}

fn to_json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Float(number) if number.is_finite() => number.into(),
        toml::Value::Float(number) => return Err(format!("holds {number}, expected a finite number")),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => {
            Value::Array(values.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| Ok::<_, String>((key, to_json(value)?)));
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
    })
}
