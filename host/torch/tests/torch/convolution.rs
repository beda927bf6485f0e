//! Convolutions of 3x3, which the shim does by Winograd's algorithm, against libtorch's own and its autograd.

use nshot_graph::{Role, Value};
use nshot_torch::{Device, Gradients, ParameterStore, Precision, Tensor, record};
use tch::Kind;

use crate::support::{TRAINING, assert_close, graph, numbers, op, program, specs};

/// Channels of an input, of a first convolution and of a second one, and sizes of the images.
struct Case {
    channels: [i64; 3],
    images: [i64; 3],
}

/// Output and gradients of all parameters, by the executor and by autograd.
fn both(case: &Case, precision: Precision) -> [Vec<Tensor>; 2] {
    let ([inputs, hidden, outputs], [n, height, width]) = (case.channels, case.images);
    let parameters = specs(&[
        ("first", &[hidden, inputs, 3, 3], Role::Weight),
        ("shift", &[hidden], Role::Bias),
        ("second", &[outputs, hidden, 3, 3], Role::Weight),
    ]);
    let network = graph(&parameters, &[-1, inputs, height, width], |b, x| {
        let [first, shift, second] = ["first", "shift", "second"].map(|name| b.parameter(name).unwrap());
        let padding = [("padding", Value::Int(1))];
        let y = op(b, "conv2d", &[x, first, shift], &padding);
        op(b, "conv2d", &[y, second], &padding)
    });
    let mut store = ParameterStore::new(&parameters, Device::Cpu, precision).unwrap();
    store.initialise(11).unwrap();
    let kind = if precision == Precision::Float64 { Kind::Double } else { Kind::Float };
    let x = numbers(&[n, inputs, height, width]).to_kind(kind);

    let program = program(&network, TRAINING);
    let run = record(&network, &program, &store, &[("image", &x)], TRAINING).unwrap();
    let y = run.outputs()[0].1.shallow_clone();
    run.backward(&(&y * &y).mean(kind)).unwrap();
    let gradients = Gradients::collect(&store, &[0, 1, 2]).unwrap();
    let found = std::iter::once(y.detach()).chain(gradients.tensors().iter().map(Tensor::copy)).collect();

    let leaves: Vec<Tensor> =
        (0..3).map(|index| store.get(index).unwrap().detach().copy().set_requires_grad(true)).collect();
    let y = x.conv2d(&leaves[0], Some(&leaves[1]), [1, 1], [1, 1], [1, 1], 1);
    let y = y.conv2d(&leaves[2], None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1);
    (&y * &y).mean(kind).backward();
    [found, std::iter::once(y.detach()).chain(leaves.iter().map(Tensor::grad)).collect()]
}

fn compare(case: &Case, precision: Precision, tolerance: f64) {
    let [found, expected] = both(case, precision);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let scale = expected.abs().max().double_value(&[]);
        assert_close(&found.to_kind(Kind::Double), &expected.to_kind(Kind::Double), tolerance * scale);
    }
}

#[test]
fn images_of_all_sizes_and_channels() {
    let channels = [[16, 16, 16], [8, 24, 16], [32, 48, 8], [3, 16, 5], [64, 64, 64], [264, 8, 16]];
    let images = [[1, 1, 1], [2, 2, 2], [3, 7, 9], [5, 8, 8], [1, 12, 3], [70, 4, 4]];
    for channels in channels {
        for images in images {
            compare(&Case { channels, images }, Precision::Float64, 1e-12);
            compare(&Case { channels, images }, Precision::Float32, 2e-5);
        }
    }
}

#[test]
fn large_batches_on_all_threads() {
    let case = Case { channels: [16, 32, 16], images: [64, 16, 16] };
    compare(&case, Precision::Float64, 1e-12);
    compare(&case, Precision::Float32, 5e-5);
}

/// Outputs of this size are written past the caches.
#[test]
fn images_larger_than_the_caches() {
    let case = Case { channels: [16, 16, 16], images: [130, 33, 31] };
    compare(&case, Precision::Float64, 1e-12);
    compare(&case, Precision::Float32, 5e-5);
}
