//! Normalisations.

use super::Call;
use crate::{Op, Result, Shape, ShowShape, Statistics};

pub(crate) fn batch_norm(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let affine = call.read.bool("affine", false)?;
    let running = call.read.bool("running", false)?;
    let options = [("batch", Statistics::Batch), ("running", Statistics::Running)];
    let statistics = call.read.option("statistics", &options)?;
    let momentum = fraction(call, "momentum", 0.1)?;
    let eps = positive(call, "eps", 1e-5)?;
    let (names, count) = match (affine, running) {
        (false, false) => ("x", 1),
        (true, false) => ("x, weight, bias, as it is affine", 3),
        (false, true) => ("x, mean, var, as it has running statistics", 3),
        (true, true) => ("x, weight, bias, mean, var, as it is affine and has running statistics", 5),
    };
    call.takes(count, count, names)?;
    if statistics == Statistics::Running && !running {
        return Err(call.wrong("statistics `running` need `running = true` and the inputs mean and var"));
    }
    let x = call.inputs[0];
    let Some(&channels) = x.get(1).filter(|c| **c > 0) else {
        return Err(call.wrong(format!("the input is {}, expected [N, C, …]", ShowShape(x))));
    };
    let list: &[&str] = match (affine, running) {
        (true, _) => &["weight", "bias", "mean", "var"],
        (false, _) => &["mean", "var"],
    };
    for (i, what) in (1..count).zip(list) {
        call.expect(i, what, &[channels])?;
    }
    Ok((Op::BatchNorm { affine, running, statistics, momentum, eps }, x.to_vec()))
}

pub(crate) fn layer_norm(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let normalized_shape = call.read.ints("normalized_shape", None)?;
    let eps = positive(call, "eps", 1e-5)?;
    let affine = call.read.bool("affine", false)?;
    if affine {
        call.takes(3, 3, "x, weight, bias, as it is affine")?;
    } else {
        call.takes(1, 1, "x")?;
    }
    let x = call.inputs[0];
    if normalized_shape.is_empty()
        || normalized_shape.iter().any(|size| *size < 1)
        || !x.ends_with(&normalized_shape)
    {
        return Err(call.wrong(format!(
            "normalized_shape is {normalized_shape:?}, expected the last sizes of the input {}",
            ShowShape(x)
        )));
    }
    for (i, what) in (1..call.inputs.len()).zip(["weight", "bias"]) {
        call.expect(i, what, &normalized_shape)?;
    }
    Ok((Op::LayerNorm { normalized_shape, eps, affine }, x.to_vec()))
}

fn positive(call: &mut Call<'_>, name: &'static str, default: f64) -> Result<f64> {
    let value = call.read.float(name, Some(default))?;
    if value > 0.0 {
        return Ok(value);
    }
    Err(call.read.wrong(name, &crate::Value::Float(value), "a float above 0"))
}

/// An attribute from 0 to 1.
pub(super) fn fraction(call: &mut Call<'_>, name: &'static str, default: f64) -> Result<f64> {
    let value = call.read.float(name, Some(default))?;
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(call.read.wrong(name, &crate::Value::Float(value), "a float from 0 to 1"))
}
