//! Operators of libtorch by name: the way to operations that this version does not name. Their shapes and
//! costs are stated by the description; whether the operator exists, the executor finds out.

use super::Call;
use crate::{GraphError, Op, Result, Shape, ShowShape, names, shape};

pub(crate) fn aten(mut call: Call<'_>, operator: &str) -> Result<(Op, Shape)> {
    check_name(call.op, operator)?;
    let shape = call.read.ints("output_shape", None)?;
    let weights = call.read.count("weights")?;
    let params = call.read.count("params")?;
    let macs = call.read.count("macs")?;
    if let Some(problem) = shape::problem(&shape) {
        return Err(call.wrong(format!("the stated output {} {problem}", ShowShape(&shape))));
    }
    let attributes: Vec<_> = call.read.rest().cloned().collect();
    for (name, _) in &attributes {
        names::check("attribute", name)?;
    }
    Ok((Op::Aten { operator: operator.to_owned(), attributes, weights, params, macs }, shape))
}

/// `name` or `name.overload` of an operator that leaves its inputs alone.
fn check_name(op: &str, operator: &str) -> Result<()> {
    names::check("operation", op)?;
    let mut parts = operator.split('.');
    let (name, overload) = (parts.next().unwrap_or_default(), parts.next());
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let problem = if !word(name) || !overload.is_none_or(word) || parts.next().is_some() {
        "is not of the form `aten::NAME` or `aten::NAME.OVERLOAD`"
    } else if name.ends_with('_') && !name.ends_with("__") || overload.is_some_and(|o| o.ends_with("out")) {
        "writes to its inputs, expected an operator that returns a new tensor"
    } else {
        return Ok(());
    };
    Err(GraphError::Declaration { what: "operation", name: names::shorten(op), problem: problem.to_owned() })
}
