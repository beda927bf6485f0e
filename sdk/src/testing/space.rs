//! Search spaces: what they declare and describe, checked as the host checks it.

mod check;
mod declare;
mod describe;

use std::sync::Arc;

use nshot_abi::AbiResult;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::component::SearchSpaceBox;
use nshot_abi::host::{self, Declare_TO, Graph_TO, Task_TO};
use nshot_graph::{Builder, Cost, Graph, Parameters, Shape, ShowShape};
use serde::Serialize;

use super::attributes::{graph_error, refuse};
use super::component::{Component, settings_text};
use super::ground::{self, Ground, unknown_measure};
use super::path::Path;
use super::run::TestRun;
use crate::adapter::guard;
use crate::declare::Choice;
use crate::error::{Error, Result, answer};
use crate::registration::Entry;
use crate::run::{Architecture, Task};
use crate::space::SearchSpace;
use describe::DescribeHost;

pub(crate) use declare::DeclareHost;

/// A space's text of an architecture is at most this long, in bytes.
const TEXT_LENGTH: usize = 16_384;

/// A task for tests: shape of an image, `[C, H, W]`, and number of classes.
pub fn task(input_shape: [u64; 3], classes: u64) -> Task {
    Task { input_shape, classes }
}

/// A search space for a task, through the adapter that ships. `settings`: `()`, `json!({ … })`, or a value of its
/// settings type.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// struct TwoKernels([Conv2d; 2], Linear);
///
/// impl SearchSpace for TwoKernels {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings, task: &Task) -> Result<Self> {
///         let conv = |side| Conv2d::new(&format!("conv{side}"), task.input_shape[0], 8, side).no_bias();
///         Ok(Self([conv(3), conv(5)], Linear::new("classifier", 8, task.classes)))
///     }
///
///     fn choices(&self) -> Vec<Choice> {
///         vec![Choice::new("kernel", &["3x3", "5x5"])]
///     }
///
///     fn declare(&self, to: &mut Declare) -> Result<()> {
///         self.0.iter().try_for_each(|conv| conv.declare(to))?;
///         self.1.declare(to)
///     }
///
///     fn describe(&self, g: &mut Graph) -> Result<()> {
///         let x = g.input("image")?;
///         let y = g.choose(0, |g, option| self.0[option as usize].forward(g, x))?;
///         let y = g.global_avg_pool(y)?;
///         let y = self.1.forward(g, y)?;
///         g.output("logits", y)
///     }
///
///     fn extremes(&self) -> (Architecture, Architecture) {
///         (vec![0], vec![1])
///     }
/// }
///
/// let space = testing::space::<TwoKernels>((), &testing::task([3, 32, 32], 10));
/// space.check();
/// assert_eq!(space.cost(&[1]).weights, 3 * 8 * 5 * 5 + 8 * 10);
/// ```
///
/// # Panics
/// The space refuses its settings or the task, or what it declares or names as its extremes is refused.
#[track_caller]
pub fn space<T: SearchSpace>(settings: impl Serialize, task: &Task) -> SpaceTest {
    let (component, text) = (Component::of::<T>("search space"), settings_text(&settings));
    let object = component.call("new", || {
        guard(|| {
            let view = TaskView(task.clone());
            Entry::search_space::<T>("").make_search_space(&text, &Task_TO::from_ptr(&view, TD_Opaque))
        })
    });
    let mut declare = DeclareHost::default();
    component.call("declare", || object.declare(Declare_TO::from_ptr(&mut declare, TD_Opaque)));
    let [c, h, w] = task.input_shape.map(|size| size as i64);
    let inputs = vec![("image".to_owned(), vec![-1, c, h, w]), ("progress".to_owned(), vec![])];
    let inner = Inner {
        component,
        object,
        task: task.clone(),
        inputs,
        choices: declare.choices,
        parameters: declare.parameters,
    };
    let space = SpaceTest(Arc::new(inner));
    let [small, large] = [false, true].map(|largest| space.extreme("weights", largest));
    let (small, large) = (space.cost(&small).weights, space.cost(&large).weights);
    if small > large {
        space.fail("extremes", &format!("the smallest has {small} weights, the largest {large}"));
    }
    space
}

/// A search space under test, made by [`space`]. Every method ends the test if the space fails, or does what the host
/// would refuse.
pub struct SpaceTest(Arc<Inner>);

/// The space as the host holds it.
struct Inner {
    component: Component,
    object: SearchSpaceBox,
    task: Task,
    inputs: Vec<(String, Shape)>,
    choices: Vec<Choice>,
    parameters: Parameters,
}

impl SpaceTest {
    /// A run on this space: for testing samplers, schedulers, groups and searchers with real costs.
    pub fn run(&self) -> TestRun {
        TestRun::on(Arc::clone(&self.0) as Arc<dyn Ground>)
    }

    /// The choices, in order.
    pub fn choices(&self) -> &[Choice] {
        &self.0.choices
    }

    /// The declared parameters: names, shapes, roles, initialisation.
    pub fn parameters(&self) -> &Parameters {
        &self.0.parameters
    }

    /// The graph that is described for an architecture; its shapes fit, its output `logits` is `[N, classes]`.
    #[track_caller]
    pub fn graph(&self, architecture: &[u32]) -> Graph {
        self.graph_of(&Path::of(self.in_range("describe", architecture)))
    }

    /// The same for a path that may take several options of a choice, or weighted ones.
    #[track_caller]
    pub fn graph_of(&self, path: &Path) -> Graph {
        match self.0.graph(path) {
            Ok(graph) => graph,
            Err(error) => match path.single() {
                Some(options) => self
                    .fail("describe", &format!("{error}\n\nhint: it was describing the options {options:?}")),
                None => self.fail("describe", error.text()),
            },
        }
    }

    /// What an architecture costs: weights of convolutions and linear layers, parameters, and multiply-accumulates for
    /// one image, counted on the graph as described.
    #[track_caller]
    pub fn cost(&self, architecture: &[u32]) -> Cost {
        self.graph(architecture).cost()
    }

    /// Whether an architecture is one of the space.
    #[track_caller]
    pub fn valid(&self, architecture: &[u32]) -> bool {
        let architecture = self.in_range("valid", architecture);
        self.0.component.call("valid", || self.0.object.valid(RSlice::from(architecture)))
    }

    /// The smallest and the largest architecture by a measure.
    #[track_caller]
    pub fn extremes(&self, measure: &str) -> (Architecture, Architecture) {
        (self.extreme(measure, false), self.extreme(measure, true))
    }

    /// The representative of all architectures that are the same network when trained alone.
    #[track_caller]
    pub fn canonical(&self, architecture: &[u32]) -> Architecture {
        let architecture = self.in_range("canonical", architecture);
        let asked = || self.0.object.canonical(RSlice::from(architecture));
        let canonical = self.0.component.call("canonical", asked).into_vec();
        self.in_range("canonical", &canonical).to_vec()
    }

    /// The customary text of an architecture.
    #[track_caller]
    pub fn text(&self, architecture: &[u32]) -> String {
        match self.0.to_text(self.in_range("to_text", architecture)) {
            Ok(text) => text,
            Err(error) => self.fail("to_text", error.text()),
        }
    }

    /// Reads an architecture from one of the space's texts.
    #[track_caller]
    pub fn parse(&self, text: &str) -> Architecture {
        let parsed = self.0.component.call("from_text", || self.0.object.from_text(text.into())).into_vec();
        self.in_range("from_text", &parsed).to_vec()
    }

    #[track_caller]
    fn extreme(&self, measure: &str, largest: bool) -> Architecture {
        match self.0.extreme(measure, largest) {
            Ok(architecture) => architecture,
            Err(error) => self.fail("extremes", error.text()),
        }
    }

    #[track_caller]
    fn in_range<'a>(&self, method: &str, architecture: &'a [u32]) -> &'a [u32] {
        match ground::check(&self.0.choices, architecture) {
            Ok(()) => architecture,
            Err(error) => self.fail(method, error.text()),
        }
    }

    #[track_caller]
    fn fail(&self, method: &str, text: &str) -> ! {
        self.0.component.fail(method, text)
    }
}

impl Inner {
    fn graph(&self, path: &Path) -> Result<Graph> {
        let builder = Builder::new(&self.parameters, &self.inputs).map_err(|error| graph_error(&error))?;
        let mut host = DescribeHost::new(builder, path);
        answer(self.object.describe(Graph_TO::from_ptr(&mut host, TD_Opaque)))?;
        let graph = host.finish().map_err(|error| graph_error(&error))?;
        let expected = vec![-1, self.task.classes as i64];
        match graph.outputs().iter().find(|(name, _)| name == "logits") {
            None => Err(Error::new("the graph has no output `logits`")),
            Some((_, value)) if graph.node(*value).shape != expected => Err(Error::new(format!(
                "the output `logits` is {}, expected {}",
                ShowShape(&graph.node(*value).shape),
                ShowShape(&expected)
            ))),
            Some(_) => Ok(graph),
        }
    }
}

impl Ground for Inner {
    fn task(&self) -> &Task {
        &self.task
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn valid(&self, architecture: &[u32]) -> Result<bool> {
        answer(self.object.valid(RSlice::from(architecture)))
    }

    fn complexity(&self, path: &Path, measure: &str) -> Result<f64> {
        of_measure(self.graph(path)?.cost(), measure)
    }

    fn extreme(&self, measure: &str, largest: bool) -> Result<Architecture> {
        let which = if largest { "largest" } else { "smallest" };
        let asked = answer(self.object.extreme(measure.into(), largest))?.into_vec();
        let wrong = |text: &str| Error::new(format!("the {which}: {text}"));
        ground::check(&self.choices, &asked).map_err(|error| wrong(error.text()))?;
        if !self.valid(&asked)? {
            return Err(wrong("it is not valid"));
        }
        self.graph(&Path::of(&asked)).map_err(|error| wrong(error.text()))?;
        Ok(asked)
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        let text = answer(self.object.to_text(RSlice::from(architecture)))?;
        if text.is_empty() || text.len() > TEXT_LENGTH || text.chars().any(char::is_control) {
            let found = text.len();
            return refuse(format!("a text of {found} bytes, expected 1 to {TEXT_LENGTH} on one line"));
        }
        Ok(text.into())
    }
}

fn of_measure(cost: Cost, measure: &str) -> Result<f64> {
    match measure {
        "weights" => Ok(cost.weights as f64),
        "params" => Ok(cost.params as f64),
        "macs" => Ok(cost.macs as f64),
        other => Err(unknown_measure(other, &ground::MEASURES.map(ToOwned::to_owned))),
    }
}

struct TaskView(Task);

impl host::Task for TaskView {
    fn attribute(&self, _: RStr<'_>) -> ROption<nshot_abi::Value> {
        ROption::RNone
    }

    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        AbiResult::ROk(self.0.input_shape.to_vec().into())
    }

    fn classes(&self) -> AbiResult<u64> {
        AbiResult::ROk(self.0.classes)
    }
}
