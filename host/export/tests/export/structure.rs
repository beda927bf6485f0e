//! What can be said of the files without running them.

use std::collections::HashSet;

use nshot_export::{OPSET, Precision, TorchScript, live_parameters, torch_script};
use nshot_graph::{Graph, Role};
use prost::Message;

use crate::{
    cases::{self, Case},
    interpreter::Numbers,
    nas_bench_201::{self, Size},
    operations,
    proto::{Element, Model, Size as Extent, Tensor, ValueInfo},
    support::{op, spec},
};

#[test]
fn every_file_is_sound() {
    for case in cases::all() {
        sound_script(&case.name, &case.graph, &torch_script(&case.graph).expect("a script"));
        if case.onnx {
            sound_onnx(&case);
        }
    }
}

#[test]
fn files_of_random_cells_are_sound_and_hold_live_parameters_alone() {
    let mut numbers = Numbers(5);
    for round in 0..150 {
        let cell = std::array::from_fn(|_| [0, 0, 1, 2, 3, 4][numbers.below(6)]);
        let size = Size { channels: 2, cells: 1, side: 8, affine: round % 2 == 1 };
        let case = Case::new(&format!("{cell:?}"), nas_bench_201::network(size, cell));
        let live: HashSet<usize> = live_parameters(&case.graph).into_iter().collect();
        let script = torch_script(&case.graph).expect("a script");
        sound_script(&case.name, &case.graph, &script);
        let held: HashSet<usize> = script.attributes.iter().map(|attribute| attribute.parameter).collect();
        assert_eq!(held, live, "{cell:?}");
        let model = sound_onnx(&case);
        let initializers = model.graph.expect("a graph").initializer;
        let declared = |name: &str| case.parameters.index(name);
        let held: HashSet<usize> = initializers.iter().filter_map(|tensor| declared(&tensor.name)).collect();
        assert_eq!(held, live, "{cell:?}");
    }
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    for (first, second) in cases::all().into_iter().zip(cases::all()) {
        assert_eq!(torch_script(&first.graph), torch_script(&second.graph), "{}", first.name);
        if first.onnx {
            assert!(first.onnx() == second.onnx(), "{}", first.name);
        }
    }
}

#[test]
fn dead_branches_leave_no_parameters() {
    let size = Size { channels: 2, cells: 1, side: 8, affine: false };
    let (parameters, graph) = nas_bench_201::network(size, [3, 0, 0, 0, 0, 1]);
    let names: Vec<_> =
        live_parameters(&graph).into_iter().map(|i| &parameters.get(i).expect("one").name).collect();
    assert_eq!(names, ["classifier.weight", "classifier.bias"], "node 2 is zero, and it alone goes on");
}

#[test]
fn names_that_meet_are_told_apart() {
    let case = cases::all().into_iter().find(|case| case.name == "names").expect("the case");
    let script = torch_script(&case.graph).expect("a script");
    let identifiers: Vec<_> = script.attributes.iter().map(|a| a.identifier.as_str()).collect();
    assert_eq!(identifiers, ["a_b", "a_b_1", "training_1", "gr__e__1_", "relu_0", "constant"]);
    let buffers: Vec<_> = script.attributes.iter().map(|attribute| attribute.buffer).collect();
    assert_eq!(buffers, [false, false, false, true, false, false]);
    let first = script.source.lines().next().expect("a line");
    assert_eq!(first, "def forward(self, v0: Tensor, lambda_1: Tensor) -> Dict[str, Tensor]:");
    assert!(script.source.contains("\"\\\"q\\\\\": self.a_b, "), "{}", script.source);
}

#[test]
fn an_operator_of_libtorch_is_called_by_its_name() {
    let (_, graph) = operations::aten();
    let source = torch_script(&graph).expect("a script").source;
    assert!(source.contains("v0 = torch.clamp(image, min=-0.25, max=0.5)\n"), "{source}");
    assert!(source.contains("v1 = torch.stack([v0, v0], dim=0)\n"), "{source}");
}

#[test]
fn an_unused_image_still_tells_the_batch_size() {
    let mut parameters = nshot_graph::Parameters::new();
    parameters.declare(spec("bias", &[10], Role::Bias)).expect("a declaration");
    let inputs = [("progress".to_owned(), vec![]), ("image".to_owned(), vec![-1, 3, 4, 4])];
    let mut b = nshot_graph::Builder::new(&parameters, &inputs).expect("inputs");
    let image = b.input("image").expect("the image");
    let nothing = op(&mut b, "zeros_like", &[image], &[]);
    b.output("logits", nothing).expect("an output");
    let case = Case::new("zeros", (parameters.clone(), b.finish().expect("a graph")));
    let source = torch_script(&case.graph).expect("a script").source;
    assert!(source.contains("torch.new_full(image, [v0, 3, 4, 4], 0.0)"), "{source}");
    let written = sound_onnx(&case).graph.expect("a graph");
    assert_eq!(written.input.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["image"]);
    assert_eq!(extents(&written.input[0]), ["N", "3", "4", "4"]);
}

/// Each value is made once and before its uses, each initialiser has its shape, all is used.
fn sound_onnx(case: &Case) -> Model {
    let model = Model::decode(&case.onnx()[..]).expect("a protobuf");
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, OPSET));
    assert_eq!(model.metadata_props[1].value, case.name);
    let graph = model.graph.as_ref().expect("a graph");
    let given: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    let mut made = given.clone();
    let mut used: HashSet<&str> = HashSet::new();
    for tensor in &graph.initializer {
        sound_tensor(case, tensor);
        assert!(made.insert(&tensor.name), "{}: {} is there twice", case.name, tensor.name);
    }
    for node in &graph.node {
        for input in &node.input {
            assert!(made.contains(input.as_str()), "{}: {} needs {input}", case.name, node.name);
            used.insert(input);
        }
        assert!(made.insert(&node.output[0]), "{}: {} is made twice", case.name, node.output[0]);
    }
    for output in &graph.output {
        assert!(made.contains(output.name.as_str()), "{}: {} is never made", case.name, output.name);
        used.insert(&output.name);
    }
    let names = graph.output.iter().map(|output| output.name.as_str());
    assert!(names.eq(case.graph.outputs().iter().map(|(name, _)| name.as_str())), "{}", case.name);
    let idle: Vec<_> = made.iter().filter(|name| !used.contains(*name) && !given.contains(*name)).collect();
    assert!(idle.is_empty(), "{}: nothing uses {idle:?}", case.name);
    model
}

/// As many bytes as its shape says; a parameter's shape and values.
fn sound_tensor(case: &Case, tensor: &Tensor) {
    let data = tensor.raw_data.as_ref().expect("data");
    let size = if tensor.data_type == Element::Float as i32 { 4 } else { 8 };
    assert_eq!(
        data.len() as i64,
        tensor.dims.iter().product::<i64>() * size,
        "{}: {}",
        case.name,
        tensor.name
    );
    let Some(index) = case.parameters.index(&tensor.name) else { return };
    assert_eq!(tensor.dims, case.parameters.get(index).expect("one").shape, "{}: {}", case.name, tensor.name);
    let numbers = case.values(index).into_iter();
    let expected: Vec<u8> = match case.precision {
        Precision::Float32 => numbers.flat_map(|number| (number as f32).to_le_bytes()).collect(),
        Precision::Float64 => numbers.flat_map(f64::to_le_bytes).collect(),
    };
    assert!(*data == expected, "{}: values of {}", case.name, tensor.name);
}

fn extents(info: &ValueInfo) -> Vec<String> {
    let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()).expect("a tensor");
    let text = |size: &Extent| match size {
        Extent::Value(size) => size.to_string(),
        Extent::Symbol(name) => name.clone(),
    };
    let shape = tensor.shape.as_ref().expect("a shape");
    shape.dim.iter().map(|dim| text(dim.size.as_ref().expect("a size"))).collect()
}

/// Each variable is set once and before its uses, each attribute is held and used.
fn sound_script(name: &str, graph: &Graph, script: &TorchScript) {
    let mut lines = script.source.lines();
    let head = lines.next().expect("a head");
    let arguments = head.split_once('(').expect("arguments").1.split_once(')').expect("arguments").0;
    let mut set: HashSet<&str> =
        arguments.split(", ").map(|argument| argument.split(':').next().expect("a name")).collect();
    let mut used: HashSet<&str> = HashSet::new();
    for line in lines {
        let line = line.strip_prefix("    ").expect("an indented line");
        let (target, expression) = match line.split_once(" = ") {
            Some((target, expression)) => (Some(target), expression),
            None => (None, line.strip_prefix("return ").expect("a return")),
        };
        for word in expression.split(|c: char| !c.is_ascii_alphanumeric() && !"._\"".contains(c)) {
            if let Some(attribute) = word.strip_prefix("self.") {
                used.insert(attribute);
            } else if word.starts_with('v') && word[1..].parse::<u32>().is_ok() {
                assert!(set.contains(word), "{name}: {word} is not set before {line}");
            }
        }
        assert!(target.is_none_or(|target| set.insert(target)), "{name}: {line} sets again");
    }
    let held: HashSet<&str> = script.attributes.iter().map(|a| a.identifier.as_str()).collect();
    assert_eq!(held.len(), script.attributes.len(), "{name}: attributes of one name");
    assert_eq!(held, used, "{name}");
    assert!(script.source.contains("Dict[") == (graph.outputs().len() > 1), "{name}");
}
