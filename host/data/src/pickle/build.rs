//! What the known names make: bytes, array types and arrays. Nothing is called; what would be called is
//! worked out here.

use super::machine::{Id, Machine, Node};
use super::numpy::{Dtype, Known, Stored};
use super::scan::shown;

/// The most sides of an array, as numpy's own limit.
const MOST_SIDES: usize = 64;

impl<'a> Machine<'a> {
    fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    fn tuple(&self, id: Id) -> Result<&[Id], String> {
        match self.node(id) {
            Node::Tuple(items) => Ok(items),
            _ => Err("arguments that are no tuple".to_owned()),
        }
    }

    /// What a known name makes of its arguments.
    pub(super) fn reduce(&mut self, function: Id, arguments: Id) -> Result<Node<'a>, String> {
        let &Node::Known(known) = self.node(function) else {
            return Err("something is called that is no name".to_owned());
        };
        let ids = self.tuple(arguments)?;
        let nodes: Vec<&Node> = ids.iter().take(8).map(|&id| self.node(id)).collect();
        match (known, &nodes[..]) {
            (Known::Reconstruct, [Node::Known(Known::NdArray), _, _]) => Ok(Node::EmptyArray),
            (Known::Dtype, [Node::Text(name), ..]) => dtype(name),
            (Known::Dtype, [Node::Bytes(name), ..]) => dtype(&String::from_utf8_lossy(name)),
            (Known::Encode, [Node::Text(text), Node::Text(encoding)]) if encoding == "latin1" => {
                let bytes = latin1(text)?;
                let left = self.encodable.checked_sub(bytes.len());
                self.encodable = left.ok_or("the same text is made to bytes again and again")?;
                Ok(Node::Bytes(bytes.into()))
            }
            (Known::FromBuffer, [_, _, _, Node::Text(order)]) if order == "C" || order == "F" => {
                self.array(ids[0], ids[1], ids[2], order == "F")
            }
            _ => Err(format!("`{}` is called with other arguments than numpy writes", known.name())),
        }
    }

    /// An empty array or an array's type, with the state that belongs to it.
    pub(super) fn build(&self, target: Id, state: Id) -> Result<Node<'a>, String> {
        let ids = self.tuple(state)?;
        match (self.node(target), ids) {
            (Node::EmptyArray, &[version, shape, dtype, by_columns, data]) => {
                match (self.node(version), self.node(by_columns)) {
                    (Node::Int(1), &Node::Bool(by_columns)) => self.array(data, dtype, shape, by_columns),
                    (Node::Int(1), &Node::Int(by_columns @ 0..=1)) => {
                        self.array(data, dtype, shape, by_columns == 1)
                    }
                    _ => Err("an array with another state than numpy writes".to_owned()),
                }
            }
            (&Node::Dtype { dtype, .. }, &[_, order, inner, names, fields, ..]) => {
                let plain = [inner, names, fields].iter().all(|&id| matches!(self.node(id), Node::None));
                let order = match self.node(order) {
                    Node::Text(order) => order.as_bytes(),
                    Node::Bytes(order) => order,
                    _ => b"",
                };
                match order {
                    b"<" | b"|" | b"=" if plain => Ok(Node::Dtype { dtype, big_endian: false }),
                    b">" if plain => Ok(Node::Dtype { dtype, big_endian: true }),
                    _ => Err("refused: an array of records; only arrays of numbers are read".to_owned()),
                }
            }
            _ => Err("a state is given to what is neither an empty array nor its type".to_owned()),
        }
    }

    fn array(&self, data: Id, dtype: Id, shape: Id, by_columns: bool) -> Result<Node<'a>, String> {
        let &Node::Dtype { dtype, big_endian } = self.node(dtype) else {
            return Err("an array without its type".to_owned());
        };
        let sides = self.tuple(shape)?;
        if sides.len() > MOST_SIDES {
            return Err(format!("an array of {} sides, expected at most {MOST_SIDES}", sides.len()));
        }
        let side = |&id: &Id| match self.node(id) {
            Node::Int(side) => usize::try_from(*side).ok(),
            _ => None,
        };
        let shape: Option<Vec<usize>> = sides.iter().map(side).collect();
        let shape = shape.ok_or("an array with a side that is no size")?;
        let Node::Bytes(bytes) = self.node(data) else {
            return Err("an array without its bytes".to_owned());
        };
        let stored = Stored { dtype, big_endian, by_columns };
        if stored.bytes(&shape) != Some(bytes.len()) {
            let found = bytes.len();
            return Err(format!("an array of {shape:?} {dtype:?} with {found} bytes"));
        }
        Ok(Node::Array { stored, shape, data })
    }
}

fn dtype<'a>(name: &str) -> Result<Node<'a>, String> {
    let dtype = Dtype::named(name)
        .ok_or_else(|| format!("refused: an array of `{}`; only arrays of numbers are read", shown(name)))?;
    Ok(Node::Dtype { dtype, big_endian: false })
}

fn latin1(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.chars().map(|c| u8::try_from(u32::from(c)));
    bytes.collect::<Result<_, _>>().map_err(|_| "bytes with a character beyond Latin-1".to_owned())
}
