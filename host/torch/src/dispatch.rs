//! Any operator of libtorch by its schema's name, for what tch lacks and for `aten::` nodes of graphs.

use tch::Tensor;

pub use crate::ffi::Argument;
use crate::{Result, TorchError, ffi};

/// Calls an operator such as `aten::roll` or `aten::_foreach_add.List` and returns all tensors that it
/// returns, lists flattened. Tensors and lists of tensors go to the schema's places for them in order, the
/// other arguments by name; what is left out takes its default.
///
/// # Errors
/// An unknown operator (with the overloads that there are), arguments that do not fit its schema, or what
/// libtorch itself refuses.
pub fn call(operator: &str, tensors: &[Argument<'_>], named: &[(&str, Argument<'_>)]) -> Result<Vec<Tensor>> {
    ffi::call(operator, false, tensors, named).map_err(|message| wrap(operator, message))
}

/// As [`call`], for operators that leave their arguments as they are; others are refused.
pub(crate) fn call_pure(
    operator: &str,
    tensors: &[Argument<'_>],
    named: &[(&str, Argument<'_>)],
) -> Result<Vec<Tensor>> {
    ffi::call(operator, true, tensors, named).map_err(|message| wrap(operator, message))
}

/// As [`call`], for operators that return one tensor.
pub(crate) fn call_one(
    operator: &str,
    tensors: &[Argument<'_>],
    named: &[(&str, Argument<'_>)],
) -> Result<Tensor> {
    single(operator, call(operator, tensors, named)?)
}

pub(crate) fn single(operator: &str, mut tensors: Vec<Tensor>) -> Result<Tensor> {
    match (tensors.len(), tensors.pop()) {
        (1, Some(tensor)) => Ok(tensor),
        (count, _) => Err(wrap(operator, format!("returned {count} tensors, expected one"))),
    }
}

/// The tensor with its memory in the order `[N, H, W, C]`, copied if it is not; four dimensions.
pub(crate) fn channels_last(tensor: &Tensor) -> Result<Tensor> {
    call_one(
        "aten::contiguous",
        &[Argument::Tensor(tensor)],
        // at::MemoryFormat::ChannelsLast
        &[("memory_format", Argument::Int(2))],
    )
}

fn wrap(operator: &str, message: String) -> TorchError {
    TorchError::Operator { operator: operator.to_owned(), message }
}
