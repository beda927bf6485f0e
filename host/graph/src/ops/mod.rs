//! Operations by name: their attributes read, their inputs' shapes checked, their result's shape inferred.

mod aten;
mod convolution;
mod layout;
mod linear;
mod norm;
mod pointwise;

use crate::{GraphError, Op, Result, Shape, ShowShape, Value, attributes::Reader, names, shape};

/// Operations other than `aten::…`.
pub(crate) const NAMES: [&str; 26] = [
    "conv2d",
    "batch_norm",
    "relu",
    "relu6",
    "hardswish",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "avg_pool2d",
    "max_pool2d",
    "global_avg_pool",
    "linear",
    "add",
    "mul",
    "cat",
    "zeros",
    "zeros_like",
    "constant",
    "slice",
    "reshape",
    "transpose",
    "matmul",
    "softmax",
    "layer_norm",
    "dropout",
];

/// One call of the operation `op`: what it was given.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a str,
    pub(crate) op: &'a str,
    pub(crate) inputs: &'a [&'a [i64]],
    pub(crate) read: Reader<'a>,
}

/// Checks a call and gives the operation with the shape of its result.
pub(crate) fn infer(
    node: &str,
    op: &str,
    inputs: &[&[i64]],
    attributes: &[(String, Value)],
) -> Result<(Op, Shape)> {
    let mut call = Call { node, op, inputs, read: Reader::new(node, op, attributes)? };
    if let Some(operator) = op.strip_prefix("aten::") {
        return aten::aten(call, operator);
    }
    let made = match op {
        "conv2d" => convolution::conv2d(&mut call),
        "batch_norm" => norm::batch_norm(&mut call),
        "relu" => pointwise::unary(&call, Op::Relu),
        "relu6" => pointwise::unary(&call, Op::Relu6),
        "hardswish" => pointwise::unary(&call, Op::Hardswish),
        "sigmoid" => pointwise::unary(&call, Op::Sigmoid),
        "tanh" => pointwise::unary(&call, Op::Tanh),
        "silu" => pointwise::unary(&call, Op::Silu),
        "gelu" => pointwise::gelu(&mut call),
        "avg_pool2d" => convolution::avg_pool2d(&mut call),
        "max_pool2d" => convolution::max_pool2d(&mut call),
        "global_avg_pool" => convolution::global_avg_pool(&call),
        "linear" => linear::linear(&call),
        "add" => pointwise::add(&call),
        "mul" => pointwise::mul(&call),
        "cat" => layout::cat(&mut call),
        "zeros" => layout::zeros(&mut call),
        "zeros_like" => pointwise::unary(&call, Op::ZerosLike),
        "constant" => layout::constant(&mut call),
        "slice" => layout::slice(&mut call),
        "reshape" => layout::reshape(&mut call),
        "transpose" => layout::transpose(&mut call),
        "matmul" => linear::matmul(&call),
        "softmax" => pointwise::softmax(&mut call),
        "layer_norm" => norm::layer_norm(&mut call),
        "dropout" => pointwise::dropout(&mut call),
        _ => Err(GraphError::UnknownOp { name: names::shorten(op), nearest: names::nearest(op, NAMES) }),
    }?;
    call.read.finish()?;
    if let Some(problem) = shape::problem(&made.1) {
        return Err(GraphError::Shape {
            node: node.to_owned(),
            problem: format!("the result {} {problem}", ShowShape(&made.1)),
        });
    }
    Ok(made)
}

impl Call<'_> {
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> GraphError {
        GraphError::Shape { node: self.node.to_owned(), problem: problem.into() }
    }

    /// Refuses another number of inputs than `fewest` to `most`, which `list` names.
    pub(crate) fn takes(&self, fewest: usize, most: usize, list: &str) -> Result<()> {
        let found = self.inputs.len();
        if (fewest..=most).contains(&found) {
            return Ok(());
        }
        let noun = if most == 1 { "input" } else { "inputs" };
        let number = match most {
            usize::MAX => format!("at least {fewest}"),
            _ if most == fewest => most.to_string(),
            _ => format!("{fewest} to {most}"),
        };
        let list = if list.is_empty() { String::new() } else { format!(" ({list})") };
        Err(GraphError::InputCount {
            node: self.node.to_owned(),
            expected: format!("{number} {noun}{list}"),
            found,
        })
    }

    /// `[N, C, H, W]` of the first input; `C`, `H`, `W` do not depend on the batch and are not empty.
    pub(crate) fn image(&self) -> Result<[i64; 4]> {
        match *self.inputs[0] {
            [n, c, h, w] if c > 0 && h > 0 && w > 0 => Ok([n, c, h, w]),
            ref other => Err(self.wrong(format!("the input is {}, expected [N, C, H, W]", ShowShape(other)))),
        }
    }

    /// Refuses an input that is not of the `expected` shape; `what` names it.
    pub(crate) fn expect(&self, input: usize, what: &str, expected: &[i64]) -> Result<()> {
        if self.inputs[input] == expected {
            return Ok(());
        }
        Err(self.wrong(format!(
            "{what} is {}, expected {}, as the input is {}",
            ShowShape(self.inputs[input]),
            ShowShape(expected),
            ShowShape(self.inputs[0])
        )))
    }
}
