//! The machine of the pickle format, less everything that could do anything.
//!
//! Values live in one list of nodes and name each other by their place in it, as a pickle may fill a list
//! after it was put elsewhere; `tree` then makes the result, within the limits.

use std::borrow::Cow;
use std::collections::HashMap;

use super::numpy::{Dtype, Known, Stored};
use super::scan::{Scan, integer, shown, unescaped, unquoted};
use super::{Error, MOST_VALUES};

/// The place of a node.
pub(super) type Id = u32;

/// A value as the pickle builds it.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Known(Known),
    Dtype {
        dtype: Dtype,
        big_endian: bool,
    },
    /// An array that `BUILD` has yet to fill.
    EmptyArray,
    Array {
        stored: Stored,
        shape: Vec<usize>,
        data: Id,
    },
}

/// A pickle being read.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) scan: Scan<'a>,
    pub(super) nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Bytes that may still be made of text.
    pub(super) encodable: usize,
}

impl<'a> Machine<'a> {
    /// Reads the whole pickle; gives what it ends with.
    pub(super) fn run(bytes: &'a [u8]) -> Result<(Self, Id), Error> {
        let mut machine = Self {
            scan: Scan::new(bytes),
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            encodable: bytes.len(),
        };
        loop {
            let opcode = machine.scan.byte()?;
            if opcode == b'.' {
                break;
            }
            machine.step(opcode)?;
        }
        let result = machine.pop()?;
        match machine.scan.left() {
            0 => Ok((machine, result)),
            left => Err(machine.scan.error(format!("{left} bytes follow its end"))),
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            0x80 => match self.scan.byte()? {
                0..=5 => Ok(()),
                other => Err(self.scan.error(format!("its protocol is {other}, expected 0 to 5"))),
            },
            0x95 => match self.scan.number(8)? {
                length if length <= self.scan.left() as u64 => Ok(()),
                length => {
                    let left = self.scan.left();
                    Err(self.scan.error(format!("a frame of {length} bytes, where {left} are left")))
                }
            },
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' if self.marks.last() == Some(&self.stack.len()) => self.unmarked().map(|_| ()),
            b'0' => self.pop().map(|_| ()),
            b'1' => self.unmarked().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)
            }
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memo_step(opcode),
            b']' | b'}' | b')' | b'l' | b'd' | b't' | 0x85..=0x87 | b'a' | b'e' | b's' | b'u' => {
                self.container(opcode)
            }
            b'c' | 0x93 | b'R' | b'b' => self.named(opcode),
            _ => match self.scalar(opcode)? {
                Some(node) => self.push(node),
                None => Err(self.refused(opcode)),
            },
        }
    }

    /// Numbers, text and bytes; None for an opcode that is none of these.
    fn scalar(&mut self, opcode: u8) -> Result<Option<Node<'a>>, Error> {
        let scan = &mut self.scan;
        Ok(Some(match opcode {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'K' => Node::Int(scan.number(1)? as i64),
            b'M' => Node::Int(scan.number(2)? as i64),
            b'J' => Node::Int(i64::from(scan.number(4)? as u32 as i32)),
            0x8a | 0x8b => {
                let digits = scan.counted(if opcode == 0x8a { 1 } else { 4 })?;
                let value = integer(digits);
                Node::Int(value.ok_or_else(|| scan.error("an integer beyond 64 bits"))?)
            }
            b'I' => match scan.line()? {
                b"00" => Node::Bool(false),
                b"01" => Node::Bool(true),
                line => Node::Int(decimal(scan, line)?),
            },
            b'L' => {
                let line = scan.line()?;
                Node::Int(decimal(scan, line.strip_suffix(b"L").unwrap_or(line))?)
            }
            b'F' => Node::Float(scan.parsed()?),
            b'G' => Node::Float(f64::from_bits(scan.number(8)?.swap_bytes())),
            0x8c | b'X' | 0x8d => {
                let bytes = scan.counted(width(opcode))?;
                let text = std::str::from_utf8(bytes);
                Node::Text(text.map_err(|_| scan.error("a text that is not UTF-8"))?.into())
            }
            b'V' => {
                let text = unescaped(scan.line()?);
                Node::Text(text.ok_or_else(|| scan.error("a faulty escape in a text"))?.into())
            }
            b'S' => {
                let bytes = unquoted(scan.line()?);
                Node::Bytes(bytes.ok_or_else(|| scan.error("a text without its quotes"))?.into())
            }
            b'C' | b'B' | 0x8e | 0x96 | b'U' | b'T' => Node::Bytes(scan.counted(width(opcode))?.into()),
            _ => return Ok(None),
        }))
    }

    fn container(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'l' => self.unmarked().and_then(|items| self.push(Node::List(items))),
            b't' => self.unmarked().and_then(|items| self.push(Node::Tuple(items))),
            b'd' => {
                let items = self.unmarked()?;
                let pairs = self.pairs(&items)?;
                self.push(Node::Dict(pairs))
            }
            0x85..=0x87 => {
                let mut items = (0x85..=opcode).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Node::Tuple(items))
            }
            b'a' | b'e' => {
                let items = if opcode == b'a' { vec![self.pop()?] } else { self.unmarked()? };
                match self.top_node()? {
                    Node::List(list) => list.extend(items),
                    _ => return Err(self.scan.error("items are added to what is no list")),
                }
                Ok(())
            }
            _ => {
                let items = if opcode == b's' {
                    let value = self.pop()?;
                    vec![self.pop()?, value]
                } else {
                    self.unmarked()?
                };
                let pairs = self.pairs(&items)?;
                match self.top_node()? {
                    Node::Dict(dictionary) => dictionary.extend(pairs),
                    _ => return Err(self.scan.error("entries are added to what is no dictionary")),
                }
                Ok(())
            }
        }
    }

    fn memo_step(&mut self, opcode: u8) -> Result<(), Error> {
        let index = match opcode {
            b'p' | b'g' => self.scan.parsed()?,
            b'q' | b'h' => self.scan.number(1)?,
            b'r' | b'j' => self.scan.number(4)?,
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let id = self.memo.get(&index).copied();
            let id = id.ok_or_else(|| self.scan.error(format!("value {index} is used before it is kept")))?;
            return self.push_id(id);
        }
        let top = self.top()?;
        self.memo.insert(index, top);
        if self.memo.len() > MOST_VALUES {
            return Err(self.too_many());
        }
        Ok(())
    }

    /// The opcodes that name something, or do something with what is named.
    fn named(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            b'c' => {
                let (module, name) = (self.scan.line()?, self.scan.line()?);
                let text = |line: &'a [u8]| String::from_utf8_lossy(line);
                self.name(&text(module), &text(name))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.nodes[module as usize], &self.nodes[name as usize]) {
                    (Node::Text(module), Node::Text(name)) => {
                        let (module, name) = (module.clone(), name.clone());
                        self.name(&module, &name)
                    }
                    _ => Err(self.scan.error("a name that is no text")),
                }
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let made = self.reduce(function, arguments);
                let made = made.map_err(|problem| self.scan.error(problem))?;
                self.push(made)
            }
            _ => {
                let state = self.pop()?;
                let target = self.top()?;
                let built = self.build(target, state);
                let built = built.map_err(|problem| self.scan.error(problem))?;
                self.nodes[target as usize] = built;
                Ok(())
            }
        }
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), Error> {
        match Known::named(module, name) {
            Some(known) => self.push(Node::Known(known)),
            None => Err(self.refused_name(&format!("{module}.{name}"))),
        }
    }

    fn refused_name(&self, name: &str) -> Error {
        let name = shown(name);
        let rule = "only plain arrays, lists and dicts are read";
        self.scan.error(format!("refused: the pickle names `{name}`; {rule}"))
    }

    /// Why an opcode is not carried out, with what it would name.
    fn refused(&mut self, opcode: u8) -> Error {
        let name = match opcode {
            b'i' => match (self.scan.line(), self.scan.line()) {
                (Ok(module), Ok(name)) => {
                    format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name))
                }
                (Err(error), _) | (_, Err(error)) => return error,
            },
            b'o' | 0x81 | 0x92 => "an object of a class".to_owned(),
            0x82..=0x84 => "a registered extension".to_owned(),
            b'P' | b'Q' => "a persistent object".to_owned(),
            0x8f..=0x91 => "a set".to_owned(),
            0x97 | 0x98 => "a buffer outside of it".to_owned(),
            _ => return self.scan.error(format!("{opcode:#04x} is no opcode")),
        };
        self.refused_name(&name)
    }

    fn too_many(&self) -> Error {
        self.scan.error(format!("it has more than {MOST_VALUES} values"))
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), Error> {
        if self.nodes.len() >= MOST_VALUES {
            return Err(self.too_many());
        }
        self.nodes.push(node);
        self.push_id(self.nodes.len() as Id - 1)
    }

    fn push_id(&mut self, id: Id) -> Result<(), Error> {
        if self.stack.len() >= MOST_VALUES {
            return Err(self.too_many());
        }
        self.stack.push(id);
        Ok(())
    }

    /// The uppermost value, which stays; none below the last mark counts.
    fn top(&self) -> Result<Id, Error> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(<[Id]>::last);
        top.copied().ok_or_else(|| self.scan.error("a value is missing"))
    }

    fn top_node(&mut self) -> Result<&mut Node<'a>, Error> {
        let top = self.top()?;
        Ok(&mut self.nodes[top as usize])
    }

    fn pop(&mut self) -> Result<Id, Error> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Takes the values above the last mark, and the mark.
    fn unmarked(&mut self) -> Result<Vec<Id>, Error> {
        let mark = self.marks.pop().ok_or_else(|| self.scan.error("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Error> {
        match items.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.scan.error("a dictionary's key without its value")),
        }
    }
}

fn decimal(scan: &Scan, line: &[u8]) -> Result<i64, Error> {
    let text = String::from_utf8_lossy(line);
    text.trim().parse().map_err(|_| scan.error(format!("`{}` is no integer of 64 bits", shown(&text))))
}

/// How wide the count is that stands before a text or bytes.
fn width(opcode: u8) -> u64 {
    match opcode {
        0x8c | b'C' | b'U' => 1,
        b'X' | b'B' | b'T' => 4,
        _ => 8,
    }
}
