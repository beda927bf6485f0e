//! TorchScript: the source of a `forward` method, compiled by `torch::jit::Module::define`.

mod names;
mod operations;

use std::fmt::Write;

use nshot_graph::{Action, Graph, Mode, Op, Role, ValueId};

use self::names::{identifier, local_names, member_names, quoted};
use crate::{Error, Result, inputs::Inputs, names::Names};

/// A module's source and what it has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchScript {
    /// `def forward(self, image: Tensor) -> Tensor: …`: the graph's inputs that the outputs need, and always
    /// the first that depends on the batch. It returns the output if there is one, else a
    /// `Dict[str, Tensor]` of all by name, in order.
    pub source: String,
    /// Tensors to register before the source is compiled, in the order in which it uses them first.
    pub attributes: Vec<Attribute>,
}

/// A parameter as the module holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The parameter's name with `_` for all but ASCII letters and digits; with a number behind it where that
    /// is taken by another or by PyTorch's own modules.
    pub identifier: String,
    /// The parameter's index among the declared.
    pub parameter: usize,
    /// Whether it is a buffer.
    pub buffer: bool,
}

/// The source for `graph` in evaluation.
///
/// # Errors
/// Names the node whose operation TorchScript cannot say.
pub fn torch_script(graph: &Graph) -> Result<TorchScript> {
    let plan = graph.plan(Mode::Evaluation);
    let inputs = Inputs::of(graph, &plan);
    let mut locals = local_names();
    let arguments: Vec<String> =
        inputs.taken.iter().map(|index| locals.unique(&identifier(&graph.inputs()[*index].0))).collect();
    let mut script = Script {
        graph,
        batch: None,
        inputs,
        arguments,
        locals,
        members: member_names(),
        attributes: vec![],
        values: vec![None; graph.nodes().len()],
        made: 0,
        body: String::new(),
    };
    for step in &plan.steps {
        let value = match (step.action, &graph.node(step.node).op) {
            (Action::Zeros, _) => script.filled(step.node, 0.0),
            (_, Op::Input { index }) => script.input(step.node, *index)?,
            (_, Op::Parameter { .. }) => continue, // Named when something needs it.
            (Action::Compute, op) => operations::write(&mut script, step.node, op, &step.inputs)?,
        };
        script.values[step.node as usize] = Some(value);
    }
    let (kind, result) = script.result(&plan.outputs)?;
    let taken = script.arguments.iter().map(|name| format!("{name}: Tensor"));
    let arguments = std::iter::once("self".to_owned()).chain(taken).collect::<Vec<_>>().join(", ");
    let source = format!("def forward({arguments}) -> {kind}:\n{}    return {result}\n", script.body);
    Ok(TorchScript { source, attributes: script.attributes })
}

/// The source as it grows.
struct Script<'a> {
    graph: &'a Graph,
    inputs: Inputs,
    /// Names of the inputs taken.
    arguments: Vec<String>,
    /// The variable that holds the batch size, once something needs it.
    batch: Option<String>,
    locals: Names,
    members: Names,
    attributes: Vec<Attribute>,
    /// Per value of the graph the expression that holds it.
    values: Vec<Option<String>>,
    made: usize,
    body: String,
}

impl Script<'_> {
    /// Adds a statement; gives the variable that it sets.
    fn assign(&mut self, expression: &str) -> String {
        let name = self.locals.unique(&format!("v{}", self.made));
        self.made += 1;
        // Writing to a text does not fail.
        let _ = writeln!(self.body, "    {name} = {expression}");
        name
    }

    /// The expression that holds a value; a parameter becomes an attribute now.
    fn value(&mut self, value: ValueId) -> Result<String> {
        if let Some(held) = &self.values[value as usize] {
            return Ok(held.clone());
        }
        let node = self.graph.node(value);
        let Op::Parameter { index, role } = node.op else {
            return Err(self.refuse(value, "its input is not part of the plan"));
        };
        let identifier = self.members.unique(&identifier(&node.name));
        let held = format!("self.{identifier}");
        self.attributes.push(Attribute { identifier, parameter: index, buffer: role == Role::Buffer });
        self.values[value as usize] = Some(held.clone());
        Ok(held)
    }

    fn all(&mut self, values: &[ValueId]) -> Result<Vec<String>> {
        values.iter().map(|value| self.value(*value)).collect()
    }

    fn input(&self, value: ValueId, index: usize) -> Result<String> {
        self.argument(index).ok_or_else(|| self.refuse(value, "it is not among the inputs"))
    }

    fn argument(&self, index: usize) -> Option<String> {
        let at = self.inputs.taken.iter().position(|taken| *taken == index)?;
        self.arguments.get(at).cloned()
    }

    /// One number in the shape of `value`, in the precision and on the device of a tensor at hand.
    fn filled(&mut self, value: ValueId, number: f64) -> String {
        let sizes = self.sizes(value);
        let number = names::float(number);
        let like = match (self.arguments.first(), self.attributes.first()) {
            (Some(argument), _) => argument.clone(),
            (None, Some(attribute)) => format!("self.{}", attribute.identifier),
            (None, None) => return self.assign(&format!("torch.full({sizes}, {number}, dtype=6)")),
        };
        self.assign(&format!("torch.new_full({like}, {sizes}, {number})"))
    }

    /// A list of the sizes of `value`, for the batch at hand.
    fn sizes(&mut self, value: ValueId) -> String {
        let shape = self.graph.node(value).shape.clone();
        let sizes: Vec<String> = shape
            .iter()
            .map(|size| match *size {
                size if size >= 0 => size.to_string(),
                size => self.batch_times(size.saturating_neg()),
            })
            .collect();
        format!("[{}]", sizes.join(", "))
    }

    fn batch_times(&mut self, factor: i64) -> String {
        let argument = self.inputs.batch.and_then(|source| Some((source, self.argument(source.input)?)));
        let Some((source, argument)) = argument else { return factor.to_string() };
        let batch = self.batch.clone().unwrap_or_else(|| {
            let divided = if source.factor > 1 { format!(" // {}", source.factor) } else { String::new() };
            self.assign(&format!("torch.size({argument}, {}){divided}", source.dim))
        });
        self.batch = Some(batch.clone());
        if factor == 1 { batch } else { format!("{batch} * {factor}") }
    }

    /// Type and expression of what is returned.
    fn result(&mut self, outputs: &[(String, ValueId)]) -> Result<(&'static str, String)> {
        if let [(_, only)] = outputs {
            return Ok(("Tensor", self.value(*only)?));
        }
        let entries = outputs
            .iter()
            .map(|(name, value)| Ok(format!("{}: {}", quoted(name), self.value(*value)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(("Dict[str, Tensor]", format!("{{{}}}", entries.join(", "))))
    }

    fn refuse(&self, value: ValueId, reason: impl Into<String>) -> Error {
        let node = self.graph.node(value);
        let (operation, reason) = (node.op.name(), reason.into());
        Error::Operation { node: node.name.clone(), operation, format: "TorchScript", reason }
    }
}
