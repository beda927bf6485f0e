//! Calls that no sane plugin makes: each ends in a value or an error.

use nshot_graph::{
    Builder, GraphError, Initialisation, Mode, ParameterSpec, Parameters, Role, Shape, Value, limits,
};

use crate::{
    interpreter::Numbers,
    support::{int, op},
};

const POOL: &[&str] = &["kernel", "kernel", "kernel", "stride", "padding", "ceil_mode"];

/// Operations with attributes that they have.
const OPS: [(&str, &[&str]); 30] = [
    ("conv2d", &["stride", "padding", "dilation", "groups"]),
    ("batch_norm", &["affine", "running", "statistics", "momentum", "eps"]),
    ("relu", &[]),
    ("relu6", &[]),
    ("hardswish", &[]),
    ("sigmoid", &[]),
    ("tanh", &[]),
    ("silu", &[]),
    ("gelu", &["approximate"]),
    ("avg_pool2d", POOL),
    ("max_pool2d", POOL),
    ("global_avg_pool", &[]),
    ("linear", &[]),
    ("add", &[]),
    ("mul", &[]),
    ("cat", &["dim"]),
    ("zeros", &["shape"]),
    ("zeros_like", &[]),
    ("constant", &["value", "shape"]),
    ("slice", &["dim", "dim", "start", "end", "step"]),
    ("reshape", &["shape"]),
    ("transpose", &["dim0", "dim1"]),
    ("matmul", &[]),
    ("softmax", &["dim"]),
    ("layer_norm", &["normalized_shape", "eps", "affine"]),
    ("dropout", &["p"]),
    ("aten::foo.Tensor", &["output_shape", "weights", "params", "macs", "self"]),
    ("aten::", &["output_shape"]),
    ("", &[]),
    ("\u{0}é", &["\n"]),
];

const ODD: [&str; 6] = ["", "\n", "strid", "shape", "kernel", "é"];

const EXTREMES: [i64; 16] = [
    i64::MIN,
    i64::MIN + 1,
    -(1 << 40),
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    7,
    1 << 20,
    1 << 40,
    i64::MAX - 1,
    i64::MAX,
];

fn number(n: &mut Numbers) -> i64 {
    // Mostly small, so that some calls succeed and others build on them.
    if n.below(3) > 0 { n.below(5) as i64 - 1 } else { EXTREMES[n.below(EXTREMES.len())] }
}

fn list(n: &mut Numbers, longest: usize) -> Vec<i64> {
    (0..n.below(longest + 1)).map(|_| number(n)).collect()
}

fn float(n: &mut Numbers) -> f64 {
    let specials = [0.0, -0.0, 0.5, 1e-5, 1e308, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE];
    specials[n.below(specials.len())]
}

fn value(n: &mut Numbers) -> Value {
    match n.below(20) {
        0 => Value::Bool(n.below(2) == 0),
        1 => Value::Float(float(n)),
        2 => Value::Text(["batch", "running", "tanh", "", "\u{7}", "é"][n.below(6)].repeat(1 + n.below(3))),
        3 => Value::Bytes(vec![0; n.below(9)]),
        4 => Value::Floats(vec![float(n); n.below(4)]),
        5 => Value::Texts(vec![String::new(); n.below(4)]),
        6 => Value::Bools(vec![true; n.below(4)]),
        7..=14 => Value::Int(number(n)),
        _ => Value::Ints(list(n, 9)),
    }
}

fn parameters(n: &mut Numbers) -> Parameters {
    let mut parameters = Parameters::new();
    let good: [&[i64]; 8] =
        [&[4, 4, 1, 1], &[4], &[4, 1, 3, 3], &[2, 4], &[4, 4, 3, 3], &[0], &[], &[1 << 20, 1 << 19]];
    for (i, shape) in good.into_iter().enumerate() {
        let spec = ParameterSpec {
            name: format!("p{i}"),
            shape: shape.to_vec(),
            role: Role::Weight,
            init: Initialisation::Ones,
        };
        parameters.declare(spec).unwrap();
    }
    for i in 0..n.below(6) {
        let init = Initialisation::Normal { mean: float(n), std: float(n) };
        let spec =
            ParameterSpec { name: format!("p{}", i + n.below(9)), shape: list(n, 9), role: Role::Norm, init };
        let _ = parameters.declare(spec);
    }
    parameters
}

#[test]
fn random_calls_end_in_a_value_or_an_error() {
    let (mut accepted, mut refused, mut graphs) = (0, 0, 0);
    for seed in 0..3_000 {
        let n = &mut Numbers(seed);
        let parameters = parameters(n);
        let mut inputs: Vec<(String, Shape)> = vec![("image".into(), vec![-1, 4, 4, 4])];
        inputs.push(("rows".into(), vec![-1, 4]));
        if n.below(3) == 0 {
            inputs.push((format!("x{}", n.below(2)), list(n, 9)));
        }
        let Ok(mut b) = Builder::new(&parameters, &inputs) else { continue };
        let mut count = 0;
        for name in ["image", "rows", "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"] {
            count += u32::from(b.input(name).is_ok() || b.parameter(name).is_ok());
        }
        for _ in 0..40 {
            let (name, known) = OPS[n.below(OPS.len())];
            let inputs = if n.below(2) == 0 { 1 } else { n.below(5) };
            let ids: Vec<u32> = (0..inputs)
                .map(|_| if n.below(60) == 0 { n.next() as u32 } else { n.below(count as usize) as u32 })
                .collect();
            let attributes: Vec<_> = (0..n.below(known.len() + 1))
                .map(|i| {
                    let odd = n.below(12) == 0;
                    (if odd { ODD[n.below(ODD.len())] } else { known[i] }.to_owned(), value(n))
                })
                .collect();
            match b.op(name, &ids, &attributes) {
                Ok(values) => {
                    assert_eq!((values.first, values.count), (count, 1));
                    count += 1;
                    accepted += 1;
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 2_000);
                }
            }
            let _ = b.output(&format!("y{}", n.below(4)), n.below(count as usize + 1) as u32);
            let _ = if n.below(2) == 0 { b.push_scope(name) } else { b.pop_scope() };
        }
        let Ok(graph) = b.finish() else { continue };
        graphs += 1;
        graph.cost();
        graph.reached_parameters();
        graph.fingerprint();
        for mode in [Mode::Training, Mode::Evaluation] {
            let plan = graph.plan(mode);
            assert!(plan.outputs.iter().all(|(_, value)| plan.steps.iter().any(|step| step.node == *value)));
        }
    }
    assert!(accepted > 10_000 && refused > 10_000 && graphs > 1_000, "{accepted} {refused} {graphs}");
}

#[test]
fn limits_hold() {
    let parameters = Parameters::new();
    let long = "x".repeat(limits::NAME_CHARS);
    let mut b = Builder::new(&parameters, &[(long.clone(), vec![])]).unwrap();
    let x = b.input(&long).unwrap();
    assert!(matches!(b.push_scope(&long), Err(GraphError::Limit { .. })));
    let text = b.op(&"y".repeat(1 << 20), &[], &[]).unwrap_err().to_string();
    assert!(text.len() < 500, "{text}");
    let many = vec![int("p", 0); 65];
    assert!(matches!(b.op("dropout", &[x], &many), Err(GraphError::Limit { .. })));
    let big =
        [("output_shape".to_owned(), Value::Ints(vec![])), ("a".to_owned(), Value::Bytes(vec![0; 40 << 20]))];
    b.op("aten::f", &[], &big).unwrap();
    assert!(matches!(b.op("aten::f", &[], &big), Err(GraphError::Limit { .. })));
    let wide = vec![x; 3_000_000];
    op(&mut b, "add", &wide, &[]);
    op(&mut b, "add", &wide, &[]);
    assert!(matches!(b.op("add", &wide, &[]), Err(GraphError::Limit { .. })));
    for _ in 4..limits::NODES {
        op(&mut b, "relu", &[x], &[]);
    }
    assert!(matches!(b.op("relu", &[x], &[]), Err(GraphError::Limit { .. })));
}

/// A chain of many nodes, each of which could be followed back to the parameters before it.
#[test]
fn long_chains_stay_cheap() {
    let mut parameters = Parameters::new();
    for i in 0..2_000 {
        let spec = ParameterSpec {
            name: format!("p{i}"),
            shape: vec![8, 8],
            role: Role::Weight,
            init: Initialisation::Ones,
        };
        parameters.declare(spec).unwrap();
    }
    let mut b = Builder::new(&parameters, &[]).unwrap();
    let mut x = b.parameter("p0").unwrap();
    for i in 0..200_000 {
        let y = b.parameter(&format!("p{}", i % 2_000)).unwrap();
        x = op(&mut b, "mul", &[x, y], &[]);
    }
    for _ in 0..200_000 {
        x = op(&mut b, "slice", &[x], &[int("dim", 0)]);
    }
    b.output("x", x).unwrap();
    let graph = b.finish().unwrap();
    assert_eq!(graph.cost().params, 2_000 * 64);
    assert_eq!(graph.plan(Mode::Training).steps.len(), graph.nodes().len());
}
