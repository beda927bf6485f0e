//! The parameters that a space declares: facts only, the numbers are drawn elsewhere.

use std::collections::HashMap;

use crate::{GraphError, Result, Value, attributes::Reader, limits, names, shape};

/// What a parameter is for; rules such as weight decay go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Of a convolution or linear map.
    Weight,
    /// Added to a convolution's or linear map's result.
    Bias,
    /// Scale and shift of a norm.
    Norm,
    /// Running statistics; not trained.
    Buffer,
    /// Weights the options of choices.
    Architecture,
}

impl Role {
    const ALL: [Role; 5] = [Role::Weight, Role::Bias, Role::Norm, Role::Buffer, Role::Architecture];

    /// The role's name in a declaration.
    pub fn name(self) -> &'static str {
        match self {
            Role::Weight => "weight",
            Role::Bias => "bias",
            Role::Norm => "norm",
            Role::Buffer => "buffer",
            Role::Architecture => "architecture",
        }
    }

    /// The role called `name`.
    pub fn from_name(name: &str) -> Result<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| GraphError::Unknown {
            what: "role",
            name: names::shorten(name),
            nearest: names::nearest(name, Role::ALL.iter().map(|role| role.name())),
        })
    }

    /// Whether elements of the role count as parameters of a subnet.
    pub fn counts(self) -> bool {
        !matches!(self, Role::Buffer | Role::Architecture)
    }
}

/// The distribution that a parameter's first values come from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Initialisation {
    /// Uniform in `[low, high)`.
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        std: f64,
    },
    Zeros,
    Ones,
    Constant {
        value: f64,
    },
}

impl Initialisation {
    const NAMES: [&str; 5] = ["uniform", "normal", "zeros", "ones", "constant"];

    /// From its name and attributes: `uniform` (`low`, `high`), `normal` (`mean`, `std`), `zeros`, `ones`,
    /// `constant` (`value`); all attributes required and finite.
    pub fn parse(name: &str, attributes: &[(String, Value)]) -> Result<Initialisation> {
        let mut read = Reader::new(name, name, attributes)?;
        let made = match name {
            "uniform" => {
                Initialisation::Uniform { low: read.float("low", None)?, high: read.float("high", None)? }
            }
            "normal" => {
                Initialisation::Normal { mean: read.float("mean", None)?, std: read.float("std", None)? }
            }
            "zeros" => Initialisation::Zeros,
            "ones" => Initialisation::Ones,
            "constant" => Initialisation::Constant { value: read.float("value", None)? },
            _ => {
                return Err(GraphError::Unknown {
                    what: "initialisation",
                    name: names::shorten(name),
                    nearest: names::nearest(name, Self::NAMES),
                });
            }
        };
        read.finish()?;
        Ok(made)
    }

    fn problem(self) -> Option<String> {
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        match self {
            Initialisation::Uniform { low, high } if !finite(&[low, high, high - low]) || low > high => Some(
                format!("is initialised uniformly from {low} to {high}, expected finite bounds in order"),
            ),
            Initialisation::Normal { mean, std } if !finite(&[mean, std]) || std < 0.0 => Some(format!(
                "is initialised with mean {mean} and deviation {std}, expected finite ones, the deviation not negative"
            )),
            Initialisation::Constant { value } if !value.is_finite() => {
                Some(format!("is initialised with {value}, expected a finite number"))
            }
            _ => None,
        }
    }
}

/// One declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// Unique in its space.
    pub name: String,
    /// Sizes; none negative.
    pub shape: Vec<i64>,
    /// What it is for.
    pub role: Role,
    /// Where its first values come from.
    pub init: Initialisation,
}

impl ParameterSpec {
    /// Number of elements; 0 for a shape that [`Parameters::declare`] refuses.
    pub fn elements(&self) -> u64 {
        shape::elements(&self.shape).map_or(0, |(count, _)| count.unsigned_abs())
    }
}

/// All parameters of a space, in the order of declaration; an index into it names a parameter everywhere.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    specs: Vec<ParameterSpec>,
    indices: HashMap<String, usize>,
    elements: i64,
}

impl Parameters {
    /// No parameters.
    pub fn new() -> Parameters {
        Parameters::default()
    }

    /// Adds `spec` and returns its index.
    ///
    /// # Errors
    /// A name that is there already, empty, too long or with control characters; a shape with negative sizes
    /// or beyond the [`limits`]; an initialisation that is not finite.
    pub fn declare(&mut self, spec: ParameterSpec) -> Result<usize> {
        names::check("parameter", &spec.name)?;
        let wrong = |problem| GraphError::Declaration { what: "parameter", name: spec.name.clone(), problem };
        if spec.shape.iter().any(|size| *size < 0) {
            return Err(wrong(format!(
                "has the shape {:?}, expected sizes that are not negative",
                clip(&spec.shape)
            )));
        }
        if let Some(problem) = shape::problem(&spec.shape).or_else(|| spec.init.problem()) {
            return Err(wrong(problem));
        }
        if self.indices.contains_key(&spec.name) {
            return Err(GraphError::Duplicate { what: "parameter", name: spec.name });
        }
        if self.specs.len() >= limits::PARAMETERS {
            return Err(GraphError::Limit { what: "parameters", limit: limits::PARAMETERS });
        }
        let elements = self.elements.saturating_add(spec.elements() as i64);
        if elements > limits::PARAMETER_ELEMENTS {
            let limit = limits::PARAMETER_ELEMENTS as usize;
            return Err(GraphError::Limit { what: "elements in all parameters together", limit });
        }
        self.elements = elements;
        self.indices.insert(spec.name.clone(), self.specs.len());
        self.specs.push(spec);
        Ok(self.specs.len() - 1)
    }

    /// Index of the parameter called `name`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    /// The parameter with that index.
    pub fn get(&self, index: usize) -> Option<&ParameterSpec> {
        self.specs.get(index)
    }

    /// All of them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ParameterSpec> {
        self.specs.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }
}

impl<'a> IntoIterator for &'a Parameters {
    type Item = &'a ParameterSpec;
    type IntoIter = std::slice::Iter<'a, ParameterSpec>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn clip(sizes: &[i64]) -> &[i64] {
    &sizes[..sizes.len().min(2 * limits::DIMENSIONS)]
}
