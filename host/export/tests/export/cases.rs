//! Graphs with numbers for their parameters.

use nshot_export::{OnnxOptions, Parameter, Precision, Values, onnx};
use nshot_graph::{Graph, Parameters, Role};

use crate::{
    interpreter::Numbers,
    mobilenet,
    nas_bench_201::{self, Size},
    operations,
};

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) parameters: Parameters,
    pub(crate) graph: Graph,
    pub(crate) precision: Precision,
    /// Whether the graph crate's judge knows all operations.
    pub(crate) judged: bool,
    /// Whether ONNX knows them.
    pub(crate) onnx: bool,
}

/// Numbers as the judge has them: inputs by their index, parameters by theirs and 1000.
pub(crate) fn numbers(seed: usize, count: usize) -> Vec<f64> {
    let mut numbers = Numbers(seed as u64);
    (0..count).map(|_| (numbers.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0).collect()
}

impl Case {
    pub(crate) fn new(name: &str, (parameters, graph): (Parameters, Graph)) -> Case {
        Case {
            name: name.into(),
            parameters,
            graph,
            precision: Precision::Float32,
            judged: false,
            onnx: true,
        }
    }

    /// The values of parameter `index`; variances are positive.
    pub(crate) fn values(&self, index: usize) -> Vec<f64> {
        let spec = self.parameters.get(index).expect("a parameter");
        let mut values = numbers(1000 + index, spec.elements() as usize);
        if spec.role == Role::Buffer {
            values = values.into_iter().map(|value| value.abs() + 0.5).collect();
        }
        values
    }

    pub(crate) fn onnx(&self) -> Vec<u8> {
        let values: Vec<_> = (0..self.parameters.len()).map(|index| self.values(index)).collect();
        let given: Vec<_> = self
            .parameters
            .iter()
            .zip(&values)
            .map(|(spec, values)| Parameter {
                name: &spec.name,
                shape: &spec.shape,
                values: Values::Float64(values),
            })
            .collect();
        let options = OnnxOptions {
            name: &self.name,
            precision: self.precision,
            metadata: &[("space", "test"), ("architecture", &self.name)],
        };
        onnx(&self.graph, &given, &options).expect("a file")
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![];
    let cells =
        [[3, 1, 2, 4, 3, 2], [4, 4, 4, 4, 4, 4], [0, 3, 2, 1, 0, 4], [1, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0]];
    for cell in cells {
        for affine in [false, true] {
            let size = Size { channels: 4, cells: 2, side: 16, affine };
            let norm = if affine { "running" } else { "batch" };
            let name = format!("nas-bench-201-{}-{norm}", cell.map(|op| op.to_string()).concat());
            let case = Case::new(&name, nas_bench_201::network(size, cell));
            cases.push(Case { judged: !affine, ..case });
        }
    }
    let cell = [3, 1, 2, 4, 3, 2];
    cases.push(Case::new("nas-bench-201-whole", nas_bench_201::network(nas_bench_201::BENCHMARK, cell)));
    for (name, norm) in [("batch", mobilenet::Norm::Batch), ("running", mobilenet::Norm::Running)] {
        cases.push(Case::new(&format!("mobilenet-{name}"), mobilenet::network(norm)));
    }
    for (name, network) in operations::all() {
        cases.push(Case::new(name, network()));
    }
    cases.push(Case { onnx: false, ..Case::new("aten", operations::aten()) });
    let precision = Precision::Float64;
    let exact = operations::layers();
    cases.push(Case { precision, ..Case::new("float64", exact) });
    cases
}
