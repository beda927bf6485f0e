//! Takes the description of one subnet.

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::host::{self, ValueRange};
use nshot_abi::{AbiResult, Attribute, Value as AbiValue};
use nshot_graph::{Builder, Graph, Value};

use crate::adapter::guard;
use crate::error::Result;
use crate::testing::attributes::{Named, graph_attributes, graph_error, refuse};
use crate::testing::path::{Path, Picked, Weighting};

/// More scopes inside one another than this are taken for a mistake.
const SCOPES: usize = 256;

pub(super) struct DescribeHost<'a> {
    builder: Builder<'a>,
    path: &'a Path,
    /// Open scopes: whether the builder has it.
    scopes: Vec<bool>,
}

impl<'a> DescribeHost<'a> {
    pub(super) fn new(builder: Builder<'a>, path: &'a Path) -> Self {
        Self { builder, path, scopes: Vec::new() }
    }

    pub(super) fn finish(self) -> nshot_graph::Result<Graph> {
        self.builder.finish()
    }

    fn open(&mut self, name: &str, attributes: &[Attribute]) -> Result<()> {
        let mut named = Named::new("push_scope", attributes)?;
        let (choice, option) = (named.count("choice")?, named.count("option")?);
        named.finish()?;
        let marked = match (choice, option) {
            (None, None) => false,
            (Some(choice), Some(option)) => {
                let picked = self.picked(u32::try_from(choice).unwrap_or(u32::MAX))?;
                if !picked.options.iter().any(|&picked| u64::from(picked) == option) {
                    return refuse(format!("option {option} is not selected at choice {choice}"));
                }
                true
            }
            _ => return refuse("a scope has `choice` and `option`, or neither"),
        };
        if self.scopes.len() >= SCOPES {
            return refuse(format!("more than {SCOPES} scopes inside one another"));
        }
        let named = !(name.is_empty() && marked);
        if named {
            self.builder.push_scope(name).map_err(|error| graph_error(&error))?;
        }
        self.scopes.push(named);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        match self.scopes.pop() {
            Some(true) => self.builder.pop_scope().map_err(|error| graph_error(&error)),
            Some(false) => Ok(()),
            None => refuse("no scope is open"),
        }
    }

    fn picked(&self, choice: u32) -> Result<&'a Picked> {
        let picked = &self.path.picked;
        match picked.get(choice as usize) {
            Some(found) => Ok(found),
            None => {
                refuse(format!("there is no choice {choice}; the space declares {} of them", picked.len()))
            }
        }
    }

    /// The factor of an option. One of a parameter is a constant here: the parameter is a sampler's, and costs nothing.
    fn weight(&mut self, choice: u32, option: u32) -> Result<Option<u32>> {
        let picked = self.picked(choice)?;
        let Some(position) = picked.options.iter().position(|&other| other == option) else {
            return refuse(format!("option {option} is not selected at choice {choice}"));
        };
        let weight = match &picked.weighting {
            Weighting::Plain => return Ok(None),
            Weighting::Fixed(weights) => weights.get(position).copied().unwrap_or(1.0),
            Weighting::Parameter(_) => 1.0 / picked.options.len() as f64,
        };
        let value = [("value".to_owned(), Value::Float(weight))];
        let made = self.builder.op("constant", &[], &value).map_err(|error| graph_error(&error))?;
        Ok(Some(made.first))
    }
}

impl host::Graph for DescribeHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<AbiValue> {
        ROption::RNone
    }

    fn input(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        guard(|| {
            Named::new("input", attributes.as_slice())?.finish()?;
            self.builder.input(name.as_str()).map_err(|error| graph_error(&error))
        })
    }

    fn parameter(&mut self, name: RStr<'_>) -> AbiResult<u32> {
        guard(|| self.builder.parameter(name.as_str()).map_err(|error| graph_error(&error)))
    }

    fn op(
        &mut self,
        name: RStr<'_>,
        inputs: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange> {
        guard(|| {
            let attributes = graph_attributes(attributes.as_slice());
            let values = self.builder.op(name.as_str(), inputs.as_slice(), &attributes);
            let values = values.map_err(|error| graph_error(&error))?;
            Ok(ValueRange { first: values.first, count: values.count })
        })
    }

    fn shape(&self, value: u32) -> AbiResult<RVec<i64>> {
        guard(|| match self.builder.shape(value) {
            Ok(shape) => Ok(shape.clone().into()),
            Err(error) => Err(graph_error(&error)),
        })
    }

    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>> {
        guard(|| self.picked(choice).map(|picked| picked.options.clone().into()))
    }

    fn option_weight(&mut self, choice: u32, option: u32) -> AbiResult<ROption<u32>> {
        guard(|| self.weight(choice, option).map(ROption::from))
    }

    fn output(&mut self, name: RStr<'_>, value: u32, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        guard(|| {
            Named::new("output", attributes.as_slice())?.finish()?;
            self.builder.output(name.as_str(), value).map_err(|error| graph_error(&error))
        })
    }

    fn push_scope(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        guard(|| self.open(name.as_str(), attributes.as_slice()))
    }

    fn pop_scope(&mut self) -> AbiResult<()> {
        guard(|| self.close())
    }
}
