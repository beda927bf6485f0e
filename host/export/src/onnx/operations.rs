//! Each operation in operators of ONNX.

use nshot_graph::{GeluApproximation, Op, ValueId};

use super::{norm, pool, proto::Attribute, writer::Writer};
use crate::Result;

/// Writes the node `value`, computed from `inputs`; gives the name that holds the result.
pub(super) fn write(w: &mut Writer<'_>, value: ValueId, op: &Op, inputs: &[ValueId]) -> Result<String> {
    // Those that do not take all of their inputs.
    match op {
        Op::BatchNorm { .. } => return norm::batch_norm(w, value, op, inputs),
        Op::Zeros | Op::ZerosLike => return Ok(w.filled(value, 0.0)),
        Op::Constant { value: number } => return Ok(w.filled(value, *number)),
        _ => {}
    }
    let names = w.all(inputs)?;
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let x = all.first().copied().ok_or_else(|| w.refuse(value, "it has no inputs"))?;
    if let Some(made) = element_wise(w, op, x) {
        return Ok(made);
    }
    Ok(match op {
        Op::Conv2d { .. } => conv2d(w, value, op, &all),
        Op::AvgPool2d { .. } | Op::MaxPool2d { .. } => pool::write(w, value, op, x)?,
        Op::GlobalAvgPool => w.mean(x, &[2, 3], false),
        Op::Linear => linear(w, value, &all),
        Op::Add => add(w, &all),
        Op::Mul => w.node("Mul", &all, vec![]),
        Op::Cat { dim } => w.node("Concat", &all, vec![Attribute::int("axis", *dim as i64)]),
        Op::Slice { dim, start, end, step } => w.slice(x, *dim, [*start, *end, *step]),
        Op::Reshape => w.reshape(value, x),
        Op::Transpose { dim0, dim1 } => w.transpose(x, w.graph.node(value).shape.len(), *dim0, *dim1),
        Op::Matmul => w.node("MatMul", &all, vec![]),
        Op::Softmax { dim } => w.node("Softmax", &[x], vec![Attribute::int("axis", *dim as i64)]),
        Op::LayerNorm { .. } => norm::layer_norm(w, value, op, &all)?,
        Op::Aten { .. } => {
            return Err(w.refuse(value, "operators of libtorch have no counterpart; TorchScript has them"));
        }
        _ => return Err(w.refuse(value, "no operators for it are known")),
    })
}

/// Operations on each element of one input.
fn element_wise(w: &mut Writer<'_>, op: &Op, x: &str) -> Option<String> {
    Some(match op {
        Op::Relu => w.node("Relu", &[x], vec![]),
        Op::Relu6 => {
            let (low, high) = (w.number(0.0), w.number(6.0));
            w.node("Clip", &[x, &low, &high], vec![])
        }
        Op::Hardswish => hardswish(w, x),
        Op::Sigmoid => w.node("Sigmoid", &[x], vec![]),
        Op::Tanh => w.node("Tanh", &[x], vec![]),
        Op::Silu => {
            let gate = w.node("Sigmoid", &[x], vec![]);
            w.node("Mul", &[x, &gate], vec![])
        }
        Op::Gelu { approximate } => gelu(w, x, *approximate),
        Op::Dropout { .. } => x.to_owned(),
        _ => return None,
    })
}

fn conv2d(w: &mut Writer<'_>, value: ValueId, op: &Op, inputs: &[&str]) -> String {
    let mut attributes = vec![];
    if let Op::Conv2d { stride, padding, dilation, groups } = op {
        let weight = w.graph.node(value).inputs[1];
        attributes = vec![
            Attribute::ints("dilations", dilation.to_vec()),
            Attribute::int("group", *groups),
            Attribute::ints("kernel_shape", w.graph.node(weight).shape[2..].to_vec()),
            Attribute::ints("pads", [*padding, *padding].concat()),
            Attribute::ints("strides", stride.to_vec()),
        ];
    }
    w.node("Conv", inputs, attributes)
}

/// `Gemm` for rows, which all readers know as a linear layer; else a product with the weight transposed.
fn linear(w: &mut Writer<'_>, value: ValueId, inputs: &[&str]) -> String {
    if w.graph.node(value).shape.len() == 2 {
        return w.node("Gemm", inputs, vec![Attribute::int("transB", 1)]);
    }
    let weight = w.transpose(inputs[1], 2, 0, 1);
    let product = w.node("MatMul", &[inputs[0], &weight], vec![]);
    match inputs.get(2) {
        Some(bias) => w.node("Add", &[&product, bias], vec![]),
        None => product,
    }
}

/// Term by term from the first on, as the executor adds.
fn add(w: &mut Writer<'_>, terms: &[&str]) -> String {
    let (first, rest) = (terms[0], &terms[1..]);
    rest.iter().fold(first.to_owned(), |sum, term| w.node("Add", &[&sum, term], vec![]))
}

/// As libtorch computes it: ONNX's `HardSwish` multiplies by a rounded sixth first.
fn hardswish(w: &mut Writer<'_>, x: &str) -> String {
    let (three, low, six) = (w.number(3.0), w.number(0.0), w.number(6.0));
    let shifted = w.node("Add", &[x, &three], vec![]);
    let clipped = w.node("Clip", &[&shifted, &low, &six], vec![]);
    let product = w.node("Mul", &[x, &clipped], vec![]);
    w.node("Div", &[&product, &six], vec![])
}

fn gelu(w: &mut Writer<'_>, x: &str, approximate: GeluApproximation) -> String {
    let (half, one) = (w.number(0.5), w.number(1.0));
    let curve = match approximate {
        GeluApproximation::None => {
            let root = w.number(std::f64::consts::SQRT_2);
            let scaled = w.node("Div", &[x, &root], vec![]);
            w.node("Erf", &[&scaled], vec![])
        }
        GeluApproximation::Tanh => {
            let (cubic, scale) = (w.number(0.044_715), w.number((2.0 * std::f64::consts::FRAC_1_PI).sqrt()));
            let square = w.node("Mul", &[x, x], vec![]);
            let cube = w.node("Mul", &[&square, x], vec![]);
            let cube = w.node("Mul", &[&cube, &cubic], vec![]);
            let sum = w.node("Add", &[x, &cube], vec![]);
            let scaled = w.node("Mul", &[&sum, &scale], vec![]);
            w.node("Tanh", &[&scaled], vec![])
        }
    };
    let shifted = w.node("Add", &[&curve, &one], vec![]);
    let product = w.node("Mul", &[x, &shifted], vec![]);
    w.node("Mul", &[&product, &half], vec![])
}
