//! What plans leave out, and that nothing changes by it.

use nshot_graph::{Action, Builder, Graph, Mode, Op, Parameters, Plan, Program, Role, ValueId, Work};

use crate::{
    interpreter::{Numbers, distance, full, planned},
    nas_bench_201::{BENCHMARK, Cell, Size, network},
    support::{flag, float, int, ints, op, spec, text, weights},
};

const SMALL: Size = Size { channels: 2, cells: 1, side: 8, affine: false };

fn convolutions(graph: &Graph, plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(graph.node(step.node).op, Op::Conv2d { .. })).count()
}

/// Convolutions that are left in the cell of [`SMALL`]: those of three cells, less what is there always.
fn left(cell: Cell) -> usize {
    let (_, graph) = network(SMALL, cell);
    let plan = graph.plan(Mode::Training);
    (convolutions(&graph, &plan) - 7) / 3
}

#[test]
fn dead_branches_of_cells_go() {
    // Edges in order 1←0, 2←0, 2←1, 3←0, 3←1, 3←2.
    assert_eq!(left([3, 3, 3, 3, 3, 3]), 6);
    assert_eq!(left([0, 3, 3, 3, 3, 3]), 3, "node 1 is zero: nothing of it arrives");
    assert_eq!(left([3, 3, 3, 3, 0, 0]), 1, "nodes 1 and 2 go nowhere");
    assert_eq!(left([3, 3, 0, 3, 3, 0]), 3, "node 2 goes nowhere");
    assert_eq!(left([0, 0, 3, 1, 3, 3]), 0, "only the skip is left");
    assert_eq!(left([0, 1, 3, 0, 3, 2]), 1);
}

#[test]
fn a_network_of_zeros_is_its_classifier_bias() {
    let (_, graph) = network(BENCHMARK, [0; 6]);
    let plan = graph.plan(Mode::Training);
    let ops: Vec<_> = plan.steps.iter().map(|step| (graph.node(step.node).op.name(), step.action)).collect();
    let made = |name: &str| (name.to_owned(), Action::Compute);
    let zeros = ("global_avg_pool".to_owned(), Action::Zeros);
    assert_eq!(ops, [zeros, made("parameter"), made("parameter"), made("linear")]);
}

#[test]
fn equal_expressions_are_computed_once() {
    let (_, graph) = network(SMALL, [2, 3, 0, 3, 0, 0]);
    let plan = graph.plan(Mode::Training);
    let relus = plan.steps.iter().filter(|step| graph.node(step.node).op == Op::Relu).count();
    // One in each cell, two in each reduction, the last.
    assert_eq!(relus, 3 + 4 + 1);
}

#[test]
fn plans_of_cells_agree_with_full_computation() {
    let mut numbers = Numbers(201);
    for _ in 0..25 {
        let cell: Cell = std::array::from_fn(|_| [0, 0, 1, 2, 3, 4][numbers.below(6)]);
        let (_, graph) = network(SMALL, cell);
        let expected = full(&graph, 2);
        for mode in [Mode::Training, Mode::Evaluation] {
            let difference = distance(&expected, &planned(&graph, &graph.plan(mode), 2));
            assert!(difference < 1e-10, "{cell:?}: {difference}");
        }
    }
}

/// Random graphs with many zeros and constants among their values.
#[test]
fn plans_of_random_graphs_agree_with_full_computation() {
    let mut dropped = 0;
    for seed in 0..400 {
        let graph = random_graph(seed);
        let plan = graph.plan(Mode::Training);
        let (canonical, _) = graph.plan(Mode::Evaluation).canonical(&graph);
        assert!(distance(&full(&graph, 2), &planned(&graph, &canonical, 2)) < 1e-9, "seed {seed}");
        let difference = distance(&full(&graph, 2), &planned(&graph, &plan, 2));
        assert!(difference < 1e-10, "seed {seed}: {difference}");
        let zeros = |step: &&nshot_graph::Step| step.action == Action::Zeros;
        dropped += graph.nodes().len() - plan.steps.len() + plan.steps.iter().filter(zeros).count();
    }
    assert!(dropped > 4_000, "only {dropped} nodes were saved");
}

fn random_graph(seed: u64) -> Graph {
    let shapes: [&[i64]; 7] =
        [&[4, 4, 1, 1], &[4], &[4, 4, 3, 3], &[1, 4, 1, 1], &[4, 1, 3, 3], &[1, 4], &[3, 4]];
    let parameters = weights(&shapes);
    let mut numbers = Numbers(seed);
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 4, 4, 4])]).unwrap();
    let p: Vec<ValueId> = (0..shapes.len()).map(|i| b.parameter(&format!("p{i}")).unwrap()).collect();
    let mut values = vec![b.input("image").unwrap()];
    values.push(op(&mut b, "zeros", &[], &[ints("shape", &[-1, 4, 4, 4])]));
    values.push(op(&mut b, "constant", &[], &[float("value", 0.5), ints("shape", &[-1, 4, 4, 4])]));
    values.push(p[3]);
    let three = [int("kernel", 3), int("stride", 1), int("padding", 1)];
    for _ in 0..24 {
        let x = values[numbers.below(values.len())];
        let y = values[numbers.below(values.len())];
        let image = b.shape(x).unwrap()[0] == -1;
        values.push(match numbers.below(14) {
            0 => op(&mut b, "relu", &[x], &[]),
            1 => op(&mut b, "sigmoid", &[x], &[]),
            2 => op(&mut b, "conv2d", &[x, p[0], p[1]], &[]),
            3 if image => op(&mut b, "conv2d", &[x, p[2], p[1]], &[int("padding", 1)]),
            4 if image => op(&mut b, "conv2d", &[x, p[4]], &[int("padding", 1), int("groups", 4)]),
            5 if image => op(&mut b, "batch_norm", &[x, p[1], p[1]], &[flag("affine", true)]),
            6 if image => op(&mut b, "avg_pool2d", &[x], &three),
            7 if image => op(&mut b, "max_pool2d", &[x], &three),
            8 => op(&mut b, "mul", &[x, y], &[]),
            9 => op(&mut b, "add", &[x, y, values[1]], &[]),
            10 => op(&mut b, "zeros_like", &[x], &[]),
            11 => op(&mut b, "add", &[x, y], &[]),
            12 => op(&mut b, "tanh", &[x], &[]),
            _ if image => op(&mut b, "batch_norm", &[x], &[]),
            _ => op(&mut b, "relu", &[x], &[]),
        });
    }
    let last = *values.last().unwrap();
    b.output("last", last).unwrap();
    b.output("other", values[numbers.below(values.len())]).unwrap();
    if b.shape(last).unwrap()[0] == -1 {
        let pooled = op(&mut b, "global_avg_pool", &[last], &[]);
        let joined = op(&mut b, "cat", &[pooled, pooled], &[]);
        let rows = op(&mut b, "linear", &[pooled, p[6]], &[]);
        let rows = op(&mut b, "batch_norm", &[rows], &[]);
        b.output("joined", joined).unwrap();
        b.output("rows", rows).unwrap();
    }
    b.finish().unwrap()
}

#[test]
fn sums_keep_their_shape() {
    let parameters = Parameters::new();
    let mut b = Builder::new(&parameters, &[("x".into(), vec![1, 4, 1, 1])]).unwrap();
    let x = b.input("x").unwrap();
    let wide = op(&mut b, "zeros", &[], &[ints("shape", &[-1, 4, 2, 2])]);
    let small = op(&mut b, "zeros", &[], &[ints("shape", &[4, 1, 1])]);
    let widened = op(&mut b, "add", &[x, wide], &[]);
    let same = op(&mut b, "add", &[small, x], &[]);
    b.output("widened", widened).unwrap();
    b.output("same", same).unwrap();
    b.output("zero", wide).unwrap();
    let graph = b.finish().unwrap();
    let plan = graph.plan(Mode::Evaluation);
    assert_eq!(plan.outputs, [("widened".into(), widened), ("same".into(), x), ("zero".into(), wide)]);
    assert_eq!(plan.steps.last().unwrap().inputs, [x, wide]);
    assert!(distance(&full(&graph, 3), &planned(&graph, &plan, 3)) == 0.0);
}

/// Running statistics change in training also on a branch that goes nowhere, as when all is computed.
#[test]
fn training_updates_buffers_of_dead_branches() {
    let (_, graph) = network(Size { affine: true, ..SMALL }, [0, 0, 3, 1, 3, 0]);
    let norms = |mode| {
        let plan = graph.plan(mode);
        plan.steps.iter().filter(|s| matches!(graph.node(s.node).op, Op::BatchNorm { .. })).count()
    };
    let always = 6;
    assert_eq!(norms(Mode::Training), always + 6);
    // Of a zero the buffers make a constant: the branch that arrives stays, the other one goes.
    assert_eq!(norms(Mode::Evaluation), always + 3);
    let mut parameters = weights(&[&[4]]);
    for name in ["mean", "var"] {
        parameters.declare(spec(name, &[4], Role::Buffer)).unwrap();
    }
    let mut b = Builder::new(&parameters, &[("x".into(), vec![-1, 4, 2, 2])]).unwrap();
    let x = b.input("x").unwrap();
    let [mean, var, weight] = ["mean", "var", "p0"].map(|name| b.parameter(name).unwrap());
    let attributes = [flag("running", true), text("statistics", "running")];
    let refused = b.op("batch_norm", &[x, mean, weight], &attributes).unwrap_err().to_string();
    assert_eq!(
        refused,
        "node `batch_norm_0`: var is the parameter `p0` of the role `weight`, expected `buffer`"
    );
    let norms = [(); 2].map(|()| op(&mut b, "batch_norm", &[x, mean, var], &attributes));
    b.output("x", x).unwrap();
    let graph = b.finish().unwrap();
    let plan = graph.plan(Mode::Training);
    assert_eq!(plan.steps.iter().filter(|step| norms.contains(&step.node)).count(), 2, "each update counts");
    let program = Program::new(&graph, &plan);
    let updates: Vec<_> =
        program.instructions.iter().filter(|i| matches!(i.work, Work::Sum { .. })).collect();
    // Nothing needs their values: they have none, and the last one lets the buffers go.
    assert_eq!(updates.len(), 2);
    assert!(updates.iter().all(|update| update.work.values().is_empty()));
    assert_eq!((&updates[0].release[..], &updates[1].release[..]), (&[][..], &[mean, var][..]));
}

#[test]
fn fingerprints_tell_structures_apart() {
    let (_, a) = network(SMALL, [0, 1, 2, 3, 4, 0]);
    let (_, b) = network(SMALL, [0, 1, 2, 3, 4, 0]);
    let (_, c) = network(SMALL, [0, 1, 2, 3, 4, 1]);
    assert_eq!(a.fingerprint(), b.fingerprint());
    assert_ne!(a.fingerprint(), c.fingerprint());
    let with = |value: f64, scope: Option<&str>, output: &str| {
        let parameters = Parameters::new();
        let mut b = Builder::new(&parameters, &[]).unwrap();
        if let Some(scope) = scope {
            b.push_scope(scope).unwrap();
        }
        let x = op(&mut b, "constant", &[], &[float("value", value)]);
        b.output(output, x).unwrap();
        b.finish().unwrap().fingerprint()
    };
    assert_eq!(with(1.0, None, "y"), with(1.0, Some("scope"), "y"));
    assert_ne!(with(1.0, None, "y"), with(1.0 + f64::EPSILON, None, "y"));
    assert_ne!(with(1.0, None, "y"), with(1.0, None, "z"));
}

#[test]
fn canonical_plans_agree_with_full_computation() {
    let mut numbers = Numbers(33);
    for _ in 0..25 {
        let cell: Cell = std::array::from_fn(|_| [0, 1, 1, 2, 3, 4][numbers.below(6)]);
        let (_, graph) = network(SMALL, cell);
        let (plan, _) = graph.plan(Mode::Evaluation).canonical(&graph);
        let found = planned(&graph, &plan, 2);
        assert!(distance(&found, &full(&graph, 2)) < 1e-9, "{cell:?}");
    }
}

#[test]
fn cells_that_are_the_same_network_have_one_key() {
    let keys: std::collections::HashSet<_> = (0..15_625u32)
        .map(|index| {
            let cell: Cell = std::array::from_fn(|place| index as usize / 5usize.pow(place as u32) % 5);
            let (_, graph) = network(SMALL, cell);
            graph.plan(Mode::Evaluation).canonical(&graph).1
        })
        .collect();
    assert_eq!(keys.len(), 7_810);
}

#[test]
fn segments_begin_with_parameters_and_hold_less() {
    let size = Size { channels: 2, cells: 3, side: 8, affine: false };
    let (_, graph) = network(size, [3, 2, 3, 4, 1, 3]);
    let program = Program::new(&graph, &graph.plan(Mode::Training));
    let segments = program.segments(&graph);
    assert!(segments.len() >= 4 && segments[0] == 0 && segments.is_sorted_by(|a, b| a < b), "{segments:?}");
    let fetched = |value: &ValueId| matches!(graph.node(*value).op, Op::Input { .. } | Op::Parameter { .. });
    let (first, rest) = program.instructions.split_at(segments[1]);
    assert!(first.iter().all(|instruction| instruction.work.values().iter().all(fetched)));
    assert!(!rest.iter().any(|instruction| instruction.work.values().iter().any(fetched)));
    let numbers = |from: usize, to: usize| -> i64 {
        let made = program.instructions[from..to].iter().flat_map(|instruction| instruction.work.values());
        made.filter(|value| !fetched(value))
            .map(|id| graph.node(id).shape.iter().product::<i64>().abs())
            .sum()
    };
    let end = program.instructions.len();
    let ends = segments.iter().skip(1).copied().chain([end]);
    let greatest = segments.iter().zip(ends).map(|(&from, to)| numbers(from, to)).max().unwrap();
    assert!(2 * greatest < numbers(0, end), "{greatest} of {}", numbers(0, end));
}
