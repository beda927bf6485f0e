//! Operations that slide a window over an image.

use super::Call;
use crate::{Op, Result, Shape, ShowShape};

pub(crate) fn conv2d(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    call.takes(2, 3, "x, weight, bias")?;
    let stride = call.read.pair("stride", 1, Some([1; 2]))?;
    let padding = call.read.pair("padding", 0, Some([0; 2]))?;
    let dilation = call.read.pair("dilation", 1, Some([1; 2]))?;
    let groups = call.read.int("groups", 1, Some(1))?;
    let [n, c, h, w] = call.image()?;
    let [out, per_group, kh, kw] = weight_shape(call)?;
    let (weight, input) = (ShowShape(call.inputs[1]), ShowShape(call.inputs[0]));
    if per_group.checked_mul(groups) != Some(c) {
        let channels = per_group.saturating_mul(groups);
        let grouped = if groups == 1 { String::new() } else { format!(" in {groups} groups") };
        return Err(call.wrong(format!(
            "weight {weight} expects {channels} input channels{grouped}, but the input is {input}"
        )));
    }
    if out % groups != 0 {
        return Err(
            call.wrong(format!("weight {weight} makes {out} channels, which {groups} groups do not divide"))
        );
    }
    if call.inputs.len() == 3 && call.inputs[2] != [out] {
        return Err(call.wrong(format!(
            "bias is {}, expected [{out}], as the weight is {weight}",
            ShowShape(call.inputs[2])
        )));
    }
    let window = Window { kernel: [kh, kw], stride, padding, dilation, ceil: false };
    let [height, width] = window.slide(call, [h, w])?;
    Ok((Op::Conv2d { stride, padding, dilation, groups }, vec![n, out, height, width]))
}

fn weight_shape(call: &Call<'_>) -> Result<[i64; 4]> {
    match *call.inputs[1] {
        [o, c, kh, kw] if o > 0 && c > 0 && kh > 0 && kw > 0 => Ok([o, c, kh, kw]),
        ref other => Err(call.wrong(format!(
            "weight is {}, expected [out, in per group, height, width], none of them empty",
            ShowShape(other)
        ))),
    }
}

pub(crate) fn avg_pool2d(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let window = pool_window(call, false)?;
    let count_include_pad = call.read.bool("count_include_pad", true)?;
    let Window { kernel, stride, padding, ceil: ceil_mode, .. } = window;
    let shape = window.pool(call)?;
    Ok((Op::AvgPool2d { kernel, stride, padding, count_include_pad, ceil_mode }, shape))
}

pub(crate) fn max_pool2d(call: &mut Call<'_>) -> Result<(Op, Shape)> {
    let window = pool_window(call, true)?;
    let Window { kernel, stride, padding, dilation, ceil: ceil_mode } = window;
    let shape = window.pool(call)?;
    Ok((Op::MaxPool2d { kernel, stride, padding, dilation, ceil_mode }, shape))
}

pub(crate) fn global_avg_pool(call: &Call<'_>) -> Result<(Op, Shape)> {
    call.takes(1, 1, "x")?;
    let [n, c, ..] = call.image()?;
    Ok((Op::GlobalAvgPool, vec![n, c]))
}

fn pool_window(call: &mut Call<'_>, dilated: bool) -> Result<Window> {
    call.takes(1, 1, "x")?;
    let kernel = call.read.pair("kernel", 1, None)?;
    let stride = call.read.pair("stride", 1, Some(kernel))?;
    let padding = call.read.pair("padding", 0, Some([0; 2]))?;
    let dilation = if dilated { call.read.pair("dilation", 1, Some([1; 2]))? } else { [1; 2] };
    let ceil = call.read.bool("ceil_mode", false)?;
    Ok(Window { kernel, stride, padding, dilation, ceil })
}

#[derive(Clone, Copy)]
struct Window {
    kernel: [i64; 2],
    stride: [i64; 2],
    padding: [i64; 2],
    dilation: [i64; 2],
    ceil: bool,
}

impl Window {
    fn pool(&self, call: &Call<'_>) -> Result<Shape> {
        let [n, c, h, w] = call.image()?;
        // A window that saw padding alone would have no mean and no maximum.
        if (0..2).any(|i| self.padding[i] > self.kernel[i] / 2) {
            return Err(call.wrong(format!(
                "padding is {:?}, expected at most half of the kernel {:?}",
                self.padding, self.kernel
            )));
        }
        let [height, width] = self.slide(call, [h, w])?;
        Ok(vec![n, c, height, width])
    }

    /// Positions of the window along each side of an image.
    fn slide(&self, call: &Call<'_>, size: [i64; 2]) -> Result<[i64; 2]> {
        let mut out = [0; 2];
        for i in 0..2 {
            out[i] = self.positions(i, size[i]).ok_or_else(|| {
                call.wrong(format!(
                    "a window of {:?} (dilation {:?}, padding {:?}) does not fit into the input {}",
                    self.kernel,
                    self.dilation,
                    self.padding,
                    ShowShape(call.inputs[0])
                ))
            })?;
        }
        Ok(out)
    }

    /// As libtorch counts them; a last position that the ceiling adds has to start inside the left padding
    /// and the image. In 128 bits, as sizes, padding and dilation each go up to 2^40.
    fn positions(&self, side: usize, size: i64) -> Option<i64> {
        let wide = |list: [i64; 2]| i128::from(list[side]);
        let (kernel, stride, padding) = (wide(self.kernel), wide(self.stride), wide(self.padding));
        let size = i128::from(size);
        let free = size + 2 * padding - wide(self.dilation) * (kernel - 1) - 1;
        if free < 0 {
            return None;
        }
        let mut count = (free + if self.ceil { stride - 1 } else { 0 }) / stride + 1;
        if self.ceil && (count - 1) * stride >= size + padding {
            count -= 1;
        }
        i64::try_from(count).ok().filter(|count| *count > 0)
    }
}
