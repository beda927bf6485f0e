//! Matrix products.

use super::Call;
use crate::{Op, Result, Shape, ShowShape, shape};

pub(crate) fn linear(call: &Call<'_>) -> Result<(Op, Shape)> {
    call.takes(2, 3, "x, weight, bias")?;
    let (x, weight) = (call.inputs[0], call.inputs[1]);
    let [out, inside] = match *weight {
        [o, i] if o > 0 && i > 0 => [o, i],
        _ => {
            return Err(call
                .wrong(format!("weight is {}, expected [out, in], none of them empty", ShowShape(weight))));
        }
    };
    if x.last() != Some(&inside) {
        return Err(call.wrong(format!(
            "weight {} expects {inside} input features, but the input is {}",
            ShowShape(weight),
            ShowShape(x)
        )));
    }
    if call.inputs.len() == 3 && call.inputs[2] != [out] {
        return Err(call.wrong(format!(
            "bias is {}, expected [{out}], as the weight is {}",
            ShowShape(call.inputs[2]),
            ShowShape(weight)
        )));
    }
    let mut shape = x.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = out;
    }
    Ok((Op::Linear, shape))
}

pub(crate) fn matmul(call: &Call<'_>) -> Result<(Op, Shape)> {
    call.takes(2, 2, "x, y")?;
    let (x, y) = (call.inputs[0], call.inputs[1]);
    let shape = match (x, y) {
        ([left @ .., rows, inner], [right @ .., other, columns]) if inner == other => {
            shape::broadcast(left, right).map(|leading| [leading, vec![*rows, *columns]].concat())
        }
        _ => None,
    };
    let shape = shape.ok_or_else(|| {
        call.wrong(format!(
            "{} and {} have no matrix product, expected […, m, k] and […, k, n]",
            ShowShape(x),
            ShowShape(y)
        ))
    })?;
    Ok((Op::Matmul, shape))
}
