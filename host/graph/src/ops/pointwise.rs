//! Operations element by element, and softmax.

use super::{Call, norm};
use crate::{GeluApproximation, Op, Result, Shape, ShowShape, shape};

pub(crate) fn unary(call: &Call<'_>, op: Op) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    Ok((op, call.inputs[0].to_vec()))
}

pub(crate) fn gelu(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let options = [("none", GeluApproximation::None), ("tanh", GeluApproximation::Tanh)];
    let approximate = call.read.option("approximate", &options)?;
    unary(call, Op::Gelu { approximate })
}

pub(crate) fn dropout(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let p = norm::fraction(call, "p", 0.5)?;
    unary(call, Op::Dropout { p })
}

pub(crate) fn softmax(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    let dim = call.read.dimension("dim", call.inputs[0].len(), Some(-1))?;
    Ok((Op::Softmax { dim }, call.inputs[0].to_vec()))
}

pub(crate) fn add(call: &Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, usize::MAX, "")?;
    Ok((Op::Add, broadcast_all(call)?))
}

pub(crate) fn mul(call: &Call<'_>) -> Result<(Op, Shape)> {
    call.takes(2, 2, "x, y")?;
    Ok((Op::Mul, broadcast_all(call)?))
}

fn broadcast_all(call: &Call<'_>) -> Result<Shape> {
    let mut whole = call.inputs[0].to_vec();
    for input in &call.inputs[1..] {
        whole = shape::broadcast(&whole, input).ok_or_else(|| {
            call.wrong(format!("shapes {} and {} do not broadcast", ShowShape(&whole), ShowShape(input)))
        })?;
    }
    Ok(whole)
}
