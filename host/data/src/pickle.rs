//! Reading of Python pickles without running them: plain values and numpy arrays, nothing else.
//!
//! A pickle is a program, and Python runs whatever it names. This reader knows a fixed set of opcodes
//! (protocols 0 to 5) that build `None`, booleans, integers, floats, text, bytes, lists, tuples,
//! dictionaries and numpy arrays of numbers. A pickle that names anything else is refused by that name,
//! before anything is done with it. Memory and depth are limited, and no bytes make it panic.
//!
//! ```
//! use nshot_data::pickle::{Value, read};
//!
//! // What `pickle.dumps([1, 2.5], 2)` writes.
//! let bytes = b"\x80\x02]q\x00(K\x01G@\x04\x00\x00\x00\x00\x00\x00e.";
//! assert_eq!(read(bytes)?, Value::List(vec![Value::Int(1), Value::Float(2.5)]));
//!
//! let hostile = read(b"cos\nsystem\n(S'true'\ntR.").unwrap_err().to_string();
//! assert!(hostile.contains("refused: the pickle names `os.system`"));
//! # Ok::<(), nshot_data::pickle::Error>(())
//! ```

mod build;
mod machine;
mod numpy;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use numpy::{Array, Dtype};
pub use value::Value;

/// Values in a pickle, and in what is made of it.
const MOST_VALUES: usize = 1 << 23;
/// How deep lists and dictionaries may lie within each other.
const MOST_DEPTH: usize = 64;
/// What the text, bytes and arrays of the result may take, for each byte of the pickle: a pickle may name
/// one text many times over.
const MOST_GROWTH: usize = 16;

/// Why a pickle was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no pickle that can be read: {problem} (at byte {at})")]
pub struct Error {
    /// Where in the pickle, in bytes from its start.
    pub at: usize,
    /// What was found and what was expected.
    pub problem: String,
}

/// Reads one pickle, which takes up all of `bytes`.
///
/// Python 2's text of bytes becomes [`Value::Bytes`]; [`Value::get`] finds keys of either kind.
///
/// # Errors
/// A pickle that is cut short or damaged, names anything but numpy's arrays, holds an integer beyond 64
/// bits or an object of another kind, has more than 8,388,608 values or lists more than 64 deep, or whose
/// result would be far larger than itself.
pub fn read(bytes: &[u8]) -> Result<Value, Error> {
    let (machine, result) = machine::Machine::run(bytes)?;
    tree::value(&machine, result, bytes.len())
}
