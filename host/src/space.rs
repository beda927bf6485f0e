//! The search space: what the plugin declared, and the graphs of its subnets.

mod complexity;
mod range;
mod subnet;

use std::sync::{Arc, Mutex, PoisonError};

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{RSlice, RVec};
use nshot_abi::component::SearchSpaceBox;
use nshot_abi::host::{Declare_TO, Graph_TO};
use nshot_graph::{Builder, Cost, Graph, Parameters, Shape};

use crate::boundary::{DeclareHost, Declared, DescribeHost, OptionMark, describing};
use crate::component::Identity;
use crate::failure::{Failure, Result};
use crate::measures::Measure;
use crate::plugin_time::in_graphs;
use crate::selection::{Architecture, Selection};

pub use complexity::MEASURES;
use subnet::Cache;
pub use subnet::Subnet;

/// A space's text of an architecture is at most this long, in bytes.
const TEXT_LENGTH: usize = 16_384;

/// The task: what a network takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Shape of an image, `[C, H, W]`.
    pub input_shape: [u64; 3],
    /// Number of classes.
    pub classes: u64,
}

/// A choice of the space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// Names of its options, in order.
    pub options: Vec<String>,
}

/// A search space for a task.
pub struct Space {
    identity: Identity,
    object: SearchSpaceBox,
    task: Task,
    inputs: Vec<(String, Shape)>,
    declared: Declared,
    smallest: Architecture,
    largest: Architecture,
    measures: Vec<Measure>,
    cache: Mutex<Cache>,
}

impl Space {
    /// Asks the plugin's space for its declarations and checks them, the extremes described.
    ///
    /// # Errors
    /// Whatever is wrong with them.
    pub fn new(identity: Identity, object: SearchSpaceBox, task: Task) -> Result<Self> {
        let mut declare = DeclareHost::default();
        identity.call("declare", || object.declare(Declare_TO::from_ptr(&mut declare, TD_Opaque)))?;
        let [c, h, w] = task.input_shape.map(|size| size as i64);
        let inputs = vec![("image".to_owned(), vec![-1, c, h, w]), ("progress".to_owned(), vec![])];
        let mut space = Self {
            identity,
            object,
            task,
            inputs,
            declared: declare.declared,
            smallest: Vec::new(),
            largest: Vec::new(),
            measures: Vec::new(),
            cache: Mutex::default(),
        };
        if space.choices().is_empty() {
            return Err(space.identity.failure("choices", "there are none, expected at least one"));
        }
        space.smallest = space.extreme("weights", false)?;
        space.largest = space.extreme("weights", true)?;
        let (small, large) = (space.cost(&space.smallest)?.weights, space.cost(&space.largest)?.weights);
        if small > large {
            let text = format!("the smallest has {small} weights, the largest {large}");
            return Err(space.identity.failure("extremes", &text));
        }
        Ok(space)
    }

    /// Takes a sampler's own parameters, of the role `architecture`.
    ///
    /// # Errors
    /// One has the name of another.
    pub fn declare(&mut self, parameters: &Parameters) -> Result<()> {
        for spec in parameters {
            self.declared.parameters.declare(spec.clone())?;
        }
        Ok(())
    }

    /// The smallest or largest architecture by a measure.
    ///
    /// # Errors
    /// The plugin names none of the space, or one that cannot be described.
    pub fn extreme(&self, measure: &str, largest: bool) -> Result<Architecture> {
        if let Some(table) = self.measures.iter().find(|known| known.name == measure) {
            return table
                .extreme(largest)
                .ok_or_else(|| Failure::new(format!("the measure `{measure}` has no architecture")));
        }
        let asked = self.identity.call("extremes", || self.object.extreme(measure.into(), largest))?;
        let which = if largest { "largest" } else { "smallest" };
        let wrong = |text: String| self.identity.failure("extremes", &format!("the {which}: {text}"));
        self.check(&asked).map_err(wrong)?;
        if !self.valid(&asked)? {
            return Err(wrong("it is not valid".to_owned()));
        }
        self.subnet(&Selection::of(&asked))?;
        Ok(asked.into())
    }

    /// Whether an architecture that is in range is one of the space.
    ///
    /// # Errors
    /// The plugin fails.
    pub fn valid(&self, architecture: &[u32]) -> Result<bool> {
        self.identity.call("valid", || self.object.valid(RSlice::from(architecture)))
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The task that it was made for.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The choices, in order.
    pub fn choices(&self) -> &[Choice] {
        &self.declared.choices
    }

    /// The declared parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.declared.parameters
    }

    /// The smallest architecture.
    pub fn smallest(&self) -> &[u32] {
        &self.smallest
    }

    /// The largest architecture.
    pub fn largest(&self) -> &[u32] {
        &self.largest
    }

    /// Every option of every choice.
    pub fn all_options(&self) -> Vec<Vec<u32>> {
        self.choices().iter().map(|choice| (0..choice.options.len() as u32).collect()).collect()
    }

    /// Number of architectures.
    pub fn size(&self) -> f64 {
        self.choices().iter().map(|choice| choice.options.len() as f64).product()
    }

    /// The customary text of an architecture that is in range.
    ///
    /// # Errors
    /// The plugin fails, or its text is odd.
    pub fn to_text(&self, architecture: &[u32]) -> Result<String> {
        let text = self.identity.call("to_text", || self.object.to_text(RSlice::from(architecture)))?;
        if text.is_empty() || text.len() > TEXT_LENGTH || text.chars().any(char::is_control) {
            let problem = format!("a text of {} bytes, expected 1 to {TEXT_LENGTH} on one line", text.len());
            return Err(self.identity.failure("to_text", &problem));
        }
        Ok(text.into())
    }

    /// Reads an architecture from any of the space's text forms.
    ///
    /// # Errors
    /// The text is in none of them.
    pub fn parse(&self, text: &str) -> Result<Architecture> {
        let parsed = self.identity.call("from_text", || self.object.from_text(text.into()))?.into_vec();
        self.check(&parsed).map_err(|problem| self.identity.failure("from_text", &problem))?;
        if !self.valid(&parsed)? {
            return Err(self.identity.failure("valid", &format!("`{text}` is no subnet of this space")));
        }
        Ok(parsed)
    }

    /// The representative of all architectures that are the same network when trained alone.
    ///
    /// # Errors
    /// The plugin fails or names none of the space.
    pub fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        let asked = || self.object.canonical(RSlice::from(architecture)).map(RVec::into_vec);
        let canonical = self.identity.call("canonical", asked)?;
        self.check(&canonical).map_err(|problem| self.identity.failure("canonical", &problem))?;
        Ok(canonical)
    }

    /// The subnet of a selection that is in range; described once, then remembered while there is room.
    ///
    /// # Errors
    /// What is wrong with the description, by node.
    pub fn subnet(&self, selection: &Selection) -> Result<Arc<Subnet>> {
        if let Some(subnet) = self.cache().get(selection) {
            return Ok(subnet);
        }
        let subnet = Arc::new(self.describe(selection)?);
        self.cache().put(selection.clone(), Arc::clone(&subnet));
        Ok(subnet)
    }

    /// The costs of an architecture that is in range; neither planned nor remembered.
    ///
    /// # Errors
    /// As [`Space::subnet`].
    pub fn cost(&self, architecture: &[u32]) -> Result<Cost> {
        in_graphs(|| Ok(self.graph(&Selection::of(architecture))?.0.cost()))
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subnet of a selection that is in range, described anew.
    ///
    /// # Errors
    /// As [`Space::subnet`].
    pub(crate) fn describe(&self, selection: &Selection) -> Result<Subnet> {
        in_graphs(|| {
            let (graph, owned) = self.graph(selection)?;
            Ok(Subnet::new(graph, &owned, &self.declared.parameters))
        })
    }

    /// The graph of a selection, checked, and the values of parameters that belong to an option.
    fn graph(&self, selection: &Selection) -> Result<(Graph, Vec<(OptionMark, u32)>)> {
        let refuse = |text: &str| {
            let architecture = selection.architecture();
            let failure = self.identity.failure("describe", text);
            match architecture {
                Some(architecture) => failure.hint(format!("it was describing the options {architecture:?}")),
                None => failure,
            }
        };
        let builder = Builder::new(&self.declared.parameters, &self.inputs)?;
        let mut host = DescribeHost::new(builder, selection);
        let describe = || self.object.describe(Graph_TO::from_ptr(&mut host, TD_Opaque));
        describing(|| self.identity.call("describe", describe))?;
        let (builder, owned) = host.into_parts();
        let graph = builder.finish().map_err(|error| refuse(&error.to_string()))?;
        let expected = vec![-1, self.task.classes as i64];
        match graph.outputs().iter().find(|(name, _)| name == "logits") {
            None => return Err(refuse("the graph has no output `logits`")),
            Some((_, value)) if graph.node(*value).shape != expected => {
                let found = nshot_graph::ShowShape(&graph.node(*value).shape).to_string();
                let expected = nshot_graph::ShowShape(&expected).to_string();
                return Err(refuse(&format!("the output `logits` is {found}, expected {expected}")));
            }
            Some(_) => {}
        }
        Ok((graph, owned))
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.to_string()
    }
}
