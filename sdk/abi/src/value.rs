//! Values, attributes and errors: what everything else at the boundary is made of.

use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RString, RVec};

/// The value of an attribute. Closed for ever: no variant is added within a major version.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// UTF-8 text.
    Text(RString),
    /// Raw bytes.
    Bytes(RVec<u8>),
    /// A list of truth values.
    Bools(RVec<bool>),
    /// A list of whole numbers.
    Ints(RVec<i64>),
    /// A list of numbers.
    Floats(RVec<f64>),
    /// A list of texts.
    Texts(RVec<RString>),
}

/// A named value. What a call takes beyond its fixed arguments it takes as attributes, so that it can grow:
/// a host refuses a name that it does not know.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Attribute {
    /// What is meant, such as `stride`.
    pub name: RString,
    /// The value.
    pub value: Value,
}

/// Why a call failed.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct AbiError {
    /// One of the codes of [`code`], or a code of a later version.
    pub code: RString,
    /// One sentence in lower case.
    pub text: RString,
    /// Facts for programs (such as the line of a panic).
    pub attributes: RVec<Attribute>,
}

/// The codes of errors. A reader treats an unknown code as [`code::FAILED`].
pub mod code {
    /// The call could not be done.
    pub const FAILED: &str = "failed";
    /// An argument was out of range or of the wrong kind.
    pub const INVALID: &str = "invalid";
    /// The other side does not know what was named: it is too old, or the name is wrong.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The plugin panicked.
    pub const PANIC: &str = "panic";
    /// The host failed inside, whatever the plugin asked for: its device, its memory, a defect.
    pub const HOST: &str = "host";
}

impl AbiError {
    /// An error of the given code.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: RString::from(text.into()), attributes: RVec::new() }
    }
}

impl std::fmt::Display for AbiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for AbiError {}

/// What a fallible call returns.
pub type AbiResult<T> = RResult<T, AbiError>;
