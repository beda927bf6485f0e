//! Takes declarations.

use std::collections::HashSet;

use nshot_abi::abi_stable::std_types::{RSlice, RStr, RString};
use nshot_abi::{AbiResult, Attribute, host};
use nshot_graph::{Initialisation, ParameterSpec, Parameters, Role, Value};

use crate::adapter::guard;
use crate::declare::Choice;
use crate::error::{Error, Result};
use crate::testing::attributes::{Named, graph_attributes, graph_error, refuse, shown};

/// Names longer than this are refused.
const NAME_LENGTH: usize = 256;
/// More choices or options than this are taken for a mistake.
const OPTIONS: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct DeclareHost {
    pub(crate) choices: Vec<Choice>,
    pub(crate) parameters: Parameters,
    /// Whether a sampler declares: parameters of the role `architecture` alone, and no choices.
    pub(crate) sampler: bool,
}

impl DeclareHost {
    fn add_choice(&mut self, name: &str, options: &[RString], attributes: &[Attribute]) -> Result<u32> {
        Named::new("choice", attributes)?.finish()?;
        if self.sampler {
            return refuse("a sampler declares no choices");
        }
        check_name("a choice", name)?;
        if self.choices.iter().any(|choice| choice.name == name) {
            return refuse(format!("the choice `{name}` is declared twice"));
        }
        if self.choices.len() >= OPTIONS || options.len() > OPTIONS {
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
        self.choices.push(Choice::new(name, options));
        Ok(self.choices.len() as u32 - 1)
    }

    fn add_parameter(&mut self, name: &str, shape: &[u64], attributes: &[Attribute]) -> Result<u32> {
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
        let place = |error: nshot_graph::GraphError| Error::new(format!("parameter `{shown}`: {error}"));
        let shape = shape.iter().map(|&size| i64::try_from(size)).collect::<std::result::Result<Vec<_>, _>>();
        let spec = ParameterSpec {
            name: name.to_owned(),
            shape: shape.map_err(|_| Error::new(format!("parameter `{shown}`: a size above 2^63")))?,
            role: Role::from_name(&role).map_err(place)?,
            init: Initialisation::parse(&init, &rest).map_err(place)?,
        };
        if self.sampler && spec.role != Role::Architecture {
            return refuse(format!(
                "parameter `{shown}` has the role `{}`; a sampler declares those of the role `architecture`",
                spec.role.name()
            ));
        }
        self.parameters.declare(spec).map(|index| index as u32).map_err(|error| graph_error(&error))
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
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
        guard(|| self.add_choice(name.as_str(), options.as_slice(), attributes.as_slice()))
    }

    fn parameter(
        &mut self,
        name: RStr<'_>,
        shape: RSlice<'_, u64>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<u32> {
        guard(|| self.add_parameter(name.as_str(), shape.as_slice(), attributes.as_slice()))
    }
}
