//! What can be wrong with a description. Each message names the node with its scopes.

use thiserror::Error;

/// Why a call of a description was refused. Nothing has changed after a refused call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// No operation of that name.
    #[error("unknown operation `{name}`; this host has ABI {}{}", crate::ABI_VERSION, hint(nearest.as_deref()))]
    UnknownOp {
        /// As given.
        name: String,
        /// Known operation of a similar name.
        nearest: Option<String>,
    },
    /// An attribute that the operation lacks.
    #[error("node `{node}`: `{op}` has no attribute `{attribute}` in this host's ABI {}; it has {known}{}", crate::ABI_VERSION, hint(nearest.as_deref()))]
    #[allow(missing_docs)]
    UnknownAttribute { node: String, op: String, attribute: String, known: String, nearest: Option<String> },
    /// A required attribute is absent.
    #[error("node `{node}`: `{op}` needs the attribute `{attribute}`{}", instead(nearest.as_deref()))]
    #[allow(missing_docs)]
    MissingAttribute { node: String, op: String, attribute: String, nearest: Option<String> },
    /// An attribute of the wrong kind or out of range.
    #[error("node `{node}`: attribute `{attribute}` is {found}, expected {expected}")]
    #[allow(missing_docs)]
    Attribute { node: String, attribute: String, found: String, expected: String },
    /// Too few or too many inputs.
    #[error("node `{node}`: takes {expected}, found {found}")]
    #[allow(missing_docs)]
    InputCount { node: String, expected: String, found: usize },
    /// A value id that no call returned.
    #[error("node `{node}`: there is no value {id}, the graph has {count} values so far")]
    #[allow(missing_docs)]
    UnknownValue { node: String, id: u32, count: usize },
    /// Shapes that do not fit together.
    #[error("node `{node}`: {problem}")]
    #[allow(missing_docs)]
    Shape { node: String, problem: String },
    /// A name or shape in a declaration that cannot be.
    #[error("{what} `{name}` {problem}")]
    Declaration {
        /// `parameter`, `input`, `output`, `scope`.
        what: &'static str,
        /// As given, shortened.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An input or parameter that was not declared, or an unknown role or initialisation.
    #[error("there is no {what} `{name}`{}", hint(nearest.as_deref()))]
    #[allow(missing_docs)]
    Unknown { what: &'static str, name: String, nearest: Option<String> },
    /// A name used twice.
    #[error("{what} `{name}` is there already")]
    #[allow(missing_docs)]
    Duplicate { what: &'static str, name: String },
    /// One of the [`limits`](crate::limits).
    #[error("the description has more than {limit} {what}")]
    #[allow(missing_docs)]
    Limit { what: &'static str, limit: usize },
    /// Nothing would be computed.
    #[error("the graph has no output")]
    NoOutput,
    /// More scopes left than entered.
    #[error("a scope was left that was not entered")]
    NoScope,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("\n\nhint: did you mean `{name}`?")).unwrap_or_default()
}

fn instead(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("\n\nhint: found `{}`", crate::names::shorten(name))).unwrap_or_default()
}
