//! Attributes of an operation on lists: what is left over is an error.

use nshot_graph::Value;

/// A number for all tensors, or one for each.
pub(super) enum Numbers {
    All(f64),
    Each(Vec<f64>),
}

impl Numbers {
    pub(super) fn of(&self, tensor: usize) -> f64 {
        match self {
            Self::All(value) => *value,
            Self::Each(values) => values[tensor],
        }
    }
}

pub(super) struct Arguments<'a> {
    given: &'a [(String, Value)],
    known: Vec<&'static str>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(given: &'a [(String, Value)]) -> Self {
        Self { given, known: Vec::new() }
    }

    fn find(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.given.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    /// A number, or a list with one per tensor.
    pub(super) fn numbers(
        &mut self,
        name: &'static str,
        default: Option<f64>,
        count: usize,
    ) -> Result<Numbers, String> {
        let list = match self.find(name) {
            Some(Value::Floats(list)) => list.clone(),
            Some(Value::Ints(list)) => list.iter().map(|&value| value as f64).collect(),
            Some(Value::Int(_) | Value::Float(_)) | None => {
                return self.float(name, default).map(Numbers::All);
            }
            Some(other) => return Err(wrong(name, "a number or a list of numbers", other)),
        };
        if list.len() != count {
            let found = list.len();
            return Err(format!("attribute `{name}` has {found} numbers, expected one or {count}"));
        }
        list.iter().try_for_each(|&value| finite(name, value))?;
        Ok(Numbers::Each(list))
    }

    pub(super) fn float(&mut self, name: &'static str, default: Option<f64>) -> Result<f64, String> {
        let value = match (self.find(name), default) {
            (Some(Value::Int(value)), _) => *value as f64,
            (Some(Value::Float(value)), _) => *value,
            (Some(other), _) => return Err(wrong(name, "a number", other)),
            (None, Some(default)) => default,
            (None, None) => return Err(format!("needs the attribute `{name}`")),
        };
        finite(name, value)?;
        Ok(value)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, String> {
        match self.find(name) {
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(wrong(name, "a bool", other)),
            None => Ok(false),
        }
    }

    /// Refuses what was not asked for.
    pub(super) fn finish(&self) -> Result<(), String> {
        let Some((name, _)) = self.given.iter().find(|(name, _)| !self.known.contains(&name.as_str())) else {
            return Ok(());
        };
        let mut known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        known.dedup();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("has no attribute `{name}` for these lists; it has {known}"))
    }
}

fn finite(name: &str, value: f64) -> Result<(), String> {
    if value.is_finite() {
        return Ok(());
    }
    Err(format!("attribute `{name}` is {value}, expected a finite number"))
}

fn wrong(name: &str, expected: &str, found: &Value) -> String {
    format!("attribute `{name}` is {}, expected {expected}", found.kind())
}
