//! The graph that a search space describes: shapes, costs, passes. Knows nothing of libtorch.
//!
//! A plugin describes a subnet through a [`Builder`]; every call is checked at once, so a [`Graph`] that
//! exists is one whose shapes fit. From it the host takes its [`Cost`], the parameters that it reaches,
//! and a [`Plan`]: what an executor has to compute once dead branches are gone.
//!
//! ```
//! use nshot_graph::{Builder, Initialisation, Mode, ParameterSpec, Parameters, Role, Value};
//!
//! # fn main() -> nshot_graph::Result<()> {
//! let mut parameters = Parameters::new();
//! let (name, init) = ("weight".to_owned(), Initialisation::Uniform { low: -0.2, high: 0.2 });
//! parameters.declare(ParameterSpec { name, shape: vec![16, 3, 3, 3], role: Role::Weight, init })?;
//!
//! let mut g = Builder::new(&parameters, &[("image".to_owned(), vec![-1, 3, 32, 32])])?;
//! let (image, weight) = (g.input("image")?, g.parameter("weight")?);
//! let features = g.op("conv2d", &[image, weight], &[("padding".to_owned(), Value::Int(1))])?.first;
//! let nothing = g.op("zeros_like", &[features], &[])?.first;
//! let sum = g.op("add", &[features, nothing], &[])?.first;
//! g.output("features", sum)?;
//!
//! let graph = g.finish()?;
//! assert_eq!(graph.node(sum).shape, [-1, 16, 32, 32]);
//! assert_eq!((graph.cost().weights, graph.cost().macs), (432, 442_368));
//! // What is left to compute: image, weight and convolution, which stands for the sum.
//! let plan = graph.plan(Mode::Evaluation);
//! assert_eq!((plan.steps.len(), plan.outputs[0].1), (3, features));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here panics on what a plugin says: names, numbers and shapes are bounded ([`limits`]) and
//! arithmetic on them is checked.

mod attributes;
mod builder;
mod canonical;
mod cost;
mod error;
mod fingerprint;
mod graph;
pub mod limits;
mod names;
mod op;
mod ops;
mod parameters;
mod plan;
mod program;
mod segments;
mod shape;
mod usage;
mod value;
mod view;
mod zero;

pub use builder::{Builder, Values};
pub use cost::Cost;
pub use error::GraphError;
pub use fingerprint::Fingerprint;
pub use graph::{Graph, Node, ValueId};
pub use op::{GeluApproximation, Op, Statistics};
pub use parameters::{Initialisation, ParameterSpec, Parameters, Role};
pub use plan::{Action, Mode, Plan, Step};
pub use program::{Filter, Instruction, Program, Term, Work};
pub use shape::{Shape, ShowShape, resolve};
pub use value::{Attributes, Value};

/// The version of the plugin interface whose operations this crate knows, as error messages name it.
pub const ABI_VERSION: &str = "1.0";

/// What every fallible call of this crate returns.
pub type Result<T, E = GraphError> = std::result::Result<T, E>;
