//! Each operation as a call of libtorch's operator, with the arguments that training calls it with.

use nshot_graph::{Attributes, GeluApproximation, Op, Statistics, Value, ValueId};

use super::{
    Script,
    names::{float, quoted},
};
use crate::Result;

/// Operators whose tensors are one list.
const LISTS: [&str; 9] =
    ["cat", "column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack", "stack", "vstack"];

/// Writes the node `value`, computed from `inputs`; gives the expression that holds the result.
pub(super) fn write(s: &mut Script<'_>, value: ValueId, op: &Op, inputs: &[ValueId]) -> Result<String> {
    match op {
        Op::BatchNorm { .. } => return batch_norm(s, value, op, inputs),
        Op::Zeros | Op::ZerosLike => return Ok(s.filled(value, 0.0)),
        Op::Constant { value: number } => return Ok(s.filled(value, *number)),
        Op::Aten { operator, attributes, .. } => return aten(s, value, operator, attributes, inputs),
        _ => {}
    }
    let all = s.all(inputs)?;
    let x = all.first().cloned().ok_or_else(|| s.refuse(value, "it has no inputs"))?;
    if let Some(expression) = element_wise(op, &x) {
        return Ok(s.assign(&expression));
    }
    let nth = |i: usize| all.get(i).map_or("None", String::as_str);
    let expression = match op {
        Op::Conv2d { stride, padding, dilation, groups } => {
            let (weight, bias) = (nth(1), nth(2));
            format!("torch.conv2d({x}, {weight}, {bias}, {stride:?}, {padding:?}, {dilation:?}, {groups})")
        }
        Op::AvgPool2d { kernel, stride, padding, count_include_pad, ceil_mode } => {
            let (ceil, include) = (bool(*ceil_mode), bool(*count_include_pad));
            format!("torch.avg_pool2d({x}, {kernel:?}, {stride:?}, {padding:?}, {ceil}, {include})")
        }
        Op::MaxPool2d { kernel, stride, padding, dilation, ceil_mode } => {
            let ceil = bool(*ceil_mode);
            format!("torch.max_pool2d({x}, {kernel:?}, {stride:?}, {padding:?}, {dilation:?}, {ceil})")
        }
        Op::GlobalAvgPool => format!("torch.mean({x}, [2, 3])"),
        Op::Linear => format!("torch.linear({x}, {}, {})", nth(1), nth(2)),
        Op::Add => return Ok(add(s, &all)),
        Op::Mul => format!("torch.mul({x}, {})", nth(1)),
        Op::Cat { dim } => format!("torch.cat([{}], {dim})", all.join(", ")),
        Op::Slice { dim, start, end, step } => format!("torch.slice({x}, {dim}, {start}, {end}, {step})"),
        Op::Reshape => format!("torch.reshape({x}, {})", s.sizes(value)),
        Op::Transpose { dim0, dim1 } => format!("torch.transpose({x}, {dim0}, {dim1})"),
        Op::Matmul => format!("torch.matmul({x}, {})", nth(1)),
        Op::Softmax { dim } => format!("torch.softmax({x}, {dim})"),
        Op::LayerNorm { normalized_shape, eps, .. } => {
            let (weight, bias, eps) = (nth(1), nth(2), float(*eps));
            format!("torch.layer_norm({x}, {normalized_shape:?}, {weight}, {bias}, {eps})")
        }
        Op::Dropout { .. } => return Ok(x),
        _ => return Err(s.refuse(value, "no operator for it is known")),
    };
    Ok(s.assign(&expression))
}

/// Operations on each element of `x`.
fn element_wise(op: &Op, x: &str) -> Option<String> {
    let call = match op {
        Op::Relu => "relu",
        Op::Relu6 => "relu6",
        Op::Hardswish => "hardswish",
        Op::Sigmoid => "sigmoid",
        Op::Tanh => "tanh",
        Op::Silu => "silu",
        Op::Gelu { approximate: GeluApproximation::None } => {
            return Some(format!("torch.gelu({x}, approximate=\"none\")"));
        }
        Op::Gelu { approximate: GeluApproximation::Tanh } => {
            return Some(format!("torch.gelu({x}, approximate=\"tanh\")"));
        }
        _ => return None,
    };
    Some(format!("torch.{call}({x})"))
}

/// With the batch's statistics in training mode, as libtorch calls it; buffers are then left alone.
fn batch_norm(s: &mut Script<'_>, value: ValueId, op: &Op, inputs: &[ValueId]) -> Result<String> {
    let (&Op::BatchNorm { affine, statistics, momentum, eps, .. }, [x, rest @ ..]) = (op, inputs) else {
        return Err(s.refuse(value, "it has no inputs"));
    };
    let (affines, buffers) = rest.split_at(if affine { 2 } else { 0 });
    let own = statistics == Statistics::Batch;
    let x = s.value(*x)?;
    let mut pair = |values: &[ValueId]| {
        let values = s.all(values)?;
        Ok(if values.is_empty() { "None, None".to_owned() } else { values.join(", ") })
    };
    let (affines, buffers) = (pair(affines)?, pair(if own { &[] } else { buffers })?);
    let (own, momentum, eps) = (bool(own), float(momentum), float(eps));
    Ok(s.assign(&format!("torch.batch_norm({x}, {affines}, {buffers}, {own}, {momentum}, {eps}, True)")))
}

/// Term by term from the first on, as the executor adds.
fn add(s: &mut Script<'_>, terms: &[String]) -> String {
    let (first, rest) = (terms[0].clone(), &terms[1..]);
    rest.iter().fold(first, |sum, term| s.assign(&format!("torch.add({sum}, {term})")))
}

/// The overload is left to TorchScript, which goes by the arguments.
fn aten(
    s: &mut Script<'_>,
    value: ValueId,
    operator: &str,
    attributes: &Attributes,
    inputs: &[ValueId],
) -> Result<String> {
    let name = operator.split('.').next().unwrap_or_default();
    let mut arguments = s.all(inputs)?;
    if LISTS.contains(&name) {
        arguments = vec![format!("[{}]", arguments.join(", "))];
    }
    for (name, given) in attributes {
        let written = literal(given)
            .filter(|_| super::names::is_identifier(name))
            .ok_or_else(|| s.refuse(value, format!("its attribute `{name}` has no literal")))?;
        arguments.push(format!("{name}={written}"));
    }
    Ok(s.assign(&format!("torch.{name}({})", arguments.join(", "))))
}

fn literal(value: &Value) -> Option<String> {
    let list = |items: Vec<String>| Some(format!("[{}]", items.join(", "))).filter(|_| !items.is_empty());
    match value {
        Value::Bool(value) => Some(bool(*value).to_owned()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(float(*value)),
        Value::Text(text) => Some(quoted(text)).filter(|_| !text.contains(char::is_control)),
        Value::Bools(values) => list(values.iter().map(|value| bool(*value).to_owned()).collect()),
        Value::Ints(values) => list(values.iter().map(i64::to_string).collect()),
        Value::Floats(values) => list(values.iter().map(|value| float(*value)).collect()),
        Value::Bytes(_) | Value::Texts(_) => None,
    }
}

fn bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
