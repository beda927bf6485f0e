//! Computes small graphs in float64, fully or by plan: the judge of what a plan leaves out.

#![allow(clippy::many_single_char_names)] // As formulas name them.

use nshot_graph::{Filter, Graph, Op, Plan, Program, Statistics, Term, ValueId, Work, resolve};

/// Sizes and elements in row-major order.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

/// Numbers that look random, from -1 to 1.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn float(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Outputs with every node computed as described.
pub(crate) fn full(graph: &Graph, batch: i64) -> Vec<Tensor> {
    let mut values: Vec<Option<Tensor>> = vec![];
    for (i, node) in graph.nodes().iter().enumerate() {
        let value = compute(graph, i as ValueId, &node.inputs, &values, batch);
        values.push(Some(value));
    }
    graph.outputs().iter().map(|(_, v)| values[*v as usize].clone().expect("computed")).collect()
}

/// Outputs by the program of `plan`, each value dropped where the program releases it.
pub(crate) fn planned(graph: &Graph, plan: &Plan, batch: i64) -> Vec<Tensor> {
    let mut values: Vec<Option<Tensor>> = vec![None; graph.nodes().len()];
    for instruction in Program::new(graph, plan).instructions {
        for (value, tensor) in worked(graph, &instruction.work, &values, batch) {
            values[value as usize] = Some(tensor);
        }
        for value in instruction.release {
            assert!(values[value as usize].take().is_some(), "{value} is released twice or never made");
        }
    }
    let outputs: Vec<_> =
        plan.outputs.iter().map(|(_, v)| values[*v as usize].clone().expect("kept")).collect();
    let kept = values.iter().flatten().count();
    let mut distinct: Vec<_> = plan.outputs.iter().map(|(_, v)| *v).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(kept, distinct.len(), "only outputs stay");
    outputs
}

/// The values that an instruction makes.
fn worked(graph: &Graph, work: &Work, values: &[Option<Tensor>], batch: i64) -> Vec<(ValueId, Tensor)> {
    match work {
        Work::Zeros(value) => vec![(*value, filled(sizes(graph, *value, batch), 0.0))],
        Work::Node { value, inputs } => vec![(*value, compute(graph, *value, inputs, values, batch))],
        Work::Convolution { input, filters } => {
            let one = |filter: &Filter| {
                let inputs: Vec<_> = [*input, filter.weight].into_iter().chain(filter.bias).collect();
                (filter.value, compute(graph, filter.value, &inputs, values, batch))
            };
            filters.iter().map(one).collect()
        }
        Work::Sum { terms, sum, rectified } => {
            let term = |term: &Term| match term {
                Term::Value(value) => values[*value as usize].clone().expect("made before"),
                Term::Norm { norm, inputs } => compute(graph, *norm, inputs, values, batch),
            };
            let terms: Vec<Tensor> = terms.iter().map(term).collect();
            let whole =
                together(&terms.iter().collect::<Vec<_>>(), terms[0].shape.clone(), 0.0, |a, b| a + b);
            let positive = whole.data.iter().map(|value| value.max(0.0)).collect();
            let rectified = rectified.map(|value| (value, Tensor { data: positive, ..whole.clone() }));
            sum.map(|value| (value, whole)).into_iter().chain(rectified).collect()
        }
    }
}

pub(crate) fn distance(a: &[Tensor], b: &[Tensor]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mut most = 0.0f64;
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.shape, b.shape);
        most = a.data.iter().zip(&b.data).fold(most, |most, (a, b)| most.max((a - b).abs()));
    }
    most
}

fn sizes(graph: &Graph, value: ValueId, batch: i64) -> Vec<usize> {
    let shape = resolve(&graph.node(value).shape, batch).expect("small sizes");
    shape.into_iter().map(|size| size as usize).collect()
}

fn filled(shape: Vec<usize>, value: f64) -> Tensor {
    let data = vec![value; shape.iter().product()];
    Tensor { shape, data }
}

fn compute(graph: &Graph, id: ValueId, inputs: &[ValueId], values: &[Option<Tensor>], batch: i64) -> Tensor {
    let x: Vec<&Tensor> = inputs.iter().map(|v| values[*v as usize].as_ref().expect("made before")).collect();
    let shape = sizes(graph, id, batch);
    let map =
        |f: fn(f64) -> f64| Tensor { shape: shape.clone(), data: x[0].data.iter().map(|v| f(*v)).collect() };
    match &graph.node(id).op {
        Op::Input { index } => random(shape, *index as u64),
        Op::Parameter { index, .. } => random(shape, 1000 + *index as u64),
        Op::Zeros | Op::ZerosLike => filled(shape, 0.0),
        Op::Constant { value } => filled(shape, *value),
        Op::Relu => map(|v| v.max(0.0)),
        Op::Sigmoid => map(|v| 1.0 / (1.0 + (-v).exp())),
        Op::Tanh => map(f64::tanh),
        Op::Reshape => Tensor { shape, data: x[0].data.clone() },
        Op::Add => together(&x, shape, 0.0, |a, b| a + b),
        Op::Mul => together(&x, shape, 1.0, |a, b| a * b),
        Op::Conv2d { stride, padding, .. } => conv(&x, shape, stride[0], padding[0]),
        Op::Linear => linear(&x, shape),
        Op::AvgPool2d { kernel, stride, padding, count_include_pad, .. } => {
            pool(x[0], shape, [kernel[0], stride[0], padding[0]], Some(*count_include_pad))
        }
        Op::MaxPool2d { kernel, stride, padding, .. } => {
            pool(x[0], shape, [kernel[0], stride[0], padding[0]], None)
        }
        Op::GlobalAvgPool => mean(x[0], shape),
        Op::BatchNorm { affine, statistics, eps, .. } => {
            assert_eq!(*statistics, Statistics::Batch);
            norm(&x, *affine, *eps)
        }
        Op::Cat { dim: 1 } => cat(&x, shape),
        other => panic!("{other:?} is not among the judged operations"),
    }
}

fn random(shape: Vec<usize>, seed: u64) -> Tensor {
    let mut numbers = Numbers(seed);
    let data = (0..shape.iter().product()).map(|_| numbers.float()).collect();
    Tensor { shape, data }
}

fn together(x: &[&Tensor], shape: Vec<usize>, start: f64, f: fn(f64, f64) -> f64) -> Tensor {
    let mut out = filled(shape, start);
    for (i, value) in out.data.iter_mut().enumerate() {
        for term in x {
            let (mut rest, mut at, mut stride) = (i, 0, 1);
            for (d, size) in out.shape.iter().rev().enumerate() {
                if let Some(own) = term.shape.len().checked_sub(d + 1).map(|d| term.shape[d]) {
                    at += (rest % size % own) * stride;
                    stride *= own;
                }
                rest /= size;
            }
            *value = f(*value, term.data[at]);
        }
    }
    out
}

/// Calls `visit(output index, input index)` per channel for all positions of a window inside the image.
fn windows(
    input: &[usize],
    out: &[usize],
    [k, s, p]: [i64; 3],
    mut visit: impl FnMut([usize; 2], [usize; 2], usize),
) {
    for (oy, ox) in (0..out[2]).flat_map(|y| (0..out[3]).map(move |x| (y, x))) {
        for (ky, kx) in (0..k).flat_map(|y| (0..k).map(move |x| (y, x))) {
            let (y, x) = (oy as i64 * s + ky - p, ox as i64 * s + kx - p);
            if (0..input[2] as i64).contains(&y) && (0..input[3] as i64).contains(&x) {
                visit([oy, ox], [y as usize, x as usize], (ky * k + kx) as usize);
            }
        }
    }
}

fn conv(x: &[&Tensor], shape: Vec<usize>, stride: i64, padding: i64) -> Tensor {
    let (image, weight) = (x[0], x[1]);
    let [k2, per_group] = [weight.shape[2] * weight.shape[3], weight.shape[1]];
    let mut out = filled(shape, 0.0);
    let [n, channels, h, w] = [out.shape[0], out.shape[1], out.shape[2], out.shape[3]];
    let groups = image.shape[1] / per_group;
    for (b, o) in (0..n).flat_map(|b| (0..channels).map(move |o| (b, o))) {
        let group = o / (channels / groups);
        for i in 0..per_group {
            let c = group * per_group + i;
            let base = (b * image.shape[1] + c) * image.shape[2] * image.shape[3];
            let sizes = [weight.shape[2] as i64, stride, padding];
            windows(&image.shape, &[n, channels, h, w], sizes, |[oy, ox], [y, x], k| {
                out.data[((b * channels + o) * h + oy) * w + ox] +=
                    image.data[base + y * image.shape[3] + x] * weight.data[(o * per_group + i) * k2 + k];
            });
        }
    }
    if let Some(bias) = x.get(2) {
        for (i, value) in out.data.iter_mut().enumerate() {
            *value += bias.data[i / (h * w) % channels];
        }
    }
    out
}

/// The mean, of the window's part inside the image or of all of it; the maximum for `None`.
fn pool(x: &Tensor, shape: Vec<usize>, sizes: [i64; 3], include: Option<bool>) -> Tensor {
    let mut out = filled(shape, if include.is_some() { 0.0 } else { f64::NEG_INFINITY });
    let [h, w] = [out.shape[2], out.shape[3]];
    for plane in 0..out.shape[0] * out.shape[1] {
        let mut counts = vec![0.0; h * w];
        let dims = out.shape.clone();
        windows(&x.shape, &dims, sizes, |[oy, ox], [y, column], _| {
            let value = x.data[(plane * x.shape[2] + y) * x.shape[3] + column];
            let cell = &mut out.data[(plane * h + oy) * w + ox];
            *cell = if include.is_some() { *cell + value } else { cell.max(value) };
            counts[oy * w + ox] += 1.0;
        });
        for (i, count) in counts.iter().enumerate() {
            match include {
                Some(true) => out.data[plane * h * w + i] /= (sizes[0] * sizes[0]) as f64,
                Some(false) => out.data[plane * h * w + i] /= count,
                None => {}
            }
        }
    }
    out
}

fn linear(x: &[&Tensor], shape: Vec<usize>) -> Tensor {
    let [out, inside] = [x[1].shape[0], x[1].shape[1]];
    let mut result = filled(shape, 0.0);
    for (i, value) in result.data.iter_mut().enumerate() {
        let (row, o) = (i / out, i % out);
        *value = (0..inside).map(|k| x[0].data[row * inside + k] * x[1].data[o * inside + k]).sum::<f64>()
            + x.get(2).map_or(0.0, |bias| bias.data[o]);
    }
    result
}

fn mean(x: &Tensor, shape: Vec<usize>) -> Tensor {
    let plane = x.shape[2] * x.shape[3];
    let data = x.data.chunks(plane).map(|c| c.iter().sum::<f64>() / plane as f64).collect();
    Tensor { shape, data }
}

fn norm(x: &[&Tensor], affine: bool, eps: f64) -> Tensor {
    let mut out = x[0].clone();
    let channels = out.shape[1];
    let plane: usize = out.shape[2..].iter().product();
    for c in 0..channels {
        let of_channel = |i: &usize| i / plane % channels == c;
        let at: Vec<usize> = (0..out.data.len()).filter(of_channel).collect();
        // Shifted by the first element, so that the mean of a constant is that constant.
        let first = out.data[at[0]];
        let count = at.len() as f64;
        let mean = first + at.iter().map(|i| out.data[*i] - first).sum::<f64>() / count;
        let var = at.iter().map(|i| (out.data[*i] - mean).powi(2)).sum::<f64>() / count;
        for i in at {
            out.data[i] = (out.data[i] - mean) / (var + eps).sqrt();
            if affine {
                out.data[i] = out.data[i] * x[1].data[c] + x[2].data[c];
            }
        }
    }
    out
}

fn cat(x: &[&Tensor], shape: Vec<usize>) -> Tensor {
    let rest: usize = shape[2..].iter().product();
    let mut data = vec![];
    for n in 0..shape[0] {
        for part in x {
            let size = part.shape[1] * rest;
            data.extend_from_slice(&part.data[n * size..(n + 1) * size]);
        }
    }
    Tensor { shape, data }
}
