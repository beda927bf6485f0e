//! Each operation of a graph against the direct computation, in float64.

use nshot_graph::{Role, Value};
use nshot_torch::{Pass, Tensor, forward, record};
use tch::Kind;

use crate::support::{
    TRAINING, assert_close, graph, largest_difference, numbers, op, program, run, specs, store, texts,
};

fn ints(list: &[i64]) -> Value {
    Value::Ints(list.to_vec())
}

/// The result of one operation on the image alone.
fn unary(shape: &[i64], name: &str, attributes: &[(&str, Value)]) -> (Tensor, Tensor) {
    let mut image = shape.to_vec();
    image[0] = -1;
    let parameters = specs(&[]);
    let graph = graph(&parameters, &image, |b, x| op(b, name, &[x], attributes));
    let x = numbers(shape) * 4.0;
    let y = run(&graph, &store(&parameters), &x, Pass::evaluation());
    (x, y)
}

#[test]
fn activations() {
    let check = |name: &str, attributes: &[(&str, Value)], expected: &dyn Fn(&Tensor) -> Tensor| {
        let (x, y) = unary(&[2, 3, 4, 5], name, attributes);
        assert_close(&y, &expected(&x), 1e-14);
    };
    check("relu", &[], &Tensor::relu);
    check("relu6", &[], &|x| x.clamp(0.0, 6.0));
    check("hardswish", &[], &|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0);
    check("sigmoid", &[], &|x| ((-x).exp() + 1.0).reciprocal());
    check("tanh", &[], &Tensor::tanh);
    check("silu", &[], &|x| x * ((-x).exp() + 1.0).reciprocal());
    check("gelu", &[], &|x| x * 0.5 * ((x / 2f64.sqrt()).erf() + 1.0));
    let tanh = [("approximate", Value::Text("tanh".into()))];
    check("gelu", &tanh, &|x| {
        x * 0.5
            * (((x + x.pow_tensor_scalar(3) * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt()).tanh() + 1.0)
    });
    check("softmax", &[("dim", Value::Int(1))], &|x| {
        x.exp() / x.exp().sum_dim_intlist(&[1i64][..], true, Kind::Double)
    });
}

#[test]
fn pooling() {
    let (x, y) = unary(
        &[2, 3, 6, 6],
        "avg_pool2d",
        &[
            ("kernel", Value::Int(3)),
            ("stride", Value::Int(1)),
            ("padding", Value::Int(1)),
            ("count_include_pad", Value::Bool(false)),
        ],
    );
    let corner = x.slice(2, 0, 2, 1).slice(3, 0, 2, 1).mean_dim(&[2i64, 3][..], false, Kind::Double);
    assert_close(&y.select(3, 0).select(2, 0), &corner, 1e-14);
    let (x, y) = unary(&[2, 3, 6, 6], "max_pool2d", &[("kernel", Value::Int(2))]);
    assert_close(&y, &x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false), 0.0);
    let (x, y) = unary(&[2, 3, 6, 6], "global_avg_pool", &[]);
    assert_close(&y, &x.mean_dim(&[2i64, 3][..], false, Kind::Double), 1e-15);
}

#[test]
fn shapes_and_sums() {
    let (x, y) = unary(
        &[4, 3, 6, 2],
        "slice",
        &[("dim", Value::Int(2)), ("start", Value::Int(1)), ("end", Value::Int(6)), ("step", Value::Int(2))],
    );
    assert_close(&y, &x.slice(2, 1, 6, 2), 0.0);
    let (x, y) = unary(&[4, 3, 6, 2], "reshape", &[("shape", ints(&[-1, 18, 2]))]);
    assert_close(&y, &x.reshape([4, 18, 2]), 0.0);
    let (x, y) = unary(&[4, 3, 6], "transpose", &[("dim0", Value::Int(1)), ("dim1", Value::Int(2))]);
    assert_close(&y, &x.transpose(1, 2), 0.0);

    let parameters = specs(&[]);
    let graph = graph(&parameters, &[-1, 3, 4, 4], |b, x| {
        let two = op(b, "constant", &[], &[("value", Value::Float(2.0)), ("shape", ints(&[1, 3, 1, 1]))]);
        let relu = op(b, "relu", &[x], &[]);
        let sum = op(b, "add", &[two, x, relu, x], &[]);
        let product = op(b, "mul", &[sum, two], &[]);
        let nothing = op(b, "zeros_like", &[x], &[]);
        op(b, "cat", &[product, nothing], &[("dim", Value::Int(1))])
    });
    let x = numbers(&[2, 3, 4, 4]);
    let y = run(&graph, &store(&parameters), &x, TRAINING);
    let expected = Tensor::cat(&[(x.relu() + &x * 2.0 + 2.0) * 2.0, x.zeros_like()], 1);
    assert_close(&y, &expected, 1e-14);
}

#[test]
fn weighted_operations_and_their_gradients() {
    let parameters = specs(&[
        ("conv", &[4, 2, 3, 3], Role::Weight),
        ("conv_bias", &[4], Role::Bias),
        ("gamma", &[4], Role::Norm),
        ("beta", &[4], Role::Norm),
        ("fc", &[5, 4], Role::Weight),
        ("fc_bias", &[5], Role::Bias),
    ]);
    let graph = graph(&parameters, &[-1, 4, 8, 8], |b, x| {
        let p = |b: &mut nshot_graph::Builder<'_>, name| b.parameter(name).unwrap();
        let (w, bias, gamma, beta) = (p(b, "conv"), p(b, "conv_bias"), p(b, "gamma"), p(b, "beta"));
        let y = op(
            b,
            "conv2d",
            &[x, w, bias],
            &[
                ("stride", Value::Int(2)),
                ("padding", ints(&[1, 2])),
                ("dilation", ints(&[1, 2])),
                ("groups", Value::Int(2)),
            ],
        );
        let y = op(b, "batch_norm", &[y, gamma, beta], &[("affine", Value::Bool(true))]);
        let y = op(b, "relu", &[y], &[]);
        let y = op(b, "global_avg_pool", &[y], &[]);
        let (w, bias) = (p(b, "fc"), p(b, "fc_bias"));
        op(b, "linear", &[y, w, bias], &[])
    });
    let store = store(&parameters);
    let x = numbers(&[3, 4, 8, 8]);
    let program = program(&graph, TRAINING);
    let recorded = record(&graph, &program, &store, &[("image", &x)], TRAINING).unwrap();
    let y = recorded.outputs()[0].1.shallow_clone();
    recorded.backward(&(&y * &y).sum(Kind::Double)).unwrap();

    let leaf = |name: &str| {
        let copy = store.by_name(name).unwrap().detach().contiguous().copy();
        copy.set_requires_grad(true)
    };
    let names = ["conv", "conv_bias", "gamma", "beta", "fc", "fc_bias"];
    let p: Vec<Tensor> = names.iter().map(|name| leaf(name)).collect();
    let h = x.conv2d(&p[0], Some(&p[1]), [2, 2], [1, 2], [1, 2], 2);
    let dims = &[0i64, 2, 3][..];
    let centred = &h - h.mean_dim(dims, true, Kind::Double);
    let variance = (&centred * &centred).mean_dim(dims, true, Kind::Double);
    let normal = centred * (variance + 1e-5).rsqrt();
    let affine = normal * p[2].reshape([1, 4, 1, 1]) + p[3].reshape([1, 4, 1, 1]);
    let expected = affine.relu().mean_dim(&[2i64, 3][..], false, Kind::Double).matmul(&p[4].tr()) + &p[5];
    assert_close(&y, &expected, 1e-12);
    (&expected * &expected).sum(Kind::Double).backward();
    for (name, p) in names.iter().zip(&p).filter(|(name, _)| **name != "conv_bias") {
        assert_close(&store.by_name(name).unwrap().grad(), &p.grad(), 1e-11);
    }
    // The norm takes the bias away, so that nothing of it is computed.
    assert!(!store.by_name("conv_bias").unwrap().grad().defined());
}

#[test]
fn running_statistics_move_in_training_alone() {
    let parameters = specs(&[("mean", &[3], Role::Buffer), ("var", &[3], Role::Buffer)]);
    let graph = graph(&parameters, &[-1, 3, 4, 4], |b, x| {
        let (mean, var) = (b.parameter("mean").unwrap(), b.parameter("var").unwrap());
        op(
            b,
            "batch_norm",
            &[x, mean, var],
            &[
                ("running", Value::Bool(true)),
                ("statistics", Value::Text("running".into())),
                ("momentum", Value::Float(0.25)),
            ],
        )
    });
    let mut store = store(&parameters);
    store.assign(1, &Tensor::from_slice(&[1.0, 2.0, 3.0])).unwrap();
    let mean = store.by_name("mean").unwrap().copy();
    let x = numbers(&[5, 3, 4, 4]);
    let y = run(&graph, &store, &x, Pass::evaluation());
    let shape = [1i64, 3, 1, 1];
    let var = Tensor::from_slice(&[1.0, 2.0, 3.0]);
    assert_close(&y, &((&x - mean.reshape(shape)) * (var.reshape(shape) + 1e-5).rsqrt()), 1e-13);
    assert_close(store.by_name("mean").unwrap(), &mean, 0.0);

    let _ = run(&graph, &store, &x, TRAINING);
    let own = x.mean_dim(&[0i64, 2, 3][..], false, Kind::Double);
    assert_close(store.by_name("mean").unwrap(), &(mean * 0.75 + own * 0.25), 1e-14);
}

#[test]
fn attention_by_windows() {
    let parameters = specs(&[("gamma", &[6], Role::Norm), ("beta", &[6], Role::Norm)]);
    let graph = graph(&parameters, &[-1, 4, 6], |b, x| {
        let (gamma, beta) = (b.parameter("gamma").unwrap(), b.parameter("beta").unwrap());
        let h = op(
            b,
            "layer_norm",
            &[x, gamma, beta],
            &[("normalized_shape", ints(&[6])), ("affine", Value::Bool(true))],
        );
        let h = op(b, "reshape", &[h], &[("shape", ints(&[-2, 2, 6]))]);
        let k = op(b, "transpose", &[h], &[("dim0", Value::Int(1)), ("dim1", Value::Int(2))]);
        let scores = op(b, "matmul", &[h, k], &[]);
        let shares = op(b, "softmax", &[scores], &[]);
        op(b, "matmul", &[shares, h], &[])
    });
    let store = store(&parameters);
    let x = numbers(&[3, 4, 6]);
    let y = run(&graph, &store, &x, Pass::evaluation());
    let h = x.layer_norm([6], store.by_name("gamma"), store.by_name("beta"), 1e-5, false).reshape([6, 2, 6]);
    let expected = h.matmul(&h.transpose(1, 2)).softmax(-1, Kind::Double).matmul(&h);
    assert_close(&y, &expected, 1e-13);
}

#[test]
fn dropout_depends_on_its_key_alone() {
    let parameters = specs(&[]);
    let graph = graph(&parameters, &[-1, 100], |b, x| op(b, "dropout", &[x], &[("p", Value::Float(0.5))]));
    let store = store(&parameters);
    let x = Tensor::ones([20, 100], (Kind::Double, tch::Device::Cpu));
    let y = run(&graph, &store, &x, TRAINING);
    tch::manual_seed(99);
    assert_close(&y, &run(&graph, &store, &x, TRAINING), 0.0);
    let kept = y.mean(Kind::Double).double_value(&[]);
    assert!((kept - 1.0).abs() < 0.1, "{kept}");
    let other = run(&graph, &store, &x, Pass { path: 1, ..TRAINING });
    assert!(largest_difference(&y, &other) > 1.0);
    assert_close(&run(&graph, &store, &x, Pass::evaluation()), &x, 0.0);
}

#[test]
fn operators_of_aten() {
    let rolled = |shape: &[i64]| {
        let parameters = specs(&[]);
        let graph = graph(&parameters, &[-1, 4, 6], |b, x| {
            op(
                b,
                "aten::roll",
                &[x],
                &[("shifts", ints(&[1])), ("dims", ints(&[1])), ("output_shape", ints(shape))],
            )
        });
        let x = numbers(&[3, 4, 6]);
        let plan = program(&graph, Pass::evaluation());
        (forward(&graph, &plan, &store(&parameters), &[("image", &x)], Pass::evaluation()), x)
    };
    let (y, x) = rolled(&[-1, 4, 6]);
    assert_close(&y.unwrap()[0].1, &x.roll([1], [1]), 0.0);
    texts(
        &rolled(&[-1, 6, 4]).0.unwrap_err(),
        &["node `roll", "[3, 4, 6]", "`output_shape` states [3, 6, 4]"],
    );

    let parameters = specs(&[]);
    let graph = graph(&parameters, &[-1, 4], |b, x| {
        op(b, "aten::_native_batch_norm_legit", &[x], &[("output_shape", ints(&[-1, 4]))])
    });
    let plan = program(&graph, Pass::evaluation());
    let x = numbers(&[3, 4]);
    let error =
        forward(&graph, &plan, &store(&parameters), &[("image", &x)], Pass::evaluation()).unwrap_err();
    texts(&error, &["aten::_native_batch_norm_legit", "writes into its arguments"]);
}

#[test]
fn wrong_inputs_are_named() {
    let parameters = specs(&[]);
    let graph = graph(&parameters, &[-1, 3, 4, 4], |b, x| op(b, "relu", &[x], &[]));
    let plan = program(&graph, Pass::evaluation());
    let store = store(&parameters);
    let run =
        |inputs: &[(&str, &Tensor)]| forward(&graph, &plan, &store, inputs, Pass::evaluation()).unwrap_err();
    texts(&run(&[]), &["node `image`", "no tensor was given"]);
    texts(&run(&[("image", &numbers(&[2, 3, 4, 5]))]), &["`image`", "[2, 3, 4, 5]", "[N, 3, 4, 4]"]);
}
