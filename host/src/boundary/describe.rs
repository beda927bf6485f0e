//! Takes a space's declarations and the description of a subnet.

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, ValueRange};
use nshot_abi::{AbiResult, Attribute, Value as AbiValue};
use nshot_graph::{Builder, Initialisation, ParameterSpec, Parameters, Role, Value};

use super::{Named, answer, graph_attributes};
use crate::selection::{Picked, Selection, Weighting};
use crate::space::Choice;

/// Names longer than this are refused: they come from a plugin.
const NAME_LENGTH: usize = 256;
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
}

impl DeclareHost {
    fn add_choice(
        &mut self,
        name: &str,
        options: &[RString],
        attributes: &[Attribute],
    ) -> Result<u32, String> {
        Named::new("choice", attributes)?.finish()?;
        check_name("a choice", name)?;
        if self.declared.choices.iter().any(|choice| choice.name == name) {
            return Err(format!("the choice `{name}` is declared twice"));
        }
        if self.declared.choices.len() >= OPTIONS || options.len() > OPTIONS {
            return Err(format!("more than {OPTIONS} choices or options"));
        }
        if options.is_empty() {
            return Err(format!("the choice `{name}` has no options"));
        }
        let mut names: Vec<String> = Vec::with_capacity(options.len());
        for option in options {
            check_name("an option", option)?;
            if names.iter().any(|other| other == option.as_str()) {
                return Err(format!("the choice `{name}` has the option `{option}` twice"));
            }
            names.push(option.to_string());
        }
        self.declared.choices.push(Choice { name: name.to_owned(), options: names });
        Ok(self.declared.choices.len() as u32 - 1)
    }

    fn add_parameter(&mut self, name: &str, shape: &[u64], attributes: &[Attribute]) -> Result<u32, String> {
        let mut rest = graph_attributes(attributes);
        let mut text = |key: &str| match rest.iter().position(|(name, _)| name == key) {
            Some(index) => match rest.swap_remove(index).1 {
                Value::Text(text) => Ok(text),
                other => Err(format!("parameter `{name}`: `{key}` is {other:?}, expected a text")),
            },
            None => Err(format!("parameter `{name}`: `{key}` is missing")),
        };
        let (role, init) = (text("role")?, text("init")?);
        let place = |error: nshot_graph::GraphError| format!("parameter `{name}`: {error}");
        let shape = shape.iter().map(|&size| i64::try_from(size)).collect::<Result<Vec<_>, _>>();
        let spec = ParameterSpec {
            name: name.to_owned(),
            shape: shape.map_err(|_| format!("parameter `{name}`: a size above 2^63"))?,
            role: Role::from_name(&role).map_err(place)?,
            init: Initialisation::parse(&init, &rest).map_err(place)?,
        };
        self.declared.parameters.declare(spec).map(|index| index as u32).map_err(|error| error.to_string())
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{what} has an empty name"));
    }
    if name.len() > NAME_LENGTH || name.chars().any(char::is_control) {
        let start: String = name.chars().take(32).map(|c| if c.is_control() { '?' } else { c }).collect();
        return Err(format!(
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
}

impl<'a> DescribeHost<'a> {
    /// For the subnet of a selection, whose options are in range.
    pub fn new(builder: Builder<'a>, selection: &'a Selection) -> Self {
        Self { builder, selection }
    }

    /// The graph's builder with all that was described.
    pub fn into_builder(self) -> Builder<'a> {
        self.builder
    }

    fn picked(&self, choice: u32) -> Result<&'a Picked, String> {
        let picked = &self.selection.0;
        picked.get(choice as usize).ok_or_else(|| {
            format!("there is no choice {choice}; the space declares {} of them", picked.len())
        })
    }

    fn weight(&mut self, choice: u32, option: u32) -> Result<Option<u32>, String> {
        let picked = self.picked(choice)?;
        let Some(position) = picked.options.iter().position(|&other| other == option) else {
            return Err(format!("option {option} is not selected at choice {choice}"));
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
    fn softmax(&mut self, name: &str, options: &[u32]) -> Result<u32, String> {
        let logits = self.builder.parameter(name).map_err(|error| error.to_string())?;
        let terms = options
            .iter()
            .map(|&option| self.slice(logits, i64::from(option)))
            .collect::<Result<Vec<_>, _>>()?;
        let selected = self.op("cat", &terms, &[("dim".to_owned(), Value::Int(0))])?;
        self.op("softmax", &[selected], &[("dim".to_owned(), Value::Int(0))])
    }

    fn slice(&mut self, value: u32, at: i64) -> Result<u32, String> {
        let attributes = [("dim", 0), ("start", at), ("end", at + 1)];
        let attributes = attributes.map(|(name, number)| (name.to_owned(), Value::Int(number)));
        self.op("slice", &[value], &attributes)
    }

    fn op(&mut self, name: &str, inputs: &[u32], attributes: &[(String, Value)]) -> Result<u32, String> {
        self.builder
            .op(name, inputs, attributes)
            .map(|values| values.first)
            .map_err(|error| error.to_string())
    }
}

impl host::Graph for DescribeHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<AbiValue> {
        ROption::RNone
    }

    fn input(&mut self, name: RStr<'_>) -> AbiResult<u32> {
        answer(|| self.builder.input(name.as_str()))
    }

    fn parameter(&mut self, name: RStr<'_>) -> AbiResult<u32> {
        answer(|| self.builder.parameter(name.as_str()))
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

    fn output(&mut self, name: RStr<'_>, value: u32) -> AbiResult<()> {
        answer(|| self.builder.output(name.as_str(), value))
    }

    fn push_scope(&mut self, name: RStr<'_>) -> AbiResult<()> {
        answer(|| self.builder.push_scope(name.as_str()))
    }

    fn pop_scope(&mut self) -> AbiResult<()> {
        answer(|| self.builder.pop_scope())
    }
}
