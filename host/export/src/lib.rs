//! A subnet as files that other tools read: ONNX, and the source of a TorchScript module.
//!
//! Both are written from a graph's plan for evaluation: what no output needs is left out, and so is what is
//! known to be zero. Nothing here computes: who runs the files is [ONNX Runtime](https://onnxruntime.ai) or
//! libtorch. The same graph and values give the same bytes.
//!
//! ```
//! use nshot_export::{OnnxOptions, Parameter, Precision, Values, onnx, torch_script};
//! use nshot_graph::{Builder, Initialisation, ParameterSpec, Parameters, Role};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut parameters = Parameters::new();
//! let (name, init) = ("classifier.weight".to_owned(), Initialisation::Zeros);
//! parameters.declare(ParameterSpec { name, shape: vec![10, 3], role: Role::Weight, init })?;
//! let mut g = Builder::new(&parameters, &[("image".to_owned(), vec![-1, 3, 32, 32])])?;
//! let (image, weight) = (g.input("image")?, g.parameter("classifier.weight")?);
//! let pooled = g.op("global_avg_pool", &[image], &[])?.first;
//! let logits = g.op("linear", &[pooled, weight], &[])?.first;
//! g.output("logits", logits)?;
//! let graph = g.finish()?;
//!
//! let values =
//!     [Parameter { name: "classifier.weight", shape: &[10, 3], values: Values::Float32(&[0.5; 30]) }];
//! let options = OnnxOptions { name: "subnet", precision: Precision::Float32, metadata: &[] };
//! let file = onnx(&graph, &values, &options)?;
//! assert_eq!(file, onnx(&graph, &values, &options)?);
//!
//! let script = torch_script(&graph)?;
//! assert_eq!(script.attributes[0].identifier, "classifier_weight");
//! assert_eq!(
//!     script.source,
//!     "\
//! def forward(self, image: Tensor) -> Tensor:
//!     v0 = torch.mean(image, [2, 3])
//!     v1 = torch.linear(v0, self.classifier_weight, None)
//!     return v1
//! "
//! );
//! # Ok(())
//! # }
//! ```

mod error;
mod inputs;
mod names;
mod onnx;
mod parameter;
mod torch_script;

use nshot_graph::{Graph, Mode, Op};

pub use error::Error;
pub use onnx::{OPSET, OnnxOptions, onnx};
pub use parameter::{Parameter, Precision, Values};
pub use torch_script::{Attribute, TorchScript, torch_script};

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Indices of the parameters that the outputs need in evaluation, sorted: in the order of declaration. Buffers
/// are among them, also those that a batch norm with the batch's statistics takes and does not read.
pub fn live_parameters(graph: &Graph) -> Vec<usize> {
    let mut live: Vec<usize> = graph
        .plan(Mode::Evaluation)
        .steps
        .iter()
        .filter_map(|step| match graph.node(step.node).op {
            Op::Parameter { index, .. } => Some(index),
            _ => None,
        })
        .collect();
    live.sort_unstable();
    live
}
