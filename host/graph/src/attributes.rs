//! Reading named attributes: kinds, ranges, defaults, and what to say when they are wrong.

use crate::{GraphError, Result, Value, limits, names};

/// Takes attributes one by one; what is left at the end is unknown to the operation.
pub(crate) struct Reader<'a> {
    node: &'a str,
    op: &'a str,
    attributes: &'a [(String, Value)],
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Of the attributes given to `op` at the node called `node`; a name given twice is an error.
    pub(crate) fn new(node: &'a str, op: &'a str, attributes: &'a [(String, Value)]) -> Result<Reader<'a>> {
        if attributes.len() > limits::ATTRIBUTES {
            return Err(GraphError::Limit { what: "attributes at one node", limit: limits::ATTRIBUTES });
        }
        for (i, (name, _)) in attributes.iter().enumerate() {
            if attributes[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(GraphError::Duplicate { what: "attribute", name: names::shorten(name) });
            }
        }
        Ok(Reader { node, op, attributes, known: vec![] })
    }

    /// The value of `name`, if it was given.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The error for a value of `name` that is not what was `expected`.
    pub(crate) fn wrong(&self, name: &str, found: &Value, expected: impl Into<String>) -> GraphError {
        GraphError::Attribute {
            node: self.node.to_owned(),
            attribute: name.to_owned(),
            found: found.brief(),
            expected: expected.into(),
        }
    }

    fn missing(&self, name: &str) -> GraphError {
        GraphError::MissingAttribute {
            node: self.node.to_owned(),
            op: names::shorten(self.op),
            attribute: name.to_owned(),
            nearest: names::nearest(name, self.rest().map(|(other, _)| other.as_str())),
        }
    }

    pub(crate) fn bool(&mut self, name: &'static str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong(name, other, "a bool")),
        }
    }

    /// A finite float; an int is taken too. Required without a default.
    pub(crate) fn float(&mut self, name: &'static str, default: Option<f64>) -> Result<f64> {
        match (self.get(name), default) {
            (Some(Value::Float(value)), _) if value.is_finite() => Ok(*value),
            (Some(Value::Int(value)), _) => Ok(*value as f64),
            (Some(other), _) => Err(self.wrong(name, other, "a finite float")),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.missing(name)),
        }
    }

    /// An int of at least `minimum`, at most [`limits::ELEMENTS`]. Required without a default.
    pub(crate) fn int(&mut self, name: &'static str, minimum: i64, default: Option<i64>) -> Result<i64> {
        match (self.get(name), default) {
            (Some(Value::Int(value)), _) if (minimum..=limits::ELEMENTS).contains(value) => Ok(*value),
            (Some(other), _) => Err(self.wrong(name, other, format!("an int of at least {minimum}"))),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.missing(name)),
        }
    }

    /// A count that need not be given.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<Option<u64>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Int(value)) if *value >= 0 => Ok(Some(value.unsigned_abs())),
            Some(other) => Err(self.wrong(name, other, "an int of at least 0")),
        }
    }

    /// Height and width, one int for both; each at least `minimum`. Required without a default.
    pub(crate) fn pair(
        &mut self,
        name: &'static str,
        minimum: i64,
        default: Option<[i64; 2]>,
    ) -> Result<[i64; 2]> {
        let valid = |value: &i64| (minimum..=limits::ELEMENTS).contains(value);
        match (self.get(name), default) {
            (Some(Value::Int(value)), _) if valid(value) => Ok([*value; 2]),
            (Some(Value::Ints(list)), _) if matches!(list.len(), 1 | 2) && list.iter().all(valid) => {
                Ok([list[0], list[list.len() - 1]])
            }
            (Some(other), _) => {
                Err(self.wrong(name, other, format!("one or two ints of at least {minimum}")))
            }
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.missing(name)),
        }
    }

    /// A list of ints, one int for a list of one. Required without a default.
    pub(crate) fn ints(&mut self, name: &'static str, default: Option<&[i64]>) -> Result<Vec<i64>> {
        match (self.get(name), default) {
            (Some(Value::Ints(list)), _) if list.len() <= limits::DIMENSIONS => Ok(list.clone()),
            (Some(Value::Int(value)), _) => Ok(vec![*value]),
            (Some(other), _) => {
                Err(self.wrong(name, other, format!("a list of at most {} ints", limits::DIMENSIONS)))
            }
            (None, Some(default)) => Ok(default.to_vec()),
            (None, None) => Err(self.missing(name)),
        }
    }

    /// A dimension of a value with `rank` of them; negative ones count from the end.
    pub(crate) fn dimension(
        &mut self,
        name: &'static str,
        rank: usize,
        default: Option<i64>,
    ) -> Result<usize> {
        let (found, given) = match (self.get(name), default) {
            (Some(value @ Value::Int(dim)), _) => (value.clone(), *dim),
            (Some(other), _) => return Err(self.wrong(name, other, "an int")),
            (None, Some(default)) => (Value::Int(default), default),
            (None, None) => return Err(self.missing(name)),
        };
        let rank = rank as i64;
        if given >= -rank && given < rank {
            return Ok((if given < 0 { given + rank } else { given }) as usize);
        }
        let expected = if rank == 0 {
            "a dimension, but the input has none".to_owned()
        } else {
            format!("a dimension from {} to {}", -rank, rank - 1)
        };
        Err(self.wrong(name, &found, expected))
    }

    /// One of `options`, the first by default.
    pub(crate) fn option<T: Copy>(&mut self, name: &'static str, options: &[(&str, T)]) -> Result<T> {
        let Some(found) = self.get(name) else { return Ok(options[0].1) };
        let chosen = match found {
            Value::Text(text) => options.iter().find(|(option, _)| option == text),
            _ => None,
        };
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let list: Vec<_> = options.iter().map(|(option, _)| format!("`{option}`")).collect();
            self.wrong(name, found, list.join(" or "))
        })
    }

    /// Attributes that were not asked for, in order.
    pub(crate) fn rest(&self) -> impl Iterator<Item = &'a (String, Value)> {
        self.attributes.iter().filter(|(name, _)| !self.known.contains(&name.as_str()))
    }

    /// Refuses attributes that were not asked for.
    pub(crate) fn finish(self) -> Result<()> {
        let Some((name, _)) = self.rest().next() else { return Ok(()) };
        let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
        Err(GraphError::UnknownAttribute {
            node: self.node.to_owned(),
            op: names::shorten(self.op),
            attribute: names::shorten(name),
            known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            nearest: names::nearest(name, self.known.iter().copied()),
        })
    }
}
