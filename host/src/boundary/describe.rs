//! Takes a space's declarations and the description of a subnet.

use std::collections::HashSet;

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, ValueRange};
use nshot_abi::{AbiResult, Attribute, Value as AbiValue};
use nshot_graph::{Builder, Initialisation, ParameterSpec, Parameters, Role, Value};

use super::{Named, Refusal, answer, graph_attributes, refuse, shown};
use crate::selection::{Picked, Selection, Weighting};
use crate::space::Choice;

/// Names longer than this are refused: they come from a plugin.
const NAME_LENGTH: usize = 256;
/// More scopes inside one another than this are taken for a mistake.
const SCOPES: usize = 256;
/// More options than this are taken for a mistake.
const OPTIONS: usize = 65_536;

/// What a space declared.
#[derive(Debug, Default)]
pub struct Declared {
    /// The choices, in order.
    pub choices: Vec<Choice>,
    /// The parameters, in order.
    pub parameters: Parameters,
}

/// Takes declarations.
#[derive(Debug, Default)]
pub struct DeclareHost {
    /// What was declared so far.
    pub declared: Declared,
    /// Whether a sampler declares: parameters of the role `architecture` alone, and no choices.
    pub sampler: bool,
}

impl DeclareHost {
    fn add_choice(
        &mut self,
        name: &str,
        options: &[RString],
        attributes: &[Attribute],
    ) -> Result<u32, Refusal> {
        Named::new("choice", attributes)?.finish()?;
        if self.sampler {
            return refuse("a sampler declares no choices");
        }
        check_name("a choice", name)?;
        if self.declared.choices.iter().any(|choice| choice.name == name) {
            return refuse(format!("the choice `{name}` is declared twice"));
        }
        if self.declared.choices.len() >= OPTIONS || options.len() > OPTIONS {
            return refuse(format!("more than {OPTIONS} choices or options"));
        }
        if options.is_empty() {
            return refuse(format!("the choice `{name}` has no options"));
        }
        let mut seen = HashSet::with_capacity(options.len());
        for option in options {
            check_name("an option", option)?;
            if !seen.insert(option.as_str()) {
                return refuse(format!("the choice `{name}` has the option `{option}` twice"));
            }
        }
        let names = options.iter().map(ToString::to_string).collect();
        self.declared.choices.push(Choice { name: name.to_owned(), options: names });
        Ok(self.declared.choices.len() as u32 - 1)
    }

    fn add_parameter(&mut self, name: &str, shape: &[u64], attributes: &[Attribute]) -> Result<u32, Refusal> {
        let mut rest = graph_attributes(attributes);
        let shown = shown(name);
        let mut text = |key: &str| match rest.iter().position(|(name, _)| name == key) {
            Some(index) => match rest.swap_remove(index).1 {
                Value::Text(text) => Ok(text),
                other => refuse(format!("parameter `{shown}`: `{key}` is {}, expected a text", other.kind())),
            },
            None => refuse(format!("parameter `{shown}`: `{key}` is missing")),
        };
        let (role, init) = (text("role")?, text("init")?);
        let place = |error: nshot_graph::GraphError| format!("parameter `{shown}`: {error}");
        let shape = shape.iter().map(|&size| i64::try_from(size)).collect::<Result<Vec<_>, _>>();
        let spec = ParameterSpec {
            name: name.to_owned(),
            shape: shape.map_err(|_| format!("parameter `{shown}`: a size above 2^63"))?,
            role: Role::from_name(&role).map_err(place)?,
            init: Initialisation::parse(&init, &rest).map_err(place)?,
        };
        if self.sampler && spec.role != Role::Architecture {
            return refuse(format!(
                "parameter `{shown}` has the role `{}`; a sampler declares those of the role `architecture`",
                spec.role.name()
            ));
        }
        self.declared.parameters.declare(spec).map(|index| index as u32).map_err(Refusal::from)
    }
}

fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return refuse(format!("{what} has an empty name"));
    }
    if name.len() > NAME_LENGTH || name.chars().any(char::is_control) {
        let start: String = name.chars().take(32).map(|c| if c.is_control() { '?' } else { c }).collect();
        return refuse(format!(
            "{what} has a name of {} bytes, `{start}…`, expected at most {NAME_LENGTH} without control characters",
            name.len()
        ));
    }
    Ok(())
}

impl host::Declare for DeclareHost {
    fn choice(
        &mut self,
        name: RStr<'_>,
        options: RSlice<'_, RString>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<u32> {
        answer(|| self.add_choice(name.as_str(), options.as_slice(), attributes.as_slice()))
    }

    fn parameter(
        &mut self,
        name: RStr<'_>,
        shape: RSlice<'_, u64>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<u32> {
        answer(|| self.add_parameter(name.as_str(), shape.as_slice(), attributes.as_slice()))
    }
}

/// Takes the description of one subnet.
pub struct DescribeHost<'a> {
    builder: Builder<'a>,
    selection: &'a Selection,
    /// Open scopes: whether the builder has it, and the option that it belongs to.
    scopes: Vec<(bool, Option<OptionMark>)>,
    /// Parameters fetched inside an option's scope.
    owned: Vec<(OptionMark, u32)>,
}

/// An option of a choice.
pub type OptionMark = (u32, u32);

impl<'a> DescribeHost<'a> {
    /// For the subnet of a selection, whose options are in range.
    pub fn new(builder: Builder<'a>, selection: &'a Selection) -> Self {
        Self { builder, selection, scopes: Vec::new(), owned: Vec::new() }
    }

    /// The graph's builder with all that was described, and the parameters (as values) that belong to an option.
    pub fn into_parts(self) -> (Builder<'a>, Vec<(OptionMark, u32)>) {
        (self.builder, self.owned)
    }

    fn fetch(&mut self, name: &str) -> Result<u32, Refusal> {
        let value = self.builder.parameter(name)?;
        // The innermost option that is open.
        if let Some(mark) = self.scopes.iter().rev().find_map(|(_, mark)| *mark) {
            self.owned.push((mark, value));
        }
        Ok(value)
    }

    fn open(&mut self, name: &str, attributes: &[Attribute]) -> Result<(), Refusal> {
        let mut named = Named::new("push_scope", attributes)?;
        let (choice, option) = (named.count("choice")?, named.count("option")?);
        named.finish()?;
        let mark = match (choice, option) {
            (None, None) => None,
            (Some(choice), Some(option)) => {
                let choice = u32::try_from(choice).map_err(|_| format!("there is no choice {choice}"))?;
                if !self.picked(choice)?.options.iter().any(|&picked| u64::from(picked) == option) {
                    return refuse(format!("option {option} is not selected at choice {choice}"));
                }
                Some((choice, option as u32))
            }
            _ => return refuse("a scope has `choice` and `option`, or neither"),
        };
        if self.scopes.len() >= SCOPES {
            return refuse(format!("more than {SCOPES} scopes inside one another"));
        }
        let named = !(name.is_empty() && mark.is_some());
        if named {
            self.builder.push_scope(name)?;
        }
        self.scopes.push((named, mark));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        match self.scopes.pop() {
            Some((true, _)) => Ok(self.builder.pop_scope()?),
            Some((false, _)) => Ok(()),
            None => refuse("no scope is open"),
        }
    }

    fn picked(&self, choice: u32) -> Result<&'a Picked, String> {
        let picked = &self.selection.0;
        picked.get(choice as usize).ok_or_else(|| {
            format!("there is no choice {choice}; the space declares {} of them", picked.len())
        })
    }

    fn weight(&mut self, choice: u32, option: u32) -> Result<Option<u32>, Refusal> {
        let picked = self.picked(choice)?;
        let Some(position) = picked.options.iter().position(|&other| other == option) else {
            return refuse(format!("option {option} is not selected at choice {choice}"));
        };
        match &picked.weighting {
            Weighting::Plain => Ok(None),
            Weighting::Fixed(bits) => {
                let value = Value::Float(f64::from_bits(bits[position]));
                self.op("constant", &[], &[("value".to_owned(), value)]).map(Some)
            }
            Weighting::Parameter(name) => {
                let weights = self.softmax(name, &picked.options)?;
                let at = position as i64;
                self.slice(weights, at).map(Some)
            }
        }
    }

    /// The softmax of a parameter `[options]` over the selected ones.
    fn softmax(&mut self, name: &str, options: &[u32]) -> Result<u32, Refusal> {
        let logits = self.builder.parameter(name)?;
        let terms = options
            .iter()
            .map(|&option| self.slice(logits, i64::from(option)))
            .collect::<Result<Vec<_>, _>>()?;
        let selected = self.op("cat", &terms, &[("dim".to_owned(), Value::Int(0))])?;
        self.op("softmax", &[selected], &[("dim".to_owned(), Value::Int(0))])
    }

    fn slice(&mut self, value: u32, at: i64) -> Result<u32, Refusal> {
        let attributes = [("dim", 0), ("start", at), ("end", at + 1)];
        let attributes = attributes.map(|(name, number)| (name.to_owned(), Value::Int(number)));
        self.op("slice", &[value], &attributes)
    }

    fn op(&mut self, name: &str, inputs: &[u32], attributes: &[(String, Value)]) -> Result<u32, Refusal> {
        Ok(self.builder.op(name, inputs, attributes)?.first)
    }
}

impl host::Graph for DescribeHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<AbiValue> {
        ROption::RNone
    }

    fn input(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| {
            Named::new("input", attributes.as_slice())?.finish()?;
            Ok::<_, Refusal>(self.builder.input(name.as_str())?)
        })
    }

    fn parameter(&mut self, name: RStr<'_>) -> AbiResult<u32> {
        answer(|| self.fetch(name.as_str()))
    }

    fn op(
        &mut self,
        name: RStr<'_>,
        inputs: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange> {
        answer(|| {
            let attributes = graph_attributes(attributes.as_slice());
            let values = self.builder.op(name.as_str(), inputs.as_slice(), &attributes);
            values.map(|values| ValueRange { first: values.first, count: values.count })
        })
    }

    fn shape(&self, value: u32) -> AbiResult<RVec<i64>> {
        answer(|| self.builder.shape(value).map(|shape| shape.clone().into()))
    }

    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>> {
        answer(|| self.picked(choice).map(|picked| picked.options.clone().into()))
    }

    fn option_weight(&mut self, choice: u32, option: u32) -> AbiResult<ROption<u32>> {
        answer(|| self.weight(choice, option).map(ROption::from))
    }

    fn output(&mut self, name: RStr<'_>, value: u32, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        answer(|| {
            Named::new("output", attributes.as_slice())?.finish()?;
            Ok::<_, Refusal>(self.builder.output(name.as_str(), value)?)
        })
    }

    fn push_scope(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        answer(|| self.open(name.as_str(), attributes.as_slice()))
    }

    fn pop_scope(&mut self) -> AbiResult<()> {
        answer(|| self.close())
    }
}
