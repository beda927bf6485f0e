//! Passes that take less: activations computed again, convolutions and linear layers in bfloat16.

use nshot_graph::{Graph, Parameters, Role, Value};
use nshot_torch::{Device, ParameterStore, Pass, Precision, Tensor, record};
use tch::Kind;

use crate::joined::{branches, step_in};
use crate::networks::{Size, parameters, subnet};
use crate::support::{TRAINING, graph, largest_difference, numbers, op, program, specs, store};

const RECOMPUTE: Pass = Pass { recompute: true, ..TRAINING };
const AUTOCAST: Pass = Pass { autocast: true, ..TRAINING };

/// Outputs, gradients and buffers are the same to the bit.
fn compare(graph: &Graph, parameters: &Parameters, x: &Tensor, segments: usize) {
    let program = program(graph, TRAINING);
    assert!(program.segments(graph).len() >= segments, "{:?}", program.segments(graph));
    let kept = step_in(graph, &program, &store(parameters), x, TRAINING);
    let again = step_in(graph, &program, &store(parameters), x, RECOMPUTE);
    assert_eq!(kept.len(), again.len());
    for (kept, again) in kept.iter().zip(&again) {
        assert!(kept.equal(again), "{}", largest_difference(kept, again));
    }
}

#[test]
fn computing_again_changes_no_bit() {
    let size = Size { channels: 8, cells: 3 };
    let parameters = parameters(size);
    for cell in [[3, 2, 3, 4, 1, 3], [0, 3, 2, 1, 3, 4], [1, 1, 1, 1, 1, 1]] {
        compare(&subnet(&parameters, size, &cell, 16), &parameters, &numbers(&[3, 3, 16, 16]), 4);
    }
}

#[test]
fn running_statistics_move_once() {
    let (parameters, graph) = branches(true);
    compare(&graph, &parameters, &numbers(&[2, 3, 7, 9]), 3);
}

#[test]
fn dropout_drops_the_same_again() {
    let parameters = specs(&[("a", &[4, 3, 3, 3], Role::Weight), ("b", &[4, 4, 3, 3], Role::Weight)]);
    let graph = graph(&parameters, &[-1, 3, 9, 9], |b, x| {
        let mut x = x;
        for name in ["a", "b", "b", "b", "b"] {
            let weight = b.parameter(name).unwrap();
            x = op(b, "conv2d", &[x, weight], &[("padding", Value::Int(1))]);
            x = op(b, "dropout", &[x], &[("p", Value::Float(0.5))]);
        }
        x
    });
    compare(&graph, &parameters, &numbers(&[2, 3, 9, 9]), 3);
}

/// A convolution and a linear layer, with biases.
fn layers() -> (Parameters, Graph) {
    let parameters = specs(&[
        ("conv.weight", &[16, 3, 3, 3], Role::Weight),
        ("conv.bias", &[16], Role::Bias),
        ("linear.weight", &[5, 16], Role::Weight),
        ("linear.bias", &[5], Role::Bias),
    ]);
    let graph = graph(&parameters, &[-1, 3, 8, 8], |b, x| {
        let weight = b.parameter("conv.weight").unwrap();
        let bias = b.parameter("conv.bias").unwrap();
        let x = op(b, "conv2d", &[x, weight, bias], &[("padding", Value::Int(1))]);
        let x = op(b, "global_avg_pool", &[x], &[]);
        let inputs = [x, b.parameter("linear.weight").unwrap(), b.parameter("linear.bias").unwrap()];
        op(b, "linear", &inputs, &[])
    });
    (parameters, graph)
}

#[test]
fn autocast_rounds_what_layers_take_and_make() {
    let (parameters, graph) = layers();
    let mut store = ParameterStore::new(&parameters, Device::Cpu, Precision::Float32).unwrap();
    store.initialise(11).unwrap();
    let x = numbers(&[4, 3, 8, 8]).to_kind(Kind::Float);
    let own = |name: &str| {
        let index = parameters.index(name).unwrap();
        store.get(index).unwrap().detach().copy().set_requires_grad(true)
    };
    let names = ["conv.weight", "conv.bias", "linear.weight", "linear.bias"];
    let leaves = names.map(own);
    let narrow = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
    let y = narrow(&x).conv2d(&narrow(&leaves[0]), Some(narrow(&leaves[1])), 1, 1, 1, 1).to_kind(Kind::Float);
    let pooled = y.mean_dim(&[2i64, 3][..], false, None::<Kind>);
    let expected = narrow(&pooled).linear(&narrow(&leaves[2]), Some(narrow(&leaves[3]))).to_kind(Kind::Float);
    expected.sum(Kind::Float).backward();

    let program = program(&graph, AUTOCAST);
    let run = record(&graph, &program, &store, &[("image", &x)], AUTOCAST).unwrap();
    let found = run.outputs()[0].1.shallow_clone();
    assert!(found.equal(&expected), "{}", largest_difference(&found, &expected));
    assert_eq!(found.kind(), Kind::Float);
    run.backward(&found.sum(Kind::Float)).unwrap();
    for (name, leaf) in names.iter().zip(&leaves) {
        let gradient = store.get(parameters.index(name).unwrap()).unwrap().grad();
        assert_eq!(gradient.kind(), Kind::Float);
        assert!(gradient.equal(&leaf.grad()), "{name}: {}", largest_difference(&gradient, &leaf.grad()));
    }
}

#[test]
fn autocast_is_near_float32_and_not_the_same() {
    let size = Size { channels: 8, cells: 1 };
    let parameters = parameters(size);
    let graph = subnet(&parameters, size, &[3, 2, 3, 4, 1, 3], 8);
    let x = numbers(&[8, 3, 8, 8]).to_kind(Kind::Float);
    let outputs = [TRAINING, AUTOCAST, Pass { recompute: true, ..AUTOCAST }].map(|pass| {
        let mut store = ParameterStore::new(&parameters, Device::Cpu, Precision::Float32).unwrap();
        store.initialise(3).unwrap();
        step_in(&graph, &program(&graph, pass), &store, &x, pass).remove(0)
    });
    let scale = outputs[0].abs().max().double_value(&[]);
    let difference = largest_difference(&outputs[0], &outputs[1]);
    assert!(difference > 1e-6 * scale && difference < 0.2 * scale, "{difference} of {scale}");
    assert!(outputs[1].equal(&outputs[2]));
}
