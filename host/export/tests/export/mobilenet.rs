//! A network of inverted bottlenecks with depthwise convolutions.

use nshot_graph::{Builder, Graph, Parameters, Role, ValueId};

use crate::support::{flag, int, op, spec, text};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Norm {
    Batch,
    Running,
}

/// Input channels, output channels, kernel, expansion, stride.
const BLOCKS: [[i64; 5]; 5] =
    [[8, 8, 3, 1, 1], [8, 12, 5, 3, 2], [12, 12, 7, 6, 1], [12, 20, 3, 6, 2], [20, 20, 5, 3, 1]];

pub(crate) fn network(norm: Norm) -> (Parameters, Graph) {
    let mut layers = vec![("stem".to_owned(), [3, 8, 3, 2, 1])];
    for (i, [inputs, outputs, kernel, expansion, stride]) in BLOCKS.into_iter().enumerate() {
        let middle = inputs * expansion;
        layers.push((format!("layers.{i}.expand"), [inputs, middle, 1, 1, 1]));
        layers.push((format!("layers.{i}.depthwise"), [middle, middle, kernel, stride, middle]));
        layers.push((format!("layers.{i}.project"), [middle, outputs, 1, 1, 1]));
    }
    let mut parameters = Parameters::new();
    let mut declare = |name: String, shape: &[i64], role| {
        parameters.declare(spec(&name, shape, role)).expect("a declaration");
    };
    for (name, [inputs, outputs, kernel, _, groups]) in &layers {
        declare(format!("{name}.weight"), &[*outputs, inputs / groups, *kernel, *kernel], Role::Weight);
        for (part, role) in
            [("weight", Role::Norm), ("bias", Role::Norm), ("mean", Role::Buffer), ("var", Role::Buffer)]
        {
            declare(format!("{name}.norm.{part}"), &[*outputs], role);
        }
    }
    declare("classifier.weight".into(), &[10, 20], Role::Weight);
    declare("classifier.bias".into(), &[10], Role::Bias);
    let graph = describe(&parameters, &layers, norm);
    (parameters, graph)
}

fn describe(parameters: &Parameters, layers: &[(String, [i64; 5])], norm: Norm) -> Graph {
    let mut b = Builder::new(parameters, &[("image".into(), vec![-1, 3, 32, 32])]).expect("inputs");
    let image = b.input("image").expect("the image");
    let layer = |b: &mut Builder<'_>, x: ValueId, i: usize, act: bool| {
        let (name, [_, _, kernel, stride, groups]) = &layers[i];
        let get = |b: &mut Builder<'_>, part: &str| b.parameter(&format!("{name}.{part}")).expect("declared");
        let weight = get(b, "weight");
        let sizes = [int("stride", *stride), int("padding", kernel / 2), int("groups", *groups)];
        let x = op(b, "conv2d", &[x, weight], &sizes);
        let mut inputs = vec![x];
        inputs.extend(["norm.weight", "norm.bias"].map(|part| get(b, part)));
        let mut attributes = vec![flag("affine", true)];
        if norm == Norm::Running {
            inputs.extend(["norm.mean", "norm.var"].map(|part| get(b, part)));
            attributes.extend([flag("running", true), text("statistics", "running")]);
        }
        let x = op(b, "batch_norm", &inputs, &attributes);
        if act { op(b, "relu6", &[x], &[]) } else { x }
    };
    let mut x = layer(&mut b, image, 0, true);
    for (i, [inputs, outputs, _, _, stride]) in BLOCKS.into_iter().enumerate() {
        b.push_scope(&format!("layers.{i}")).expect("a scope");
        let mut y = layer(&mut b, x, 3 * i + 1, true);
        y = layer(&mut b, y, 3 * i + 2, true);
        y = layer(&mut b, y, 3 * i + 3, false);
        x = if inputs == outputs && stride == 1 { op(&mut b, "add", &[x, y], &[]) } else { y };
        b.pop_scope().expect("a scope");
    }
    x = op(&mut b, "global_avg_pool", &[x], &[]);
    let weight = b.parameter("classifier.weight").expect("declared");
    let bias = b.parameter("classifier.bias").expect("declared");
    let logits = op(&mut b, "linear", &[x, weight, bias], &[]);
    b.output("logits", logits).expect("an output");
    b.finish().expect("a graph")
}
