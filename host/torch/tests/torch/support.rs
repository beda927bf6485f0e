//! Building small graphs, and comparing numbers.

use nshot_graph::{
    Action, Builder, Graph, Initialisation, Instruction, Mode, ParameterSpec, Parameters, Plan, Program,
    Role, Step, Value, ValueId, Work,
};
use nshot_torch::{Device, ParameterStore, Pass, Precision, Tensor, forward};
use tch::Kind;

pub(crate) const TRAINING: Pass =
    Pass { training: true, seed: 3, step: 5, path: 0, recalibrate: None, recompute: false, autocast: false };

pub(crate) fn specs(list: &[(&str, &[i64], Role)]) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, shape, role) in list {
        let init = Initialisation::Uniform { low: -0.5, high: 0.5 };
        parameters
            .declare(ParameterSpec { name: (*name).to_owned(), shape: shape.to_vec(), role: *role, init })
            .unwrap();
    }
    parameters
}

pub(crate) fn store(parameters: &Parameters) -> ParameterStore {
    let mut store = ParameterStore::new(parameters, Device::Cpu, Precision::Float64).unwrap();
    store.initialise(11).unwrap();
    store
}

/// A builder over the input `image` of this shape, with one output of what `describe` makes.
pub(crate) fn graph(
    parameters: &Parameters,
    image: &[i64],
    describe: impl FnOnce(&mut Builder<'_>, ValueId) -> ValueId,
) -> Graph {
    let inputs = [("image".to_owned(), image.to_vec()), ("progress".to_owned(), vec![])];
    let mut builder = Builder::new(parameters, &inputs).unwrap();
    let x = builder.input("image").unwrap();
    let y = describe(&mut builder, x);
    builder.output("y", y).unwrap();
    builder.finish().unwrap()
}

pub(crate) fn op(
    builder: &mut Builder<'_>,
    name: &str,
    inputs: &[ValueId],
    attributes: &[(&str, Value)],
) -> ValueId {
    let attributes: Vec<_> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    builder.op(name, inputs, &attributes).unwrap().first
}

pub(crate) fn program(graph: &Graph, pass: Pass) -> Program {
    let mode = if pass.training { Mode::Training } else { Mode::Evaluation };
    Program::new(graph, &graph.plan(mode))
}

/// The same work with nothing joined: autograd records each operation alone.
pub(crate) fn unjoined(graph: &Graph, plan: &Plan) -> Program {
    let joined = Program::new(graph, plan);
    let instructions = plan.steps.iter().map(|step| {
        let (value, inputs) = (step.node, step.inputs.clone());
        let zeros = step.action == Action::Zeros;
        let work = if zeros { Work::Zeros(value) } else { Work::Node { value, inputs } };
        Instruction { work, release: vec![] }
    });
    Program { instructions: instructions.collect(), ..joined }
}

pub(crate) fn run(graph: &Graph, store: &ParameterStore, x: &Tensor, pass: Pass) -> Tensor {
    let mut outputs = forward(graph, &program(graph, pass), store, &[("image", x)], pass).unwrap();
    assert_eq!(outputs.len(), 1);
    outputs.remove(0).1
}

/// Every node computed as described, dead or not.
pub(crate) fn full_plan(graph: &Graph) -> Plan {
    let steps = graph.nodes().iter().enumerate().map(|(id, node)| Step {
        node: id as ValueId,
        action: Action::Compute,
        inputs: node.inputs.clone(),
    });
    Plan {
        steps: steps.collect(),
        outputs: graph.outputs().to_vec(),
        alias: (0..graph.nodes().len() as ValueId).collect(),
    }
}

/// Numbers between -1 and 1 without a pattern, the same every time.
pub(crate) fn numbers(shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>();
    let index = Tensor::arange(count, (Kind::Double, tch::Device::Cpu));
    ((index * 12.9898 + 0.37).sin() * 43.7585).sin().reshape(shape)
}

pub(crate) fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let _guard = tch::no_grad_guard();
    if a.numel() == 0 { 0.0 } else { (a - b).abs().max().double_value(&[]) }
}

#[track_caller]
pub(crate) fn assert_close(a: &Tensor, b: &Tensor, tolerance: f64) {
    let difference = largest_difference(a, b);
    assert!(difference <= tolerance, "{difference} > {tolerance}");
}

pub(crate) fn texts(error: &dyn std::fmt::Display, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert!(!text.contains("Exception raised from"), "a stack trace: {text}");
}
