//! TorchScript files: libtorch alone computes from them what the executor computes, in float64.

use nshot_graph::{Graph, Parameters, Role};
use nshot_torch::{Pass, Tensor, write_script};

use crate::joined::branches;
use crate::networks::{Size, parameters, subnet};
use crate::support::{TRAINING, assert_close, numbers, run, store};

const EVALUATION: Pass = Pass { training: false, ..TRAINING };

fn compare(graph: &Graph, parameters: &Parameters, x: &Tensor) {
    let store = store(parameters);
    for (index, spec) in store.specs().iter().enumerate() {
        if spec.role == Role::Buffer {
            // Variances are not negative.
            let _guard = tch::no_grad_guard();
            let _changed = store.get(index).unwrap().detach().abs_();
        }
    }
    let script = nshot_export::torch_script(graph).unwrap();
    let attributes: Vec<_> = script
        .attributes
        .iter()
        .map(|attribute| {
            let tensor = store.get(attribute.parameter).unwrap();
            (attribute.identifier.as_str(), tensor, attribute.buffer)
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subnet.pt");
    write_script(&file, &script.source, &attributes).unwrap();

    let module = tch::CModule::load(&file).unwrap();
    let found = module.forward_ts(&[x]).unwrap();
    let expected = run(graph, &store, x, EVALUATION);
    assert_close(&found, &expected, 1e-12 * expected.abs().max().double_value(&[]).max(1.0));
}

#[test]
fn cells_of_every_operation() {
    let size = Size { channels: 4, cells: 1 };
    let parameters = parameters(size);
    for cell in [[3, 1, 2, 4, 0, 3], [0, 3, 3, 1, 2, 0], [2, 4, 3, 3, 1, 1]] {
        compare(&subnet(&parameters, size, &cell, 12), &parameters, &numbers(&[3, 3, 12, 12]));
    }
}

#[test]
fn statistics_of_the_batch_and_running_ones() {
    for running in [false, true] {
        let (parameters, graph) = branches(running);
        compare(&graph, &parameters, &numbers(&[2, 3, 7, 9]));
    }
}
