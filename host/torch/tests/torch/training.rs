//! Whole networks: dead branches, losses, clipping, ranking.

use nshot_torch::{
    Device, Gradients, ParameterStore, Pass, Precision, SlotInit, Slots, Tally, Tensor, UpdateTable,
    cross_entropy, distillation, forward, mean_squared_error, read_scalars, record, weighted_sum,
};
use tch::Kind;

use crate::networks::{Size, parameters, subnet};
use crate::support::{TRAINING, assert_close, full_plan, numbers, program, specs, store, texts, unjoined};

const SIZE: Size = Size { channels: 4, cells: 1 };

fn labels(count: i64) -> Tensor {
    Tensor::arange(count, (Kind::Int64, tch::Device::Cpu)).remainder(10)
}

/// Loss and gradients of one architecture, by its plan or with every node computed.
fn gradients(architecture: &[usize], full: bool) -> (f64, Vec<usize>, Vec<Tensor>) {
    let parameters = parameters(SIZE);
    let graph = subnet(&parameters, SIZE, architecture, 8);
    let store = store(&parameters);
    let program = if full { unjoined(&graph, &full_plan(&graph)) } else { program(&graph, TRAINING) };
    let run = record(&graph, &program, &store, &[("image", &numbers(&[6, 3, 8, 8]))], TRAINING).unwrap();
    let loss = cross_entropy(&run.outputs()[0].1, &labels(6), 0.0).unwrap();
    run.backward(&loss).unwrap();
    let found = Gradients::collect(&store, &graph.reached_parameters()).unwrap();
    let copies = found.tensors().iter().map(Tensor::copy).collect();
    (read_scalars(&[loss]).unwrap()[0], found.indices().to_vec(), copies)
}

#[test]
fn leaving_dead_branches_out_changes_nothing() {
    // Dead at the start, dead at the end, all dead, nothing dead.
    for architecture in
        [[0, 3, 2, 1, 3, 4], [3, 2, 3, 4, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 3, 0, 2, 3], [2, 3, 4, 3, 2, 1]]
    {
        let (loss, indices, some) = gradients(&architecture, false);
        let (expected, all_indices, all) = gradients(&architecture, true);
        assert!((loss - expected).abs() < 1e-10, "{architecture:?}: {loss} {expected}");
        assert_eq!(indices, all_indices);
        for (a, b) in some.iter().zip(&all) {
            // Full computation passes constants through a norm without variance, which amplifies rounding.
            assert_close(a, b, 1e-8);
        }
    }
}

#[test]
fn paths_accumulate_and_clearing_takes_all_away() {
    let parameters = parameters(SIZE);
    let store = store(&parameters);
    let x = numbers(&[4, 3, 8, 8]);
    let mut reached = Vec::new();
    for (architecture, factor) in [([3, 1, 1, 1, 1, 1], 1.0), ([2, 1, 1, 1, 1, 1], 0.5)] {
        let graph = subnet(&parameters, SIZE, &architecture, 8);
        let program = program(&graph, TRAINING);
        let run = record(&graph, &program, &store, &[("image", &x)], TRAINING).unwrap();
        let loss = cross_entropy(&run.outputs()[0].1, &labels(4), 0.1).unwrap();
        run.backward(&weighted_sum(&[(loss, factor)]).unwrap()).unwrap();
        reached.extend(graph.reached_parameters());
    }
    let both = Gradients::collect(&store, &reached).unwrap();
    let names: Vec<_> = both.indices().iter().map(|&i| parameters.get(i).unwrap().name.as_str()).collect();
    assert!(names.contains(&"stage0.cell0.edge0.nor_conv_3x3.weight"));
    assert!(names.contains(&"stage0.cell0.edge0.nor_conv_1x1.weight"));
    assert!(!names.contains(&"stage0.cell0.edge1.nor_conv_1x1.weight"));
    assert!(both.tensors().iter().all(|t| t.abs().max().double_value(&[]) < f64::INFINITY));

    store.clear_gradients().unwrap();
    let none = Gradients::collect(&store, &reached).unwrap();
    assert!(read_scalars(&[none.norm().unwrap()]).unwrap()[0].abs() < f64::MIN_POSITIVE);
}

#[test]
fn clipping_is_pytorchs() {
    let parameters = specs(&[
        ("a", &[3], nshot_graph::Role::Weight),
        ("b", &[2], nshot_graph::Role::Weight),
        ("c", &[2], nshot_graph::Role::Weight),
    ]);
    let store = store(&parameters);
    let (a, b) = (store.by_name("a").unwrap(), store.by_name("b").unwrap());
    let loss = (a * Tensor::from_slice(&[3.0, 0.0, 4.0])).sum(Kind::Double)
        + (b * Tensor::from_slice(&[12.0, 0.0])).sum(Kind::Double);
    loss.backward();
    let mut gradients = Gradients::collect(&store, &[1, 0, 2]).unwrap();
    let parts = [gradients.norm_of(&[0]).unwrap(), gradients.clip(20.0).unwrap()];
    assert_eq!(read_scalars(&parts).unwrap(), [5.0, 13.0]);
    assert_eq!(gradients.tensors()[0].double_value(&[2]).to_bits(), 4f64.to_bits());
    let _ = gradients.clip(1.0).unwrap();
    let expected = 4.0 * (1.0 / (13.0 + 1e-6));
    assert!((gradients.tensors()[0].double_value(&[2]) - expected).abs() < 1e-15);
    texts(&gradients.clip(0.0).unwrap_err(), &["clipping norm is 0"]);
}

#[test]
fn losses_have_known_values() {
    let logits = numbers(&[5, 10]) * 3.0;
    let logits = logits.set_requires_grad(true);
    let log = logits.log_softmax(-1, Kind::Double);
    let picked = -log.gather(1, &labels(5).reshape([5, 1]), false).mean(Kind::Double);
    let smooth = -log.mean(Kind::Double);
    let loss = cross_entropy(&logits, &labels(5), 0.2).unwrap();
    assert_close(&loss, &(picked * 0.8 + smooth * 0.2), 1e-13);

    let teacher = numbers(&[5, 10]).flip([0]).set_requires_grad(true);
    let loss = distillation(&logits, &teacher, 2.0).unwrap();
    let p = (&teacher / 2.0).softmax(-1, Kind::Double);
    let q = (&logits / 2.0).softmax(-1, Kind::Double);
    assert_close(&loss, &((&p * (&p / q).log()).sum(Kind::Double) * 4.0 / 5.0), 1e-13);
    loss.backward();
    assert!(logits.grad().defined() && !teacher.grad().defined());
    let squared = mean_squared_error(&logits, &teacher).unwrap();
    assert_close(&squared, &(&logits - &teacher).square().mean(Kind::Double), 1e-14);

    texts(&cross_entropy(&logits, &labels(5), 1.5).unwrap_err(), &["smoothing is 1.5"]);
    texts(&distillation(&logits, &teacher, 0.0).unwrap_err(), &["temperature is 0"]);
    texts(&mean_squared_error(&logits, &labels(5)).unwrap_err(), &["[5, 10] and [5]"]);
    texts(&cross_entropy(&logits, &labels(4), 0.0).unwrap_err(), &["libtorch"]);
}

#[test]
fn a_loss_is_a_scalar_and_may_depend_on_nothing() {
    let parameters = parameters(SIZE);
    let (graph, store) = (subnet(&parameters, SIZE, &[3, 1, 2, 4, 1, 1], 8), store(&parameters));
    let program = program(&graph, TRAINING);
    let run = || record(&graph, &program, &store, &[("image", &numbers(&[4, 3, 8, 8]))], TRAINING).unwrap();
    texts(&run().backward(&labels(4)).unwrap_err(), &["a loss is a scalar", "[4]"]);
    run().backward(&numbers(&[])).unwrap();
}

#[test]
fn a_tally_counts_over_batches() {
    let mut tally = Tally::new(Device::Cpu).unwrap();
    let logits = numbers(&[8, 10]);
    tally.add(&logits.slice(0, 0, 5, 1), &labels(5)).unwrap();
    tally.add(&logits.slice(0, 5, 8, 1), &labels(8).slice(0, 5, 8, 1)).unwrap();
    let score = tally.read().unwrap();
    let expected = logits.argmax(-1, false).eq_tensor(&labels(8)).sum(Kind::Int64).int64_value(&[]);
    assert_eq!((score.correct as i64, score.images), (expected, 8));
    let nll = logits.cross_entropy_loss::<Tensor>(&labels(8), None, tch::Reduction::Sum, -100, 0.0);
    assert!((score.nll - nll.double_value(&[])).abs() < 1e-12);
}

#[test]
fn evaluation_records_no_gradients() {
    let parameters = parameters(SIZE);
    let graph = subnet(&parameters, SIZE, &[3, 1, 2, 4, 1, 1], 8);
    let pass = Pass::evaluation();
    let y = forward(
        &graph,
        &program(&graph, pass),
        &store(&parameters),
        &[("image", &numbers(&[4, 3, 8, 8]))],
        pass,
    );
    assert!(!y.unwrap()[0].1.requires_grad());
}

#[test]
fn a_repeated_run_has_equal_bits() {
    let train = || {
        let parameters = parameters(SIZE);
        let mut store = ParameterStore::new(&parameters, Device::Cpu, Precision::Float32).unwrap();
        store.initialise(1).unwrap();
        let mut slots = Slots::new();
        for architecture in [[3, 1, 2, 4, 3, 1], [2, 3, 0, 3, 1, 4], [3, 3, 3, 3, 3, 3]] {
            let graph = subnet(&parameters, SIZE, &architecture, 16);
            let x = numbers(&[16, 3, 16, 16]);
            store.clear_gradients().unwrap();
            let program = program(&graph, TRAINING);
            let run = record(&graph, &program, &store, &[("image", &x)], TRAINING).unwrap();
            let loss = cross_entropy(&run.outputs()[0].1, &labels(16), 0.0).unwrap();
            run.backward(&loss).unwrap();
            let mut gradients = Gradients::collect(&store, &graph.reached_parameters()).unwrap();
            let _ = gradients.clip(1.0).unwrap();
            let mut table = UpdateTable::new(&store, &gradients, &mut slots, 0).unwrap();
            let momentum = table.slot("momentum", SlotInit::Zeros).unwrap().handle;
            let lists = [table.parameters(), table.gradients(), momentum];
            let attributes = [("lr", 0.1), ("momentum", 0.9)];
            let attributes =
                attributes.map(|(name, value)| (name.to_owned(), nshot_graph::Value::Float(value)));
            table.op("fused_sgd_", &lists, &attributes).unwrap();
        }
        store
    };
    let (first, second) = (train(), train());
    for i in 0..first.len() {
        assert_close(first.get(i).unwrap(), second.get(i).unwrap(), 0.0);
    }
}
