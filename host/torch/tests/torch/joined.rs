//! Joined work and passes of the shim's own against libtorch's operations one by one, in float64.

use nshot_graph::{Builder, Graph, Mode, Parameters, Program, Role, Value, ValueId, Work};
use nshot_torch::{Gradients, ParameterStore, Pass, Tensor, record};
use tch::Kind;

use crate::networks::{Size, parameters, subnet};
use crate::support::{TRAINING, assert_close, graph, numbers, op, program, specs, store, unjoined};

/// Outputs, gradients of all parameters, and buffers after a step.
fn step(graph: &Graph, program: &Program, parameters: &Parameters, x: &Tensor) -> Vec<Tensor> {
    step_in(graph, program, &store(parameters), x, TRAINING)
}

pub(crate) fn step_in(
    graph: &Graph,
    program: &Program,
    store: &ParameterStore,
    x: &Tensor,
    pass: Pass,
) -> Vec<Tensor> {
    let run = record(graph, program, store, &[("image", x)], pass).unwrap();
    let y = run.outputs()[0].1.shallow_clone();
    let weights = (numbers(&y.size()) + 0.3) * (y.detach() + 1.0);
    run.backward(&((&y * weights).sum(Kind::Double) + (&y * &y).sum(Kind::Double))).unwrap();
    let all: Vec<usize> = (0..store.len()).collect();
    let gradients = Gradients::collect(store, &all).unwrap();
    let buffers = (0..store.len()).filter_map(|index| store.get(index)).map(Tensor::detach);
    std::iter::once(y.detach()).chain(gradients.tensors().iter().map(Tensor::copy)).chain(buffers).collect()
}

fn compare(graph: &Graph, parameters: &Parameters, x: &Tensor) {
    let plan = graph.plan(Mode::Training);
    let found = step(graph, &program(graph, TRAINING), parameters, x);
    let expected = step(graph, &unjoined(graph, &plan), parameters, x);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let scale = expected.abs().max().double_value(&[]).max(1.0);
        assert_close(found, expected, 1e-10 * scale);
    }
}

#[test]
fn cells_of_every_kind() {
    let size = Size { channels: 5, cells: 2 };
    let parameters = parameters(size);
    let mut state = 7u64;
    for _ in 0..12 {
        let cell: Vec<usize> = (0..6)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as usize % 5
            })
            .collect();
        let graph = subnet(&parameters, size, &cell, 12);
        compare(&graph, &parameters, &numbers(&[3, 3, 12, 12]));
    }
}

fn conv(b: &mut Builder<'_>, x: ValueId, name: &str, stride: i64) -> ValueId {
    let weight = b.parameter(&format!("{name}.weight")).unwrap();
    let bias = b.parameter(&format!("{name}.bias")).unwrap();
    op(b, "conv2d", &[x, weight, bias], &[("stride", Value::Int(stride)), ("padding", Value::Int(1))])
}

/// Three convolutions of one image by a norm each: affine with running statistics, and without.
pub(crate) fn branches(running: bool) -> (Parameters, Graph) {
    let mut list: Vec<(String, Vec<i64>, Role)> = Vec::new();
    for (name, out) in [("a", 4), ("b", 9), ("c", 4)] {
        list.push((format!("{name}.weight"), vec![out, 3, 3, 3], Role::Weight));
        list.push((format!("{name}.bias"), vec![out], Role::Bias));
        for (part, role) in
            [("gamma", Role::Norm), ("beta", Role::Norm), ("mean", Role::Buffer), ("var", Role::Buffer)]
        {
            list.push((format!("{name}.{part}"), vec![out], role));
        }
    }
    let borrowed: Vec<_> =
        list.iter().map(|(name, shape, role)| (name.as_str(), &shape[..], *role)).collect();
    let parameters = specs(&borrowed);
    let graph = graph(&parameters, &[-1, 3, 7, 9], |b, x| {
        let branch = |b: &mut Builder<'_>, name: &str| {
            let y = conv(b, x, name, 2);
            let part = |b: &mut Builder<'_>, part: &str| b.parameter(&format!("{name}.{part}")).unwrap();
            if !running {
                return op(b, "batch_norm", &[y], &[]);
            }
            let inputs = [y, part(b, "gamma"), part(b, "beta"), part(b, "mean"), part(b, "var")];
            let statistics = ("statistics", Value::Text("running".into()));
            let attributes = [("affine", Value::Bool(true)), ("running", Value::Bool(true)), statistics];
            op(b, "batch_norm", &inputs, &attributes)
        };
        let (first, second, third) = (branch(b, "a"), branch(b, "b"), branch(b, "c"));
        let sum = op(b, "add", &[first, third, first], &[]);
        let both = op(b, "relu6", &[sum], &[]);
        let wide = op(b, "relu", &[second], &[]);
        let joined = op(b, "cat", &[both, wide, sum], &[("dim", Value::Int(1))]);
        let pool = [("kernel", Value::Int(3)), ("stride", Value::Int(2)), ("padding", Value::Int(1))];
        let y = op(b, "avg_pool2d", &[joined], &pool);
        let z = op(b, "max_pool2d", &[joined], &pool);
        op(b, "add", &[y, z, y], &[])
    });
    (parameters, graph)
}

#[test]
fn branches_with_and_without_running_statistics() {
    for running in [false, true] {
        let (parameters, graph) = branches(running);
        let joined = program(&graph, TRAINING).instructions.iter().any(
            |instruction| matches!(&instruction.work, Work::Convolution { filters, .. } if filters.len() == 3),
        );
        assert!(joined);
        compare(&graph, &parameters, &numbers(&[2, 3, 7, 9]));
    }
}

#[test]
fn poolings_of_odd_geometry() {
    let parameters = specs(&[("conv.weight", &[3, 3, 3, 3], Role::Weight), ("conv.bias", &[3], Role::Bias)]);
    for (kernel, stride, padding, ceil, include) in [
        (3, 1, 1, false, false),
        (2, 2, 0, true, true),
        (5, 3, 2, true, false),
        (3, 2, 1, true, true),
        (2, 3, 1, false, true),
    ] {
        let graph = graph(&parameters, &[-1, 3, 11, 8], |b, x| {
            let x = conv(b, x, "conv", 1);
            let attributes = [
                ("kernel", Value::Int(kernel)),
                ("stride", Value::Int(stride)),
                ("padding", Value::Int(padding)),
                ("ceil_mode", Value::Bool(ceil)),
                ("count_include_pad", Value::Bool(include)),
            ];
            op(b, "avg_pool2d", &[x], &attributes)
        });
        compare(&graph, &parameters, &numbers(&[2, 3, 11, 8]));
    }
}

#[test]
fn values_that_are_not_numbers_stay_so() {
    let parameters = specs(&[("a.weight", &[4, 3, 3, 3], Role::Weight), ("a.bias", &[4], Role::Bias)]);
    let graph = graph(&parameters, &[-1, 3, 5, 5], |b, x| {
        let y = conv(b, x, "a", 1);
        let y = op(b, "batch_norm", &[y], &[]);
        op(b, "relu6", &[y], &[])
    });
    let store = store(&parameters);
    let program = program(&graph, TRAINING);
    // The square of the last is beyond all numbers.
    for factor in [f64::NAN, f64::INFINITY, 1e200] {
        let x = numbers(&[2, 3, 5, 5]) * factor;
        let run = record(&graph, &program, &store, &[("image", &x)], TRAINING).unwrap();
        assert!(run.outputs()[0].1.isnan().all().int64_value(&[]) == 1, "{factor}");
    }
}

#[test]
fn inverted_bottlenecks_of_odd_geometry() {
    for (kernel, stride, dilation, channels, bias) in [
        (3, 1, 1, 5, false),
        (5, 2, 1, 8, true),
        (7, 1, 1, 11, false),
        (3, 2, 2, 4, true),
        (9, 3, 1, 4, false),
    ] {
        let parameters = specs(&[
            ("expand.weight", &[channels, 3, 1, 1], Role::Weight),
            ("depthwise.weight", &[channels, 1, kernel, kernel], Role::Weight),
            ("depthwise.bias", &[channels], Role::Bias),
            ("project.weight", &[3, channels, 1, 1], Role::Weight),
        ]);
        let graph = graph(&parameters, &[-1, 3, 13, 10], |b, x| {
            let parameter = |b: &mut Builder<'_>, name: &str| b.parameter(name).unwrap();
            let weight = parameter(b, "expand.weight");
            let y = op(b, "conv2d", &[x, weight], &[]);
            let y = op(b, "batch_norm", &[y], &[]);
            let y = op(b, "relu6", &[y], &[]);
            let mut inputs = vec![y, parameter(b, "depthwise.weight")];
            if bias {
                inputs.push(parameter(b, "depthwise.bias"));
            }
            let int = Value::Int;
            let attributes = [
                ("stride", int(stride)),
                ("padding", int(kernel / 2)),
                ("dilation", int(dilation)),
                ("groups", int(channels)),
            ];
            let y = op(b, "conv2d", &inputs, &attributes);
            // Without a norm the bias counts.
            let y = if bias { y } else { op(b, "batch_norm", &[y], &[]) };
            let y = op(b, "relu6", &[y], &[]);
            let weight = parameter(b, "project.weight");
            let y = op(b, "conv2d", &[y, weight], &[]);
            op(b, "batch_norm", &[y], &[])
        });
        compare(&graph, &parameters, &numbers(&[3, 3, 13, 10]));
    }
}

/// Images of this size are written past the caches: a sum of a norm with its input, and that sum rectified.
#[test]
fn images_larger_than_the_caches() {
    let none = specs(&[("unused", &[1], Role::Weight)]);
    for (channels, images) in [(8, [17, 64, 125]), (6, [23, 64, 125])] {
        let graph = graph(&none, &[-1, channels, images[1], images[2]], |b, x| {
            let y = op(b, "batch_norm", &[x], &[]);
            let sum = op(b, "add", &[y, x], &[]);
            let rectified = op(b, "relu", &[sum], &[]);
            op(b, "mul", &[sum, rectified], &[])
        });
        compare(&graph, &none, &numbers(&[images[0], channels, images[1], images[2]]));
    }
}
