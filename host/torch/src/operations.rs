//! The operations of a graph, each by the quickest route through ATen.

use std::sync::{Mutex, PoisonError};

use nshot_graph::{Attributes, GeluApproximation, Node, Op, Statistics, Value, resolve};
use tch::{Kind, Tensor};

use crate::dispatch::{Argument, call_pure, single};
use crate::{ParameterStore, Pass, Result, TorchError, random};

/// What all operations of one pass share.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) store: &'a ParameterStore,
    pub(crate) pass: Pass,
    /// Images in the batch: the `N` of shapes.
    pub(crate) batch: i64,
    /// A segment of a pass that is done for the second time: running statistics have moved already.
    pub(crate) again: bool,
}

impl Context<'_> {
    pub(crate) fn sizes(&self, node: &Node) -> Result<Vec<i64>> {
        resolve(&node.shape, self.batch).ok_or_else(|| {
            TorchError::invalid(format!("a batch of {} images is too large for its shape", self.batch))
        })
    }

    /// One number in the node's shape.
    pub(crate) fn filled(&self, node: &Node, value: f64) -> Result<Tensor> {
        let options = (self.store.precision().kind(), self.store.device().tch());
        Ok(Tensor::f_full(self.sizes(node)?, value, options)?)
    }

    /// What a convolution or a linear layer takes for `tensor`.
    pub(crate) fn cast(&self, tensor: &Tensor) -> Result<Tensor> {
        if self.pass.autocast { Ok(tensor.f_to_kind(Kind::BFloat16)?) } else { Ok(tensor.shallow_clone()) }
    }

    /// What others take of what a convolution or a linear layer made.
    pub(crate) fn cast_back(&self, made: Tensor) -> Result<Tensor> {
        if self.pass.autocast { Ok(made.f_to_kind(self.store.precision().kind())?) } else { Ok(made) }
    }

    /// Runs `draw` with libtorch's generator at the seed that belongs to this node in this pass.
    fn seeded<T>(&self, node: &Node, draw: impl FnOnce() -> Result<T>) -> Result<T> {
        static GENERATOR: Mutex<()> = Mutex::new(());
        let numbers = [self.pass.seed, self.pass.step, self.pass.path];
        let seed = random::torch_seed("node", &numbers, &node.name);
        let _lock = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        tch::manual_seed(seed);
        draw()
    }
}

/// Computes a node from its inputs.
pub(crate) fn compute(node: &Node, inputs: &[&Tensor], context: &Context<'_>) -> Result<Tensor> {
    let nth =
        |i: usize| inputs.get(i).copied().ok_or_else(|| TorchError::invalid(format!("input {i} is missing")));
    let optional = |i: usize| inputs.get(i).copied();
    Ok(match &node.op {
        Op::Conv2d { stride, padding, dilation, groups } => {
            nth(0)?.f_conv2d(nth(1)?, optional(2), &stride[..], &padding[..], &dilation[..], *groups)?
        }
        Op::BatchNorm { .. } => batch_norm(&node.op, inputs, context)?,
        Op::Relu => nth(0)?.f_relu()?,
        Op::Relu6 => nth(0)?.f_relu6()?,
        Op::Hardswish => nth(0)?.f_hardswish()?,
        Op::Sigmoid => nth(0)?.f_sigmoid()?,
        Op::Tanh => nth(0)?.f_tanh()?,
        Op::Silu => nth(0)?.f_silu()?,
        Op::Gelu { approximate: GeluApproximation::None } => nth(0)?.f_gelu("none")?,
        Op::Gelu { approximate: GeluApproximation::Tanh } => nth(0)?.f_gelu("tanh")?,
        Op::AvgPool2d { kernel, stride, padding, count_include_pad, ceil_mode } => nth(0)?.f_avg_pool2d(
            &kernel[..],
            &stride[..],
            &padding[..],
            *ceil_mode,
            *count_include_pad,
            None::<i64>,
        )?,
        Op::MaxPool2d { kernel, stride, padding, dilation, ceil_mode } => {
            nth(0)?.f_max_pool2d(&kernel[..], &stride[..], &padding[..], &dilation[..], *ceil_mode)?
        }
        Op::GlobalAvgPool => nth(0)?.f_mean_dim(&[2i64, 3][..], false, None::<Kind>)?,
        Op::Linear => {
            let bias = optional(2).map(|bias| context.cast(bias)).transpose()?;
            context.cast_back(context.cast(nth(0)?)?.f_linear(&context.cast(nth(1)?)?, bias)?)?
        }
        Op::Add => add(node, inputs, context)?,
        Op::Mul => nth(0)?.f_mul(nth(1)?)?,
        Op::Cat { dim } => Tensor::f_cat(inputs, *dim as i64)?,
        Op::Zeros | Op::ZerosLike => context.filled(node, 0.0)?,
        Op::Constant { value } => context.filled(node, *value)?,
        Op::Slice { dim, start, end, step } => nth(0)?.f_slice(*dim as i64, *start, *end, *step)?,
        Op::Reshape => nth(0)?.f_reshape(context.sizes(node)?)?,
        Op::Transpose { dim0, dim1 } => nth(0)?.f_transpose(*dim0 as i64, *dim1 as i64)?,
        Op::Matmul => nth(0)?.f_matmul(nth(1)?)?,
        Op::Softmax { dim } => nth(0)?.f_softmax(*dim as i64, None::<Kind>)?,
        Op::LayerNorm { normalized_shape, eps, .. } => {
            nth(0)?.f_layer_norm(&normalized_shape[..], optional(1), optional(2), *eps, true)?
        }
        Op::Dropout { p } if context.pass.training && *p > 0.0 => {
            context.seeded(node, || Ok(nth(0)?.f_dropout(*p, true)?))?
        }
        Op::Dropout { .. } => nth(0)?.shallow_clone(),
        Op::Aten { operator, attributes, .. } => aten(node, operator, attributes, inputs, context)?,
        Op::Input { .. } | Op::Parameter { .. } => {
            return Err(TorchError::invalid("inputs and parameters are not computed"));
        }
    })
}

pub(crate) fn batch_norm(op: &Op, inputs: &[&Tensor], context: &Context<'_>) -> Result<Tensor> {
    let Op::BatchNorm { affine, running, statistics, momentum, eps } = op else {
        return Err(TorchError::invalid("is not a batch norm"));
    };
    let mut rest = inputs.iter().copied();
    let x = rest.next().ok_or_else(|| TorchError::invalid("input 0 is missing"))?;
    let (weight, bias) = if *affine { (rest.next(), rest.next()) } else { (None, None) };
    let (mean, var) = if *running { (rest.next(), rest.next()) } else { (None, None) };
    let moves = *statistics == Statistics::Running && !context.again;
    let (mean, var) = if moves { (mean, var) } else { (None, None) };
    let pass = &context.pass;
    let (own, momentum) = (pass.uses_batch(*statistics), pass.recalibrate.unwrap_or(*momentum));
    Ok(x.f_batch_norm(weight, bias, mean, var, own, momentum, *eps, true)?)
}

/// The sum of the terms; from the third on into the memory of the first sum, where it has the final shape.
fn add(node: &Node, terms: &[&Tensor], context: &Context<'_>) -> Result<Tensor> {
    let (first, rest) = terms.split_first().ok_or_else(|| TorchError::invalid("has no terms"))?;
    let Some((second, rest)) = rest.split_first() else { return Ok(first.shallow_clone()) };
    let mut sum = first.f_add(second)?;
    let full = rest.is_empty() || sum.size() == context.sizes(node)?;
    for term in rest {
        sum = if full { sum.f_add_(term)? } else { sum.f_add(term)? };
    }
    Ok(sum)
}

/// Any operator of ATen; its output must have the shape that the description stated.
fn aten(
    node: &Node,
    operator: &str,
    attributes: &Attributes,
    inputs: &[&Tensor],
    context: &Context<'_>,
) -> Result<Tensor> {
    let tensors: Vec<Argument<'_>> = inputs.iter().map(|&tensor| Argument::Tensor(tensor)).collect();
    let named = attributes
        .iter()
        .map(|(name, value)| Ok((name.as_str(), argument(name, value)?)))
        .collect::<Result<Vec<_>>>()?;
    let operator = format!("aten::{operator}");
    let outputs = context.seeded(node, || call_pure(&operator, &tensors, &named))?;
    let output = single(&operator, outputs)?;
    if !output.defined() {
        return Err(TorchError::invalid("gives no tensor for these arguments"));
    }
    let (found, stated) = (output.size(), context.sizes(node)?);
    if found != stated {
        return Err(TorchError::invalid(format!(
            "gives the shape {found:?}, but `output_shape` states {stated:?}"
        )));
    }
    Ok(output)
}

fn argument<'a>(name: &str, value: &'a Value) -> Result<Argument<'a>> {
    Ok(match value {
        Value::Bool(value) => Argument::Bool(*value),
        Value::Int(value) => Argument::Int(*value),
        Value::Float(value) => Argument::Float(*value),
        Value::Text(text) => Argument::Text(text),
        Value::Bools(list) => Argument::Bools(list),
        Value::Ints(list) => Argument::Ints(list),
        Value::Floats(list) => Argument::Floats(list),
        Value::Bytes(_) | Value::Texts(_) => {
            return Err(TorchError::invalid(format!(
                "attribute `{name}` is {}, which no operator takes",
                value.kind()
            )));
        }
    })
}
