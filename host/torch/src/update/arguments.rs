//! Attributes of an operation on lists: each asked for once, what is left over is an error.

use nshot_graph::Value;

use crate::{Result, TorchError};

/// A number for all tensors, or one for each.
pub(super) enum Numbers {
    All(f64),
    Each(Vec<f64>),
}

pub(super) struct Arguments<'a> {
    given: &'a [(String, Value)],
    known: Vec<&'static str>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(given: &'a [(String, Value)]) -> Arguments<'a> {
        Arguments { given, known: Vec::new() }
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
    ) -> Result<Numbers> {
        let numbers = match self.find(name) {
            Some(Value::Int(value)) => Numbers::All(*value as f64),
            Some(Value::Float(value)) => Numbers::All(*value),
            Some(Value::Floats(list)) => Numbers::Each(list.clone()),
            Some(Value::Ints(list)) => Numbers::Each(list.iter().map(|&value| value as f64).collect()),
            Some(other) => return Err(wrong(name, "a number or a list of numbers", other)),
            None => Numbers::All(default.ok_or_else(|| missing(name))?),
        };
        let list = match &numbers {
            Numbers::All(value) => std::slice::from_ref(value),
            Numbers::Each(list) => list,
        };
        if let Numbers::Each(list) = &numbers
            && list.len() != count
        {
            return Err(TorchError::invalid(format!(
                "attribute `{name}` has {} numbers, expected one or {count}",
                list.len()
            )));
        }
        list.iter().try_for_each(|&value| finite(name, value))?;
        Ok(numbers)
    }

    pub(super) fn float(&mut self, name: &'static str, default: Option<f64>) -> Result<f64> {
        let value = match self.find(name) {
            Some(Value::Int(value)) => *value as f64,
            Some(Value::Float(value)) => *value,
            Some(other) => return Err(wrong(name, "a number", other)),
            None => default.ok_or_else(|| missing(name))?,
        };
        finite(name, value)?;
        Ok(value)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool> {
        match self.find(name) {
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(wrong(name, "a bool", other)),
            None => Ok(false),
        }
    }

    /// Refuses what was not asked for.
    pub(super) fn finish(&self) -> Result<()> {
        let Some((name, _)) = self.given.iter().find(|(name, _)| !self.known.contains(&name.as_str())) else {
            return Ok(());
        };
        let known = self.known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        Err(TorchError::invalid(format!("has no attribute `{name}` for these lists; it has {known}")))
    }
}

fn finite(name: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(TorchError::invalid(format!("attribute `{name}` is {value}, expected a finite number")))
}

fn missing(name: &str) -> TorchError {
    TorchError::invalid(format!("needs the attribute `{name}`"))
}

fn wrong(name: &str, expected: &str, found: &Value) -> TorchError {
    TorchError::invalid(format!("attribute `{name}` is {}, expected {expected}", found.kind()))
}
