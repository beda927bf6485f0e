//! The graph of one subnet, described like a forward pass over values.

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr};
use nshot_abi::host::GraphMut;

use crate::attributes::{Attributes, none};
use crate::error::{Error, Result, answer};
use crate::run::ChoiceIndex;

/// A value of the graph: an image batch, a feature map, a parameter, a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(pub(crate) u32);

/// Describes the selected subnet. Every method checks shapes at once; an error names the node and both shapes.
///
/// Shapes are `[N, C, H, W]` for feature maps, as in PyTorch. The batch size is not known here: [`Graph::shape`]
/// gives -1 for it, and -k for k times it.
pub struct Graph<'a>(pub(crate) GraphMut<'a>);

/// Geometry of a pooling: square kernel, stride and zero padding on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Side of the kernel.
    pub kernel: u64,
    /// Stride.
    pub stride: u64,
    /// Padding on each side.
    pub padding: u64,
}

impl Graph<'_> {
    /// A named input: `image` `[N, C, H, W]`, or `progress`, a number from 0 to 1.
    pub fn input(&mut self, name: &str) -> Result<Value> {
        answer(self.0.input(name.into(), none())).map(Value)
    }

    /// A declared parameter, by its name.
    pub fn parameter(&mut self, name: &str) -> Result<Value> {
        answer(self.0.parameter(name.into())).map(Value)
    }

    /// An operation by its name, with one result.
    pub fn op(&mut self, name: &str, inputs: &[Value], attributes: &Attributes) -> Result<Value> {
        let inputs: Vec<u32> = inputs.iter().map(|value| value.0).collect();
        let range =
            answer(self.0.op(name.into(), RSlice::from(&inputs[..]), RSlice::from(&attributes.0[..])))?;
        if range.count == 1 {
            Ok(Value(range.first))
        } else {
            Err(Error::new(format!("`{name}` has {} results; this method takes one", range.count)))
        }
    }

    /// Shape of a value; -k stands for k times the batch size.
    pub fn shape(&self, value: Value) -> Result<Vec<i64>> {
        answer(self.0.shape(value.0)).map(Into::into)
    }

    /// Names a value as an output. Every space has `logits`, `[N, classes]`.
    pub fn output(&mut self, name: &str, value: Value) -> Result<()> {
        answer(self.0.output(name.into(), value.0, none()))
    }

    /// Describes within a scope: the prefix of the names of the nodes described inside.
    pub fn scope<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.scope_with(name, &Attributes::new(), inside)
    }

    fn scope_with<T>(
        &mut self,
        name: &str,
        attributes: &Attributes,
        inside: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        answer(self.0.push_scope(name.into(), RSlice::from(&attributes.0[..])))?;
        let result = inside(self);
        answer(self.0.pop_scope())?;
        result
    }

    /// Options that the subnet takes at a choice: one, or several.
    pub fn selected(&self, choice: ChoiceIndex) -> Result<Vec<u32>> {
        answer(self.0.selected(choice)).map(Into::into)
    }

    /// Expands what the subnet selected at a choice: one option, the sum of several, or a weighted sum.
    pub fn choose(
        &mut self,
        choice: ChoiceIndex,
        mut describe: impl FnMut(&mut Self, u32) -> Result<Value>,
    ) -> Result<Value> {
        let mut terms = Vec::new();
        for option in self.selected(choice)? {
            // So that the host knows which parameters are the option's own.
            let mark = crate::attributes! { choice: choice, option: option };
            let term = self.scope_with("", &mark, |g| describe(g, option))?;
            terms.push(match answer(self.0.option_weight(choice, option))? {
                ROption::RSome(weight) => self.mul(term, Value(weight))?,
                ROption::RNone => term,
            });
        }
        match terms[..] {
            [] => Err(Error::new(format!("choice {choice} has no selected option"))),
            [only] => Ok(only),
            _ => self.add(&terms),
        }
    }

    /// A fact that a later host may give; nothing if this host does not know the name.
    pub fn attribute(&self, name: &str) -> Option<nshot_abi::Value> {
        self.0.attribute(RStr::from(name)).into()
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl Graph<'_> {
            $($(#[$doc])* pub fn $name(&mut self, x: Value) -> Result<Value> {
                self.op(stringify!($name), &[x], &Attributes::new())
            })*
        }
    };
}

unary! {
    /// max(x, 0).
    relu,
    /// min(max(x, 0), 6).
    relu6,
    /// x · relu6(x + 3) / 6.
    hardswish,
    /// 1 / (1 + exp(-x)).
    sigmoid,
    /// x · Φ(x), with the normal distribution's Φ.
    gelu,
    /// Mean over height and width: `[N, C, H, W]` to `[N, C]`.
    global_avg_pool,
    /// Zeros of the same shape.
    zeros_like,
}

/// Operations with a result computed from values and a few numbers.
impl Graph<'_> {
    /// Sum of values of one shape (or shapes that broadcast).
    pub fn add(&mut self, terms: &[Value]) -> Result<Value> {
        self.op("add", terms, &Attributes::new())
    }

    /// Product of two values, broadcasting.
    pub fn mul(&mut self, x: Value, y: Value) -> Result<Value> {
        self.op("mul", &[x, y], &Attributes::new())
    }

    /// Values side by side along a dimension.
    pub fn cat(&mut self, values: &[Value], dim: i64) -> Result<Value> {
        self.op("cat", values, &Attributes::new().with("dim", dim))
    }

    /// Mean over windows. `count_padding`: whether the zeros of the padding count.
    pub fn avg_pool2d(&mut self, x: Value, pool: Pool, count_padding: bool) -> Result<Value> {
        self.op("avg_pool2d", &[x], &pool.attributes().with("count_include_pad", count_padding))
    }

    /// Maximum over windows.
    pub fn max_pool2d(&mut self, x: Value, pool: Pool) -> Result<Value> {
        self.op("max_pool2d", &[x], &pool.attributes())
    }

    /// Batch norm without parameters, with the statistics of the batch at hand, also in evaluation
    /// (eps = 1e-5). [`BatchNorm`](crate::layers::BatchNorm) has parameters.
    pub fn batch_norm(&mut self, x: Value) -> Result<Value> {
        self.op("batch_norm", &[x], &Attributes::new())
    }

    /// Elements `start`, `start + 1`, … `end - 1` of a dimension.
    pub fn slice(&mut self, x: Value, dim: i64, start: i64, end: i64) -> Result<Value> {
        self.op("slice", &[x], &crate::attributes! { dim: dim, start: start, end: end })
    }

    /// The same elements in another shape; one -1 is inferred.
    pub fn reshape(&mut self, x: Value, shape: &[i64]) -> Result<Value> {
        self.op("reshape", &[x], &Attributes::new().with("shape", shape))
    }

    /// Two dimensions exchanged.
    pub fn transpose(&mut self, x: Value, dim0: i64, dim1: i64) -> Result<Value> {
        self.op("transpose", &[x], &crate::attributes! { dim0: dim0, dim1: dim1 })
    }

    /// Matrix product over the last two dimensions.
    pub fn matmul(&mut self, x: Value, y: Value) -> Result<Value> {
        self.op("matmul", &[x, y], &Attributes::new())
    }

    /// exp(x) divided by its sum along a dimension.
    pub fn softmax(&mut self, x: Value, dim: i64) -> Result<Value> {
        self.op("softmax", &[x], &Attributes::new().with("dim", dim))
    }

    /// Zeroes each element with probability `p` in training, and scales the rest by 1 / (1 - p).
    pub fn dropout(&mut self, x: Value, p: f64) -> Result<Value> {
        self.op("dropout", &[x], &Attributes::new().with("p", p))
    }

    /// A number.
    pub fn constant(&mut self, value: f64) -> Result<Value> {
        self.op("constant", &[], &Attributes::new().with("value", value))
    }
}

impl Pool {
    fn attributes(self) -> Attributes {
        crate::attributes! { kernel: self.kernel, stride: self.stride, padding: self.padding }
    }
}
