//! Every operation in graphs of their own, most of them outputs.

use nshot_graph::{Builder, Graph, Parameters, Role, Value, ValueId};

use crate::support::{flag, float, int, ints, op, spec, text};

type Made = (Parameters, Graph);

/// A name and what makes the graph.
type Named = (&'static str, fn() -> Made);

pub(crate) fn all() -> [Named; 7] {
    [
        ("pointwise", pointwise),
        ("pooling", pooling),
        ("layout", layout),
        ("layers", layers),
        ("names", names),
        ("windows", windows),
        ("no-inputs", no_inputs),
    ]
}

/// A graph over `inputs` with the outputs that `describe` gives.
fn graph(
    declared: &[(&str, &[i64], Role)],
    inputs: &[(&str, &[i64])],
    describe: impl FnOnce(&mut Builder<'_>) -> Vec<(String, ValueId)>,
) -> Made {
    let mut parameters = Parameters::new();
    for (name, shape, role) in declared {
        parameters.declare(spec(name, shape, *role)).expect("a declaration");
    }
    let inputs: Vec<_> = inputs.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
    let mut b = Builder::new(&parameters, &inputs).expect("inputs");
    for (name, value) in describe(&mut b) {
        b.output(&name, value).expect("an output");
    }
    let graph = b.finish().expect("a graph");
    (parameters, graph)
}

fn named(b: &mut Builder<'_>, name: &str, inputs: &[ValueId], a: &[(String, Value)]) -> (String, ValueId) {
    let value = op(b, name, inputs, a);
    (format!("{name}_{value}"), value)
}

fn pointwise() -> Made {
    graph(&[("scale", &[1, 3, 1, 1], Role::Weight)], &[("image", &[-1, 3, 8, 8])], |b| {
        let image = b.input("image").expect("the image");
        let scale = b.parameter("scale").expect("declared");
        let eight = op(b, "constant", &[], &[float("value", 8.0)]);
        let x = op(b, "mul", &[image, eight], &[]);
        let plain = ["relu", "relu6", "hardswish", "sigmoid", "tanh", "silu", "gelu", "dropout"];
        let mut outputs: Vec<_> = plain.iter().map(|name| named(b, name, &[x], &[])).collect();
        outputs.push(named(b, "gelu", &[x], &[text("approximate", "tanh")]));
        outputs.push(named(b, "add", &[x], &[]));
        outputs.push(named(b, "add", &[scale, x, image, scale], &[]));
        outputs.push(named(b, "mul", &[scale, x], &[]));
        for dim in [1, -1] {
            outputs.push(named(b, "softmax", &[x], &[int("dim", dim)]));
        }
        outputs.push(named(b, "layer_norm", &[x], &[ints("normalized_shape", &[8, 8]), float("eps", 0.1)]));
        outputs.push(named(b, "batch_norm", &[x], &[float("eps", 0.01)]));
        outputs.push(named(b, "global_avg_pool", &[x], &[]));
        outputs
    })
}

fn pooling() -> Made {
    graph(&[], &[("image", &[-1, 3, 11, 8])], |b| {
        let x = b.input("image").expect("the image");
        let mut outputs = vec![];
        for (kernel, stride, padding) in [
            ([3, 3], [1, 1], [1, 1]),
            ([2, 2], [2, 2], [0, 0]),
            ([3, 2], [2, 3], [1, 1]),
            ([5, 4], [3, 4], [2, 0]),
        ] {
            for ceil in [false, true] {
                let sizes = [ints("kernel", &kernel), ints("stride", &stride), ints("padding", &padding)];
                let sizes = [&sizes[..], &[flag("ceil_mode", ceil)]].concat();
                for include in [false, true] {
                    let sizes = [&sizes[..], &[flag("count_include_pad", include)]].concat();
                    outputs.push(named(b, "avg_pool2d", &[x], &sizes));
                }
                outputs.push(named(b, "max_pool2d", &[x], &sizes));
                let dilated = [&sizes[..], &[ints("dilation", &[1, 2])]].concat();
                outputs.push(named(b, "max_pool2d", &[x], &dilated));
            }
        }
        let wide = [int("kernel", 2), int("stride", 3), int("dilation", 4), flag("ceil_mode", true)];
        outputs.push(named(b, "max_pool2d", &[x], &wide));
        outputs
    })
}

fn layout() -> Made {
    let declared = [("alpha", &[2, 3][..], Role::Architecture), ("table", &[4, 6], Role::Weight)];
    let inputs = [("progress", &[][..]), ("image", &[-1, 4, 6, 6]), ("windows", &[-4, 6])];
    graph(&declared, &inputs, |b| {
        let image = b.input("image").expect("the image");
        let (alpha, table) = (b.parameter("alpha").expect("one"), b.parameter("table").expect("one"));
        let windows = b.input("windows").expect("windows");
        let turned = op(b, "transpose", &[table], &[int("dim0", 0), int("dim1", 1)]);
        let cut = [int("dim", 1), int("start", 1), int("end", -1), int("step", 2)];
        let mut outputs = vec![named(b, "slice", &[image], &cut)];
        outputs.push(named(b, "cat", &[image, image], &[]));
        outputs.push(named(b, "cat", &[image], &[int("dim", 2)]));
        outputs.push(named(b, "cat", &[windows, windows], &[int("dim", 0)]));
        outputs.push(named(b, "reshape", &[image], &[ints("shape", &[-1, 24, 6])]));
        outputs.push(named(b, "reshape", &[image], &[ints("shape", &[9, -1, 4, 4])]));
        outputs.push(named(b, "reshape", &[windows], &[ints("shape", &[-1])]));
        outputs.push(named(b, "transpose", &[image], &[int("dim0", 1), int("dim1", 3)]));
        outputs.push(named(b, "matmul", &[table, turned], &[]));
        outputs.push(named(b, "matmul", &[image, image], &[]));
        outputs.push(named(b, "zeros_like", &[windows], &[]));
        outputs.push(named(b, "zeros", &[], &[ints("shape", &[-1, 2])]));
        outputs.push(named(b, "zeros", &[], &[ints("shape", &[])]));
        outputs.push(named(b, "constant", &[], &[float("value", -1.5), ints("shape", &[3, -2])]));
        // Two options weighted by a softmax over the architecture parameters of one edge.
        let row = op(b, "slice", &[alpha], &[int("dim", 0), int("start", 1)]);
        let shares = op(b, "softmax", &[row], &[]);
        let mut terms = vec![];
        for (i, kind) in ["relu", "tanh"].into_iter().enumerate() {
            let at = i as i64;
            let share = op(b, "slice", &[shares], &[int("dim", 1), int("start", at), int("end", at + 1)]);
            let share = op(b, "reshape", &[share], &[ints("shape", &[])]);
            let option = op(b, kind, &[image], &[]);
            terms.push(op(b, "mul", &[share, option], &[]));
        }
        outputs.push(("logits".into(), op(b, "add", &terms, &[])));
        outputs
    })
}

pub(crate) fn layers() -> Made {
    let declared = [
        ("conv", &[6, 2, 3, 2][..], Role::Weight),
        ("conv.bias", &[6], Role::Bias),
        ("wide", &[8, 12, 3, 3], Role::Weight),
        ("linear", &[5, 8], Role::Weight),
        ("linear.bias", &[5], Role::Bias),
        ("norm", &[4], Role::Norm),
        ("mean", &[4], Role::Buffer),
        ("var", &[4], Role::Buffer),
        ("tokens", &[9, 8], Role::Norm),
    ];
    graph(&declared, &[("image", &[-1, 4, 9, 8])], |b| {
        let x = b.input("image").expect("the image");
        let get = |b: &mut Builder<'_>, name: &str| b.parameter(name).expect("declared");
        let (conv, bias) = (get(b, "conv"), get(b, "conv.bias"));
        let sizes =
            [ints("stride", &[2, 1]), ints("padding", &[3, 0]), ints("dilation", &[1, 3]), int("groups", 2)];
        let mut outputs = vec![named(b, "conv2d", &[x, conv, bias], &sizes)];
        let wide = get(b, "wide");
        let part = op(b, "slice", &[wide], &[int("dim", 0), int("end", 3)]);
        let part = op(b, "slice", &[part], &[int("dim", 1), int("start", 8)]);
        outputs.push(named(b, "conv2d", &[x, part], &[int("padding", 1)]));
        let (weight, bias) = (get(b, "linear"), get(b, "linear.bias"));
        outputs.push(named(b, "linear", &[x, weight, bias], &[]));
        outputs.push(named(b, "linear", &[x, weight], &[]));
        let row = op(b, "slice", &[weight], &[int("dim", 0), int("end", 1)]);
        let vector = op(b, "reshape", &[row], &[ints("shape", &[8])]);
        let rows = op(b, "reshape", &[x], &[ints("shape", &[-1, 8])]);
        outputs.push(named(b, "linear", &[rows, weight], &[]));
        outputs.push(named(b, "linear", &[vector, weight, bias], &[]));
        let (norm, mean, var) = (get(b, "norm"), get(b, "mean"), get(b, "var"));
        let pooled = op(b, "global_avg_pool", &[x], &[]);
        for x in [x, pooled] {
            outputs.push(named(b, "batch_norm", &[x], &[]));
            outputs.push(named(b, "batch_norm", &[x, norm, norm], &[flag("affine", true)]));
            outputs.push(named(b, "batch_norm", &[x, mean, var], &[flag("running", true)]));
            let running = [flag("running", true), text("statistics", "running")];
            outputs.push(named(b, "batch_norm", &[x, mean, var], &running));
            let running = [&running[..], &[flag("affine", true)]].concat();
            outputs.push(named(b, "batch_norm", &[x, norm, norm, mean, var], &running));
        }
        let tokens = get(b, "tokens");
        let shape = [ints("normalized_shape", &[9, 8]), flag("affine", true)];
        outputs.push(named(b, "layer_norm", &[x, tokens, tokens], &shape));
        outputs
    })
}

/// Names that meet each other and words of the languages; outputs that are inputs, parameters, one value twice.
fn names() -> Made {
    let declared = [
        ("a.b", &[2][..], Role::Weight),
        ("a_b", &[2], Role::Weight),
        ("training", &[2], Role::Bias),
        ("größe \"1\\", &[2], Role::Buffer),
        ("relu_0", &[2], Role::Weight),
        ("constant", &[2], Role::Weight),
    ];
    graph(&declared, &[("v0", &[-1, 2]), ("lambda", &[2]), ("unused", &[-1])], |b| {
        let (x, y) = (b.input("v0").expect("one"), b.input("lambda").expect("one"));
        let all: Vec<_> = declared.iter().map(|(name, ..)| b.parameter(name).expect("declared")).collect();
        let rest = op(b, "relu", &[x], &[]);
        let six = op(b, "relu6", &[rest], &[]);
        let sum = op(b, "add", &[&[x, y, rest, six], &all[..]].concat(), &[]);
        let outputs =
            [("a.b.sum", sum), ("twice", sum), ("\"q\\", all[0]), ("in", x), ("relu6_0.Clip", rest)];
        outputs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    })
}

/// The batch size is a share of an input's size.
fn windows() -> Made {
    graph(&[], &[("position", &[4][..]), ("windows", &[6, -4])], |b| {
        let x = b.input("windows").expect("windows");
        let few = op(b, "zeros", &[], &[ints("shape", &[6, -2])]);
        let joined = op(b, "cat", &[x, few], &[]);
        vec![named(b, "zeros", &[], &[ints("shape", &[-1, 2])]), ("logits".into(), joined)]
    })
}

fn no_inputs() -> Made {
    graph(&[("alpha", &[2], Role::Architecture)], &[], |b| {
        let alpha = b.parameter("alpha").expect("declared");
        let one = op(b, "constant", &[], &[float("value", 1.0), ints("shape", &[-1, 2])]);
        vec![("logits".into(), op(b, "add", &[alpha, one], &[]))]
    })
}

/// Operators of libtorch by name: `x` clamped, twice.
pub(crate) fn aten() -> Made {
    graph(&[], &[("image", &[-1, 2])], |b| {
        let x = b.input("image").expect("the image");
        let limits = [float("min", -0.25), float("max", 0.5), ints("output_shape", &[-1, 2])];
        let x = op(b, "aten::clamp", &[x], &limits);
        let shape = [int("dim", 0), ints("output_shape", &[2, -1, 2])];
        vec![("logits".into(), op(b, "aten::stack", &[x, x], &shape))]
    })
}
