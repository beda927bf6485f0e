//! Normalisations. `BatchNormalization` with the batch's statistics is its training mode, which readers for
//! inference do not run: it is spelt out.

use nshot_graph::{Op, Statistics, ValueId};

use super::{proto::Attribute, writer::Writer};
use crate::Result;

pub(super) fn batch_norm(w: &mut Writer<'_>, value: ValueId, op: &Op, inputs: &[ValueId]) -> Result<String> {
    let (&Op::BatchNorm { affine, statistics, eps, .. }, [x, rest @ ..]) = (op, inputs) else {
        return Err(w.refuse(value, "it has no inputs"));
    };
    let shape = &w.graph.node(value).shape;
    let (rank, channels) = (shape.len(), shape[1]);
    let x = w.value(*x)?;
    let (affines, buffers) = rest.split_at(if affine { 2 } else { 0 });
    if statistics == Statistics::Running {
        let [scale, shift] = if affine {
            [w.value(affines[0])?, w.value(affines[1])?]
        } else {
            // As many as the mean has, which was declared.
            let filled = |number| vec![number; channels.unsigned_abs() as usize];
            [w.numbers(vec![channels], &filled(1.0)), w.numbers(vec![channels], &filled(0.0))]
        };
        let (mean, var) = (w.value(buffers[0])?, w.value(buffers[1])?);
        let eps = Attribute::float("epsilon", eps);
        return Ok(w.node("BatchNormalization", &[&x, &scale, &shift, &mean, &var], vec![eps]));
    }
    let axes: Vec<i64> = (0..rank as i64).filter(|axis| *axis != 1).collect();
    let normal = normalise(w, &x, &axes, eps);
    if !affine {
        return Ok(normal);
    }
    let (scale, shift) = (w.per_channel(affines[0], rank)?, w.per_channel(affines[1], rank)?);
    let scaled = w.node("Mul", &[&normal, &scale], vec![]);
    Ok(w.node("Add", &[&scaled, &shift], vec![]))
}

pub(super) fn layer_norm(w: &mut Writer<'_>, value: ValueId, op: &Op, inputs: &[&str]) -> Result<String> {
    let Op::LayerNorm { normalized_shape, eps, affine } = op else {
        return Err(w.refuse(value, "it is not a layer norm"));
    };
    let rank = w.graph.node(value).shape.len();
    let first = (rank - normalized_shape.len()) as i64;
    if *affine {
        let attributes = vec![Attribute::int("axis", first), Attribute::float("epsilon", *eps)];
        return Ok(w.node("LayerNormalization", inputs, attributes));
    }
    let axes: Vec<i64> = (first..rank as i64).collect();
    Ok(normalise(w, inputs[0], &axes, *eps))
}

/// `(x - mean) / sqrt(var + eps)` with the biased variance over `axes`.
fn normalise(w: &mut Writer<'_>, x: &str, axes: &[i64], eps: f64) -> String {
    let mean = w.mean(x, axes, true);
    let centred = w.node("Sub", &[x, &mean], vec![]);
    let squares = w.node("Mul", &[&centred, &centred], vec![]);
    let var = w.mean(&squares, axes, true);
    let eps = w.number(eps);
    let sum = w.node("Add", &[&var, &eps], vec![]);
    let deviation = w.node("Sqrt", &[&sum], vec![]);
    w.node("Div", &[&centred, &deviation], vec![])
}
