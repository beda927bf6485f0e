//! Operations that make, join, cut and rearrange values.

use super::Call;
use crate::{Op, Result, Shape, ShowShape, Value, shape};

pub(crate) fn zeros(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(0, 0, "")?;
    Ok((Op::Zeros, call.read.ints("shape", None)?))
}

pub(crate) fn constant(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(0, 0, "")?;
    let value = call.read.float("value", None)?;
    Ok((Op::Constant { value }, call.read.ints("shape", Some(&[]))?))
}

pub(crate) fn cat(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, usize::MAX, "")?;
    let first = call.inputs[0];
    let dim = call.read.dimension("dim", first.len(), Some(1))?;
    let mut whole = first.to_vec();
    for part in &call.inputs[1..] {
        let fits = part.len() == first.len() && (0..first.len()).all(|i| i == dim || part[i] == first[i]);
        // Sizes that grow with the batch add up among themselves; `N + 3` is no size of a shape.
        let sum = if fits { whole[dim].checked_add(part[dim]) } else { None };
        match sum {
            Some(sum) if (part[dim] < 0) == (first[dim] < 0) => whole[dim] = sum,
            _ => {
                return Err(call.wrong(format!(
                    "{} cannot be joined to {} along dimension {dim}",
                    ShowShape(part),
                    ShowShape(first)
                )));
            }
        }
    }
    Ok((Op::Cat { dim }, whole))
}

pub(crate) fn slice(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    let x = call.inputs[0];
    let dim = call.read.dimension("dim", x.len(), None)?;
    let size = x[dim];
    if size < 0 {
        return Err(call.wrong(format!(
            "dimension {dim} of the input {} grows with the batch and cannot be sliced",
            ShowShape(x)
        )));
    }
    let start = position(call, "start", size, 0)?;
    let end = position(call, "end", size, size)?;
    let step = call.read.int("step", 1, Some(1))?;
    if start >= end {
        return Err(
            call.wrong(format!("the slice from {start} to {end} is empty; the input is {}", ShowShape(x)))
        );
    }
    let mut shape = x.to_vec();
    shape[dim] = (end - start - 1) / step + 1;
    Ok((Op::Slice { dim, start, end, step }, shape))
}

/// An end of a slice; negative ones count from the end of the dimension.
fn position(call: &mut Call<'_>, name: &'static str, size: i64, default: i64) -> Result<i64> {
    match call.read.get(name) {
        None => Ok(default),
        Some(Value::Int(at)) if (-size..=size).contains(at) => Ok(if *at < 0 { at + size } else { *at }),
        Some(other) => {
            let expected =
                format!("an int from {} to {size}, as the input is {}", -size, ShowShape(call.inputs[0]));
            Err(call.read.wrong(name, other, expected))
        }
    }
}

pub(crate) fn reshape(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    let mut target = call.read.ints("shape", None)?;
    let x = call.inputs[0];
    let misfit =
        |target: &[i64]| call.wrong(format!("the input {} does not fit the shape {target:?}", ShowShape(x)));
    let open: Vec<usize> = (0..target.len()).filter(|i| target[*i] == -1).collect();
    let Some((have, have_power)) = shape::elements(x) else { return Err(misfit(&target)) };
    if open.len() > 1 {
        return Err(
            call.wrong(format!("the shape {target:?} leaves {} sizes open, expected one -1", open.len()))
        );
    }
    if let Some(&at) = open.first() {
        target[at] = 1;
        let rest = shape::elements(&target);
        target[at] = -1;
        target[at] = match rest {
            Some((count, power)) if count > 0 && have % count == 0 && have_power == power => have / count,
            Some((count, power)) if count > 0 && have % count == 0 && have_power == power + 1 => {
                -(have / count)
            }
            _ => return Err(misfit(&target)),
        };
    } else if shape::elements(&target) != Some((have, have_power)) {
        return Err(misfit(&target));
    }
    Ok((Op::Reshape, target))
}

pub(crate) fn transpose(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    let mut shape = call.inputs[0].to_vec();
    let dim0 = call.read.dimension("dim0", shape.len(), None)?;
    let dim1 = call.read.dimension("dim1", shape.len(), None)?;
    shape.swap(dim0, dim1);
    Ok((Op::Transpose { dim0, dim1 }, shape))
}
