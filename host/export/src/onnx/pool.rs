//! Pooling. ONNX and libtorch differ in what a ceiling adds and what a mean counts, so the windows are said by
//! padding alone: positions counted with the floor, padding at the end as far as the last window reaches.

use nshot_graph::{Op, ValueId};

use super::{proto::Attribute, writer::Writer};
use crate::Result;

struct Window {
    kernel: [i64; 2],
    stride: [i64; 2],
    padding: [i64; 2],
    dilation: [i64; 2],
}

pub(super) fn write(w: &mut Writer<'_>, value: ValueId, op: &Op, x: &str) -> Result<String> {
    match *op {
        Op::AvgPool2d { kernel, stride, padding, count_include_pad, .. } => {
            let window = Window { kernel, stride, padding, dilation: [1; 2] };
            Ok(average(w, value, &window, count_include_pad, x))
        }
        Op::MaxPool2d { kernel, stride, padding, dilation, .. } => {
            maximum(w, value, &Window { kernel, stride, padding, dilation }, x)
        }
        _ => Err(w.refuse(value, "it is not a pooling")),
    }
}

/// Windows end with the padding: what a ceiling lets them reach beyond it never counts.
fn average(w: &mut Writer<'_>, value: ValueId, window: &Window, include: bool, x: &str) -> String {
    let end = window.end(w, value);
    let mut attributes = window.attributes(end);
    if !include || window.padding == [0; 2] {
        return w.node("AveragePool", &[x], attributes);
    }
    if end == window.padding {
        attributes.push(Attribute::int("count_include_pad", 1));
        return w.node("AveragePool", &[x], attributes);
    }
    let padded = w.pad(x, window.padding, window.padding, 0.0);
    let inner = Window { padding: [0; 2], ..*window };
    let beyond = [end[0] - window.padding[0], end[1] - window.padding[1]];
    w.node("AveragePool", &[&padded], inner.attributes(beyond))
}

fn maximum(w: &mut Writer<'_>, value: ValueId, window: &Window, x: &str) -> Result<String> {
    let size = image_size(w, value);
    if (0..2).any(|i| window.padding[i] > 0 && window.dilation[i] > size[i]) {
        return Err(w.refuse(value, "a dilated window may lie in the padding alone"));
    }
    let end = window.end(w, value);
    let dilations = || Attribute::ints("dilations", window.dilation.to_vec());
    if (0..2).all(|i| end[i] < window.kernel[i]) {
        let attributes = [window.attributes(end), vec![dilations()]].concat();
        return Ok(w.node("MaxPool", &[x], attributes));
    }
    // Readers take no padding as large as the kernel.
    let padded = w.pad(x, window.padding, end, f64::NEG_INFINITY);
    let inner = Window { padding: [0; 2], ..*window };
    let attributes = [inner.attributes([0; 2]), vec![dilations()]].concat();
    Ok(w.node("MaxPool", &[&padded], attributes))
}

impl Window {
    /// Padding behind the image: as given, or further where the last window reaches further.
    fn end(&self, w: &Writer<'_>, value: ValueId) -> [i64; 2] {
        let (size, positions) = (image_size(w, value), &w.graph.node(value).shape[2..]);
        [0, 1].map(|i| {
            // All of them fit as the window fits into the image.
            let reach = (positions[i] - 1) * self.stride[i] + self.dilation[i] * (self.kernel[i] - 1) + 1;
            self.padding[i].max(reach - size[i] - self.padding[i])
        })
    }

    fn attributes(&self, end: [i64; 2]) -> Vec<Attribute> {
        vec![
            Attribute::ints("kernel_shape", self.kernel.to_vec()),
            Attribute::ints("pads", [self.padding, end].concat()),
            Attribute::ints("strides", self.stride.to_vec()),
        ]
    }
}

/// Height and width of what `value` pools.
fn image_size(w: &Writer<'_>, value: ValueId) -> [i64; 2] {
    let input = w.graph.node(w.graph.node(value).inputs[0]);
    [input.shape[2], input.shape[3]]
}
