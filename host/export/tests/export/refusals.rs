//! What is refused, and how.

use nshot_export::{Error, OnnxOptions, Parameter, Precision, Values, onnx, torch_script};
use nshot_graph::{Builder, Graph, Parameters, Role, Value, ValueId};

use crate::{
    operations,
    support::{int, ints, op, spec},
};

const OPTIONS: OnnxOptions<'_> =
    OnnxOptions { name: "refused", precision: Precision::Float32, metadata: &[] };

fn refusal(graph: &Graph, parameters: &[Parameter<'_>]) -> String {
    onnx(graph, parameters, &OPTIONS).expect_err("a refusal").to_string()
}

/// `image [N, 2]` times a parameter `scale` of that shape.
fn scaled(shape: &[i64]) -> Graph {
    let mut parameters = Parameters::new();
    parameters.declare(spec("scale", shape, Role::Weight)).expect("a declaration");
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 2])]).expect("inputs");
    let (image, scale) = (b.input("image").expect("one"), b.parameter("scale").expect("one"));
    let product = op(&mut b, "mul", &[image, scale], &[]);
    b.output("logits", product).expect("an output");
    b.finish().expect("a graph")
}

/// One operation on `image`.
fn single(shape: &[i64], name: &str, attributes: &[(String, Value)]) -> Graph {
    let parameters = Parameters::new();
    let mut b = Builder::new(&parameters, &[("image".into(), shape.to_vec())]).expect("inputs");
    let image = b.input("image").expect("one");
    let made: ValueId = op(&mut b, name, &[image], attributes);
    b.output("logits", made).expect("an output");
    b.finish().expect("a graph")
}

#[test]
fn parameters_that_do_not_fit() {
    let graph = scaled(&[2]);
    assert_eq!(refusal(&graph, &[]), "no values were given for the parameter `scale`");
    let given = |shape, values| Parameter { name: "scale", shape, values: Values::Float32(values) };
    let right = given(&[2], &[1.0, 2.0]);
    assert!(onnx(&graph, &[right], &OPTIONS).is_ok());
    let other = Parameter { name: "other", shape: &[-7], values: Values::Float32(&[]) };
    assert!(onnx(&graph, &[other, right], &OPTIONS).is_ok(), "what is not needed is not looked at");
    assert_eq!(refusal(&graph, &[right, right]), "values for the parameter `scale` were given twice");
    let shape = refusal(&graph, &[given(&[1, 2], &[1.0, 2.0])]);
    assert_eq!(shape, "parameter `scale` has the shape [1, 2], expected [2]");
    let values = refusal(&graph, &[given(&[2], &[1.0])]);
    assert_eq!(values, "parameter `scale` of the shape [2] has 1 values, expected 2");
}

#[test]
fn a_file_that_no_reader_takes() {
    let graph = scaled(&[1 << 29, 1, 2]);
    let error = onnx(&graph, &[], &OPTIONS).expect_err("too large");
    assert_eq!(error, Error::TooLarge { found: 1 << 32, most: (1 << 31) - 1 });
}

#[test]
fn operations_without_counterpart() {
    let (_, graph) = operations::aten();
    let message = refusal(&graph, &[]);
    assert!(message.starts_with("node `clamp_0`: `aten::clamp` cannot be written as ONNX: "), "{message}");
    let sizes = [int("kernel", 2), int("stride", 1), int("padding", 1), int("dilation", 4)];
    let message = refusal(&single(&[-1, 1, 3, 3], "max_pool2d", &sizes), &[]);
    assert!(message.contains("`max_pool2d_0`") && message.contains("in the padding alone"), "{message}");
    for data in [Value::Bytes(vec![1]), Value::Text("a\nb".into()), Value::Ints(vec![])] {
        let attributes = [ints("output_shape", &[-1, 2]), ("data".to_owned(), data)];
        let graph = single(&[-1, 2], "aten::odd", &attributes);
        let message = torch_script(&graph).expect_err("no literal").to_string();
        assert!(message.ends_with("as TorchScript: its attribute `data` has no literal"), "{message}");
    }
}

#[test]
fn one_name_for_an_input_and_an_output() {
    let parameters = Parameters::new();
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 2])]).expect("inputs");
    let image = b.input("image").expect("one");
    b.output("image", image).expect("an output");
    let graph = b.finish().expect("a graph");
    assert_eq!(refusal(&graph, &[]), "`image` names an input and an output, which ONNX does not allow");
    assert!(torch_script(&graph).is_ok());
}
