//! What each operation makes of shapes, and what it says to wrong ones.

use nshot_graph::{Builder, GraphError, Initialisation, Op, Parameters, Role, Value, resolve};

use crate::support::{flag, float, int, ints, op, refusal, shape_of, spec, text, weights};

const IMAGE: &[i64] = &[-1, 16, 8, 8];

fn check(name: &str, inputs: &[&[i64]], attributes: &[(String, Value)], expected: &[i64]) {
    assert_eq!(shape_of(name, inputs, attributes).unwrap(), expected, "{name}");
}

#[test]
fn convolutions() {
    let weight: &[i64] = &[32, 16, 3, 3];
    check("conv2d", &[IMAGE, weight], &[], &[-1, 32, 6, 6]);
    check("conv2d", &[IMAGE, weight, &[32]], &[int("stride", 2), int("padding", 1)], &[-1, 32, 4, 4]);
    check("conv2d", &[IMAGE, weight], &[ints("padding", &[0, 2]), int("dilation", 2)], &[-1, 32, 4, 8]);
    check("conv2d", &[IMAGE, &[16, 1, 5, 5]], &[int("groups", 16), int("padding", 2)], IMAGE);
    check("conv2d", &[&[-4, 16, 7, 9], weight], &[int("stride", 2)], &[-4, 32, 3, 4]);
    assert_eq!(
        refusal("conv2d", &[&[-1, 32, 8, 8], weight], &[]),
        "node `s.conv2d_0`: weight [32, 16, 3, 3] expects 16 input channels, but the input is [N, 32, 8, 8]"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE, &[32, 8, 3, 3]], &[int("groups", 4)]),
        "node `s.conv2d_0`: weight [32, 8, 3, 3] expects 32 input channels in 4 groups, but the input is [N, 16, 8, 8]"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE, weight, &[16]], &[]),
        "node `s.conv2d_0`: bias is [16], expected [32], as the weight is [32, 16, 3, 3]"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE, &[1, 16, 9, 9]], &[]),
        "node `s.conv2d_0`: a window of [9, 9] (dilation [1, 1], padding [0, 0]) does not fit into the input [N, 16, 8, 8]"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE], &[]),
        "node `s.conv2d_0`: takes 2 to 3 inputs (x, weight, bias), found 1"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE, weight], &[int("strid", 2)]),
        "node `s.conv2d_0`: `conv2d` has no attribute `strid` in this host's ABI 1.0; it has `stride`, `padding`, \
         `dilation`, `groups`\n\nhint: did you mean `stride`?"
    );
    assert_eq!(
        refusal("conv2d", &[IMAGE, weight], &[int("stride", 0)]),
        "node `s.conv2d_0`: attribute `stride` is 0, expected one or two ints of at least 1"
    );
    assert_eq!(
        refusal("conv2d", &[&[-1, 16, 8], weight], &[]),
        "node `s.conv2d_0`: the input is [N, 16, 8], expected [N, C, H, W]"
    );
    assert!(
        refusal("conv2d", &[IMAGE, &[3, 8, 1, 1]], &[int("groups", 2)]).contains("2 groups do not divide")
    );
}

#[test]
fn pools() {
    let three = [int("kernel", 3), int("stride", 1), int("padding", 1)];
    for pool in ["avg_pool2d", "max_pool2d"] {
        check(pool, &[IMAGE], &three, IMAGE);
        check(pool, &[IMAGE], &[int("kernel", 2)], &[-1, 16, 4, 4]);
        check(pool, &[IMAGE], &[int("kernel", 3), int("stride", 2)], &[-1, 16, 3, 3]);
        check(
            pool,
            &[IMAGE],
            &[int("kernel", 3), int("stride", 2), flag("ceil_mode", true)],
            &[-1, 16, 4, 4],
        );
        // A window that would start in the right padding is left out, as libtorch leaves it out.
        let ceil = [int("kernel", 2), int("stride", 3), int("padding", 1), flag("ceil_mode", true)];
        check(pool, &[&[1, 1, 5, 5]], &ceil, &[1, 1, 2, 2]);
        assert!(refusal(pool, &[IMAGE], &[int("kernel", 3), int("padding", 2)]).contains("at most half"));
        assert_eq!(
            refusal(pool, &[IMAGE], &[int("kernal", 3)]),
            format!("node `s.{pool}_0`: `{pool}` needs the attribute `kernel`\n\nhint: found `kernal`")
        );
    }
    check("max_pool2d", &[IMAGE], &[int("kernel", 3), int("dilation", 3), int("stride", 1)], &[-1, 16, 2, 2]);
    check("global_avg_pool", &[IMAGE], &[], &[-1, 16]);
}

#[test]
fn norms() {
    let c: &[i64] = &[16];
    check("batch_norm", &[IMAGE], &[], IMAGE);
    check("batch_norm", &[&[-1, 16], c, c], &[flag("affine", true)], &[-1, 16]);
    let running = [flag("running", true), text("statistics", "running")];
    check("batch_norm", &[IMAGE, c, c], &running, IMAGE);
    check("batch_norm", &[IMAGE, c, c, c, c], &[flag("affine", true), flag("running", true)], IMAGE);
    assert_eq!(
        refusal("batch_norm", &[IMAGE], &[flag("affine", true)]),
        "node `s.batch_norm_0`: takes 3 inputs (x, weight, bias, as it is affine), found 1"
    );
    assert_eq!(
        refusal("batch_norm", &[IMAGE, c, &[8]], &running),
        "node `s.batch_norm_0`: var is [8], expected [16], as the input is [N, 16, 8, 8]"
    );
    assert!(
        refusal("batch_norm", &[IMAGE], &[text("statistics", "running")]).contains("need `running = true`")
    );
    assert_eq!(
        refusal("batch_norm", &[IMAGE], &[text("statistics", "all")]),
        "node `s.batch_norm_0`: attribute `statistics` is `all`, expected `batch` or `running`"
    );
    assert!(refusal("batch_norm", &[IMAGE], &[float("eps", 0.0)]).contains("a float above 0"));
    assert!(
        refusal("batch_norm", &[IMAGE], &[float("eps", f64::NAN)])
            .contains("is NaN, expected a finite float")
    );
    let tokens: &[i64] = &[-64, 49, 32];
    check("layer_norm", &[tokens], &[int("normalized_shape", 32)], tokens);
    check(
        "layer_norm",
        &[tokens, &[32], &[32]],
        &[ints("normalized_shape", &[32]), flag("affine", true)],
        tokens,
    );
    assert_eq!(
        refusal("layer_norm", &[tokens], &[int("normalized_shape", 49)]),
        "node `s.layer_norm_0`: normalized_shape is [49], expected the last sizes of the input [64N, 49, 32]"
    );
}

#[test]
fn element_wise() {
    for name in ["relu", "relu6", "hardswish", "sigmoid", "tanh", "silu", "gelu", "zeros_like", "dropout"] {
        check(name, &[IMAGE], &[], IMAGE);
    }
    check("gelu", &[IMAGE], &[text("approximate", "tanh")], IMAGE);
    check("softmax", &[IMAGE], &[int("dim", 1)], IMAGE);
    check("add", &[IMAGE, IMAGE, IMAGE], &[], IMAGE);
    check("add", &[&[1, 16, 1, 1], IMAGE, &[]], &[], IMAGE);
    check("mul", &[IMAGE, &[-1, 16, 1, 1]], &[], IMAGE);
    assert_eq!(
        refusal("add", &[IMAGE, &[-1, 16, 4, 4]], &[]),
        "node `s.add_0`: shapes [N, 16, 8, 8] and [N, 16, 4, 4] do not broadcast"
    );
    assert_eq!(refusal("mul", &[IMAGE], &[]), "node `s.mul_0`: takes 2 inputs (x, y), found 1");
    assert_eq!(refusal("add", &[], &[]), "node `s.add_0`: takes at least 1 inputs, found 0");
    assert_eq!(
        refusal("relu", &[IMAGE], &[int("slope", 1)]),
        "node `s.relu_0`: `relu` has no attribute `slope` in this host's ABI 1.0; it has none"
    );
    assert!(refusal("softmax", &[&[]], &[]).contains("a dimension, but the input has none"));
    assert!(
        refusal("softmax", &[IMAGE], &[int("dim", 4)]).contains("is 4, expected a dimension from -4 to 3")
    );
    assert!(refusal("dropout", &[IMAGE], &[float("p", 1.5)]).contains("a float from 0 to 1"));
}

#[test]
fn matrices() {
    check("linear", &[&[-1, 64], &[10, 64], &[10]], &[], &[-1, 10]);
    check("linear", &[&[-64, 49, 32], &[96, 32]], &[], &[-64, 49, 96]);
    check("matmul", &[&[-64, 3, 49, 32], &[-64, 3, 32, 49]], &[], &[-64, 3, 49, 49]);
    check("matmul", &[&[-1, 3, 49, 32], &[32, 5]], &[], &[-1, 3, 49, 5]);
    assert_eq!(
        refusal("linear", &[&[-1, 32], &[10, 64]], &[]),
        "node `s.linear_0`: weight [10, 64] expects 64 input features, but the input is [N, 32]"
    );
    assert_eq!(
        refusal("matmul", &[&[-1, 3], &[4, 5]], &[]),
        "node `s.matmul_0`: [N, 3] and [4, 5] have no matrix product, expected […, m, k] and […, k, n]"
    );
    assert!(refusal("matmul", &[&[3], &[3]], &[]).contains("no matrix product"));
}

#[test]
fn layouts() {
    check("zeros", &[], &[ints("shape", &[-1, 3])], &[-1, 3]);
    check("constant", &[], &[float("value", 2.0)], &[]);
    check("cat", &[IMAGE, &[-1, 3, 8, 8]], &[], &[-1, 19, 8, 8]);
    check("cat", &[IMAGE, &[-2, 16, 8, 8]], &[int("dim", 0)], &[-3, 16, 8, 8]);
    check(
        "slice",
        &[IMAGE],
        &[int("dim", 1), int("start", 1), int("end", 8), int("step", 3)],
        &[-1, 3, 8, 8],
    );
    check("slice", &[IMAGE], &[int("dim", -1), int("start", -3)], &[-1, 16, 8, 3]);
    check("transpose", &[IMAGE], &[int("dim0", 1), int("dim1", -1)], &[-1, 8, 8, 16]);
    assert_eq!(
        refusal("slice", &[IMAGE], &[int("dim", 0), int("end", 1)]),
        "node `s.slice_0`: dimension 0 of the input [N, 16, 8, 8] grows with the batch and cannot be sliced"
    );
    assert!(
        refusal("slice", &[IMAGE], &[int("dim", 1), int("end", 17)])
            .contains("expected an int from -16 to 16")
    );
    assert!(refusal("slice", &[IMAGE], &[int("dim", 1), int("end", 0)]).contains("from 0 to 0 is empty"));
    assert!(refusal("cat", &[IMAGE, &[2, 16, 8, 8]], &[int("dim", 0)]).contains("cannot be joined"));
    assert!(refusal("cat", &[IMAGE, &[-1, 16, 4, 8]], &[]).contains("along dimension 1"));
}

/// Windows of a Swin transformer and back: sizes that grow with the batch merge and split.
#[test]
fn reshapes_with_an_open_batch() {
    let image: &[i64] = &[-1, 56, 56, 96];
    check("reshape", &[image], &[ints("shape", &[-1, 8, 7, 8, 7, 96])], &[-1, 8, 7, 8, 7, 96]);
    check("reshape", &[&[-1, 8, 8, 7, 7, 96]], &[ints("shape", &[-1, 49, 96])], &[-64, 49, 96]);
    check("reshape", &[&[-1, 8, 8, 7, 7, 96]], &[ints("shape", &[-64, 49, -1])], &[-64, 49, 96]);
    check("reshape", &[&[-64, 49, 96]], &[ints("shape", &[-1, 8, 8, 7, 7, 96])], &[-1, 8, 8, 7, 7, 96]);
    check("reshape", &[image], &[int("shape", -1)], &[-301_056]);
    check("reshape", &[&[4, 6]], &[ints("shape", &[3, -1])], &[3, 8]);
    check("reshape", &[&[]], &[ints("shape", &[1, 1])], &[1, 1]);
    assert_eq!(
        refusal("reshape", &[image], &[ints("shape", &[-1, 50, 96])]),
        "node `s.reshape_0`: the input [N, 56, 56, 96] does not fit the shape [-1, 50, 96]"
    );
    assert!(refusal("reshape", &[image], &[ints("shape", &[-1, -1, 96])]).contains("leaves 2 sizes open"));
    assert!(refusal("reshape", &[image], &[ints("shape", &[56, 56, 96])]).contains("does not fit"));
    assert!(refusal("reshape", &[&[4, 0]], &[ints("shape", &[0, -1])]).contains("does not fit"));
    assert_eq!(resolve(&[-64, 49, 96], 2), Some(vec![128, 49, 96]));
    assert_eq!(resolve(&[i64::MIN], 2), None);
}

#[test]
fn operators_of_libtorch() {
    let shape = ints("output_shape", &[-1, 16]);
    check("aten::amax", &[IMAGE], &[ints("dim", &[2, 3]), shape.clone()], &[-1, 16]);
    check("aten::add.Tensor", &[IMAGE], std::slice::from_ref(&shape), &[-1, 16]);
    assert!(refusal("aten::amax", &[IMAGE], &[]).contains("needs the attribute `output_shape`"));
    for bad in ["aten::", "aten::relu_", "aten::add.out", "aten::a b", "aten::a.b.c"] {
        let refused = shape_of(bad, &[IMAGE], std::slice::from_ref(&shape));
        assert!(matches!(refused, Err(GraphError::Declaration { .. })), "{bad}");
    }
    let parameters = Parameters::new();
    let mut b = Builder::new(&parameters, &[("image".into(), IMAGE.to_vec())]).unwrap();
    let x = b.input("image").unwrap();
    let y = op(&mut b, "aten::amax", &[x], &[ints("dim", &[2, 3]), shape, int("macs", 7)]);
    b.output("y", y).unwrap();
    let graph = b.finish().unwrap();
    let Op::Aten { operator, attributes, macs, .. } = &graph.node(y).op else { panic!("another operation") };
    assert_eq!((operator.as_str(), *macs, graph.cost().macs), ("amax", Some(7), 7));
    assert_eq!(attributes[..], [ints("dim", &[2, 3])]);
}

#[test]
fn unknown_names_come_with_a_suggestion() {
    assert_eq!(
        refusal("conv2", &[IMAGE], &[]),
        "unknown operation `conv2`; this host has ABI 1.0\n\nhint: did you mean `conv2d`?"
    );
    assert_eq!(refusal("§", &[IMAGE], &[]), "unknown operation `§`; this host has ABI 1.0");
    let parameters = weights(&[&[1]]);
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 3, 8, 8])]).unwrap();
    let text = b.input("imag").unwrap_err().to_string();
    assert_eq!(text, "there is no input `imag`\n\nhint: did you mean `image`?");
    assert_eq!(b.parameter("x").unwrap_err().to_string(), "there is no parameter `x`");
    assert_eq!(
        b.op("relu", &[9], &[]).unwrap_err().to_string(),
        "node `relu_0`: there is no value 9, the graph has 0 values so far"
    );
}

#[test]
fn builder_names_scopes_and_outputs() {
    let parameters = weights(&[&[1]]);
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 3, 8, 8])]).unwrap();
    let x = b.input("image").unwrap();
    assert_eq!(b.input("image").unwrap(), x);
    assert_eq!(b.parameter("p0").unwrap(), b.parameter("p0").unwrap());
    b.push_scope("stage0").unwrap();
    b.push_scope("cell1").unwrap();
    op(&mut b, "relu", &[x], &[]);
    b.op("relu", &[], &[]).unwrap_err();
    let named = op(&mut b, "relu", &[x], &[]);
    b.pop_scope().unwrap();
    b.pop_scope().unwrap();
    assert_eq!(b.pop_scope(), Err(GraphError::NoScope));
    b.output("y", named).unwrap();
    assert_eq!(b.output("y", x).unwrap_err().to_string(), "output `y` is there already");
    assert!(matches!(b.output("z", 99), Err(GraphError::UnknownValue { .. })));
    let graph = b.finish().unwrap();
    assert_eq!(graph.node(named).name, "stage0.cell1.relu_1");
    assert_eq!(Builder::new(&parameters, &[]).unwrap().finish(), Err(GraphError::NoOutput));
}

#[test]
fn declarations_are_checked() {
    let mut parameters = Parameters::new();
    assert_eq!(parameters.declare(spec("a", &[2, 3], Role::Weight)), Ok(0));
    let mut refuse = |spec| parameters.declare(spec).unwrap_err().to_string();
    assert_eq!(refuse(spec("a", &[], Role::Bias)), "parameter `a` is there already");
    assert!(refuse(spec("", &[], Role::Bias)).contains("is empty"));
    assert!(refuse(spec("x\n", &[], Role::Bias)).contains("control character"));
    assert!(refuse(spec(&"ä".repeat(257), &[], Role::Bias)).contains("longer than 256"));
    assert!(refuse(spec("b", &[-1], Role::Bias)).contains("not negative"));
    assert!(refuse(spec("b", &[i64::MAX, i64::MAX], Role::Bias)).contains("too many elements"));
    assert!(refuse(spec("b", &[1; 9], Role::Bias)).contains("9 dimensions"));
    let nan = Initialisation::Constant { value: f64::NAN };
    let wild = nshot_graph::ParameterSpec { init: nan, ..spec("b", &[1], Role::Bias) };
    assert!(refuse(wild).contains("a finite number"));
    assert_eq!(
        Initialisation::parse("uniform", &[float("low", -1.0), int("high", 1)]),
        Ok(Initialisation::Uniform { low: -1.0, high: 1.0 })
    );
    assert!(Initialisation::parse("uniform", &[float("low", -1.0)]).is_err());
    assert!(Initialisation::parse("ones", &[float("low", -1.0)]).is_err());
    let text = Initialisation::parse("unifrom", &[]).unwrap_err().to_string();
    assert_eq!(text, "there is no initialisation `unifrom`\n\nhint: did you mean `uniform`?");
    assert_eq!(Role::from_name("buffer"), Ok(Role::Buffer));
    assert!(Role::from_name("weights").is_err());
}
