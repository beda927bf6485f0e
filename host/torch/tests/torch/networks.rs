//! NAS-Bench-201 as a graph: what a space plugin describes, small enough for tests.

use nshot_graph::{Builder, Graph, Parameters, Role, Value, ValueId};

use crate::support::{graph, op, specs};

pub(crate) const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];

/// The size of the network.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) channels: i64,
    pub(crate) cells: usize,
}

pub(crate) fn parameters(size: Size) -> Parameters {
    let mut list: Vec<(String, Vec<i64>, Role)> = Vec::new();
    let mut conv = |name: String, out: i64, into: i64, kernel: i64, bias: bool| {
        list.push((format!("{name}.weight"), vec![out, into, kernel, kernel], Role::Weight));
        if bias {
            list.push((format!("{name}.bias"), vec![out], Role::Bias));
        }
    };
    let c = size.channels;
    conv("stem".into(), c, 3, 3, false);
    for stage in 0..3 {
        let c = c << stage;
        for (cell, edge) in (0..size.cells).flat_map(|cell| (0..6).map(move |edge| (cell, edge))) {
            for (kernel, op) in [(1, "nor_conv_1x1"), (3, "nor_conv_3x3")] {
                conv(format!("stage{stage}.cell{cell}.edge{edge}.{op}"), c, c, kernel, true);
            }
        }
        if stage > 0 {
            conv(format!("reduction{stage}.conv_a"), c, c / 2, 3, true);
            conv(format!("reduction{stage}.conv_b"), c, c, 3, true);
            conv(format!("reduction{stage}.shortcut"), c, c / 2, 1, false);
        }
    }
    list.push(("classifier.weight".into(), vec![10, 4 * c], Role::Weight));
    list.push(("classifier.bias".into(), vec![10], Role::Bias));
    let borrowed: Vec<_> =
        list.iter().map(|(name, shape, role)| (name.as_str(), &shape[..], *role)).collect();
    specs(&borrowed)
}

fn convolution(
    b: &mut Builder<'_>,
    x: ValueId,
    name: &str,
    bias: bool,
    stride: i64,
    padding: i64,
) -> ValueId {
    let mut inputs = vec![x, b.parameter(&format!("{name}.weight")).unwrap()];
    if bias {
        inputs.push(b.parameter(&format!("{name}.bias")).unwrap());
    }
    op(b, "conv2d", &inputs, &[("stride", Value::Int(stride)), ("padding", Value::Int(padding))])
}

fn relu_conv_norm(b: &mut Builder<'_>, x: ValueId, name: &str, stride: i64, padding: i64) -> ValueId {
    let x = op(b, "relu", &[x], &[]);
    let x = convolution(b, x, name, true, stride, padding);
    op(b, "batch_norm", &[x], &[])
}

fn edge(b: &mut Builder<'_>, x: ValueId, operation: usize, name: &str) -> ValueId {
    match operation {
        0 => op(b, "zeros_like", &[x], &[]),
        1 => x,
        2 => relu_conv_norm(b, x, &format!("{name}.nor_conv_1x1"), 1, 0),
        3 => relu_conv_norm(b, x, &format!("{name}.nor_conv_3x3"), 1, 1),
        _ => op(
            b,
            "avg_pool2d",
            &[x],
            &[
                ("kernel", Value::Int(3)),
                ("stride", Value::Int(1)),
                ("padding", Value::Int(1)),
                ("count_include_pad", Value::Bool(false)),
            ],
        ),
    }
}

/// The subnet that takes one operation per edge.
pub(crate) fn subnet(parameters: &Parameters, size: Size, architecture: &[usize], image: i64) -> Graph {
    graph(parameters, &[-1, 3, image, image], |b, x| {
        let x = convolution(b, x, "stem", false, 1, 1);
        let mut x = op(b, "batch_norm", &[x], &[]);
        for stage in 0..3 {
            if stage > 0 {
                let name = format!("reduction{stage}");
                let y = relu_conv_norm(b, x, &format!("{name}.conv_a"), 2, 1);
                let y = relu_conv_norm(b, y, &format!("{name}.conv_b"), 1, 1);
                let short = op(b, "avg_pool2d", &[x], &[("kernel", Value::Int(2))]);
                let short = convolution(b, short, &format!("{name}.shortcut"), false, 1, 0);
                x = op(b, "add", &[short, y], &[]);
            }
            for cell in 0..size.cells {
                let mut nodes: Vec<Vec<ValueId>> = vec![vec![x], vec![], vec![], vec![]];
                for (i, (source, target)) in EDGES.into_iter().enumerate() {
                    if nodes[source].len() > 1 {
                        nodes[source] = vec![op(b, "add", &nodes[source].clone(), &[])];
                    }
                    let from = nodes[source][0];
                    let y = edge(b, from, architecture[i], &format!("stage{stage}.cell{cell}.edge{i}"));
                    nodes[target].push(y);
                }
                x = op(b, "add", &nodes[3], &[]);
            }
        }
        let x = op(b, "batch_norm", &[x], &[]);
        let x = op(b, "relu", &[x], &[]);
        let x = op(b, "global_avg_pool", &[x], &[]);
        let (w, bias) = (b.parameter("classifier.weight").unwrap(), b.parameter("classifier.bias").unwrap());
        op(b, "linear", &[x, w, bias], &[])
    })
}
