//! The result of a pickle as a tree, within limits: a pickle may name one value many times over, even
//! within itself.

use super::machine::{Id, Machine, Node};
use super::value::Value;
use super::{Error, MOST_DEPTH, MOST_GROWTH, MOST_VALUES};

/// Makes the tree of `id`, which a pickle of `length` bytes ended with.
pub(super) fn value(machine: &Machine, id: Id, length: usize) -> Result<Value, Error> {
    let mut tree = Tree { machine, values: MOST_VALUES, bytes: length.saturating_mul(MOST_GROWTH) };
    tree.value(id, 0)
}

struct Tree<'a, 'b> {
    machine: &'b Machine<'a>,
    /// Values that may still be made.
    values: usize,
    /// Bytes of text, bytes and arrays that may still be copied.
    bytes: usize,
}

impl Tree<'_, '_> {
    fn error(&self, problem: impl Into<String>) -> Error {
        self.machine.scan.error(problem)
    }

    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        let left = self.values.checked_sub(1);
        self.values = left.ok_or_else(|| self.error(format!("it stands for over {MOST_VALUES} values")))?;
        if depth > MOST_DEPTH {
            return Err(self.error(format!("lists lie more than {MOST_DEPTH} deep within each other")));
        }
        Ok(match &self.machine.nodes[id as usize] {
            Node::None => Value::None,
            &Node::Bool(value) => Value::Bool(value),
            &Node::Int(value) => Value::Int(value),
            &Node::Float(value) => Value::Float(value),
            Node::Text(text) => {
                self.count(text.len())?;
                Value::Str(text.clone().into_owned())
            }
            Node::Bytes(bytes) => {
                self.count(bytes.len())?;
                Value::Bytes(bytes.clone().into_owned())
            }
            Node::List(items) => Value::List(self.items(items, depth)?),
            Node::Tuple(items) => Value::Tuple(self.items(items, depth)?),
            Node::Dict(pairs) => {
                let mut made = Vec::new();
                for &(key, value) in pairs {
                    made.push((self.value(key, depth + 1)?, self.value(value, depth + 1)?));
                }
                Value::Dict(made)
            }
            Node::Array { stored, shape, data } => {
                let Node::Bytes(bytes) = &self.machine.nodes[*data as usize] else {
                    return Err(self.error("an array without its bytes"));
                };
                self.count(bytes.len())?;
                Value::Array(stored.array(shape.clone(), bytes))
            }
            Node::Known(_) | Node::Dtype { .. } => return Err(self.error("a name of numpy as a value")),
            Node::EmptyArray => return Err(self.error("an array without its numbers")),
        })
    }

    fn items(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, Error> {
        // Grown step by step, as a list within itself ends at the depth alone.
        let mut made = Vec::new();
        for &item in items {
            made.push(self.value(item, depth + 1)?);
        }
        Ok(made)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or_else(|| {
            self.error(format!("its text and arrays are over {MOST_GROWTH} times as large as itself"))
        })?;
        Ok(())
    }
}
