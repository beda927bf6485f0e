//! Elementwise operations and reductions through `aten::_foreach_*`.

use tch::{Kind, Tensor};

use super::arguments::{Arguments, Numbers};
use super::{List, UpdateTable};
use crate::dispatch::{Argument, call};
use crate::gradients::global_norm;
use crate::{Result, TorchError};

/// The new list, or none for operations in place.
type Made = Option<Vec<Tensor>>;

pub(super) fn operation(
    table: &UpdateTable<'_>,
    name: &str,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Made> {
    let lists = handles.iter().map(|&handle| table.list(handle)).collect::<Result<Vec<_>>>()?;
    let (base, in_place) = name.strip_suffix('_').map_or((name, false), |base| (base, true));
    let call = Call { base, in_place, lists: &lists };
    match base {
        "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "pow" => call.binary(arguments),
        "clamp_min" | "clamp_max" => {
            let base = if base == "clamp_min" { "maximum" } else { "minimum" };
            call.takes(1)?;
            Call { base, ..call }.with_numbers("value", "scalar", "scalars", None, arguments)
        }
        "lerp" => {
            call.takes(2)?;
            call.with_numbers("weight", "weight", "weight", None, arguments)
        }
        "addcmul" | "addcdiv" => {
            call.takes(3)?;
            call.with_numbers("value", "value", "scalars", Some(1.0), arguments)
        }
        "sqrt" | "rsqrt" | "abs" | "sign" | "neg" | "reciprocal" | "exp" | "log" => {
            call.takes(1)?;
            arguments.finish()?;
            call.run("", &[], &[])
        }
        "copy" if in_place => {
            call.takes(2)?;
            arguments.finish()?;
            let b = call.operand(1)?;
            call.run("", &[Argument::Tensors(&b)], &[])
        }
        "zero" if in_place => {
            call.takes(1)?;
            arguments.finish()?;
            call.run("", &[], &[])
        }
        _ if in_place => Err(unknown()),
        _ => call.makes(table, arguments),
    }
}

fn unknown() -> TorchError {
    TorchError::invalid("is not an operation on lists of tensors of this host")
}

struct Call<'a> {
    base: &'a str,
    in_place: bool,
    lists: &'a [&'a List],
}

impl Call<'_> {
    fn takes(&self, count: usize) -> Result<()> {
        if self.lists.len() == count {
            return Ok(());
        }
        Err(TorchError::invalid(format!("takes {count} lists, found {}", self.lists.len())))
    }

    fn first(&self) -> Result<Vec<&Tensor>> {
        let list = self.lists.first().ok_or_else(|| TorchError::invalid("takes at least one list"))?;
        Ok(list.tensors.iter().collect())
    }

    /// The list at `position`, one tensor per tensor of the first list, each of its shape or a scalar.
    fn operand(&self, position: usize) -> Result<Vec<&Tensor>> {
        let first = self.first()?;
        let list = &self.lists[position].tensors;
        let spread = match list.as_slice() {
            [one] if one.dim() == 0 => vec![one; first.len()],
            _ => list.iter().collect(),
        };
        if spread.len() != first.len() {
            return Err(TorchError::invalid(format!(
                "list {} has {} tensors, expected {} as in the first",
                position + 1,
                spread.len(),
                first.len()
            )));
        }
        for (i, (a, b)) in first.iter().zip(&spread).enumerate() {
            if b.dim() != 0 && a.size() != b.size() {
                return Err(TorchError::invalid(format!(
                    "tensor {i} of list {} has the shape {:?}, expected {:?} or a scalar",
                    position + 1,
                    b.size(),
                    a.size()
                )));
            }
        }
        Ok(spread)
    }

    /// Two lists, or one and a number.
    fn binary(&self, arguments: &mut Arguments<'_>) -> Result<Made> {
        if self.lists.len() == 1 {
            let (name, one, each) = match self.base {
                "pow" => ("exponent", "exponent", "exponent"),
                _ => ("value", "scalar", "scalars"),
            };
            return self.with_numbers(name, one, each, None, arguments);
        }
        self.takes(2)?;
        let alpha = match self.base {
            "add" | "sub" => Some(arguments.float("alpha", Some(1.0))?),
            _ => None,
        };
        arguments.finish()?;
        let second = self.operand(1)?;
        let scalar = match self.lists[1].tensors.as_slice() {
            [one] if one.dim() == 0 && matches!(self.base, "add" | "mul" | "div") => Some(one),
            _ => None,
        };
        let named: Vec<_> = alpha.map(|alpha| ("alpha", Argument::Float(alpha))).into_iter().collect();
        match scalar {
            Some(one) => self.run("Tensor", &[Argument::Tensor(one)], &named),
            None => self.run("List", &[Argument::Tensors(&second)], &named),
        }
    }

    /// The remaining lists as tensors, and a number or one number per tensor.
    fn with_numbers(
        &self,
        name: &'static str,
        one: &str,
        each: &str,
        default: Option<f64>,
        arguments: &mut Arguments<'_>,
    ) -> Result<Made> {
        let numbers = arguments.numbers(name, default, self.first()?.len())?;
        arguments.finish()?;
        let rest = (1..self.lists.len()).map(|i| self.operand(i)).collect::<Result<Vec<_>>>()?;
        let rest: Vec<_> = rest.iter().map(|list| Argument::Tensors(list)).collect();
        match &numbers {
            Numbers::All(value) => self.run("Scalar", &rest, &[(one, Argument::Float(*value))]),
            Numbers::Each(values) => self.run("ScalarList", &rest, &[(each, Argument::Floats(values))]),
        }
    }

    fn run(&self, overload: &str, rest: &[Argument<'_>], named: &[(&str, Argument<'_>)]) -> Result<Made> {
        let first = self.first()?;
        // libtorch refuses empty lists; here they are what a step without gradients has.
        if first.is_empty() {
            return Ok((!self.in_place).then(Vec::new));
        }
        let suffix = if self.in_place { "_" } else { "" };
        let dot = if overload.is_empty() { "" } else { "." };
        let operator = format!("aten::_foreach_{}{suffix}{dot}{overload}", self.base);
        let mut tensors = vec![Argument::Tensors(&first)];
        tensors.extend_from_slice(rest);
        let made = call(&operator, &tensors, named)?;
        Ok((!self.in_place).then_some(made))
    }

    /// Reductions and new lists.
    fn makes(&self, table: &UpdateTable<'_>, arguments: &mut Arguments<'_>) -> Result<Made> {
        const NAMES: [&str; 7] = ["norm", "sum", "global_norm", "total", "zeros_like", "ones_like", "copy"];
        if !NAMES.contains(&self.base) {
            return Err(unknown());
        }
        self.takes(1)?;
        let p = if self.base == "norm" { arguments.float("p", Some(2.0))? } else { 2.0 };
        arguments.finish()?;
        let first = self.first()?;
        let each = |make: &dyn Fn(&Tensor) -> Result<Tensor, tch::TchError>| {
            first.iter().map(|tensor| Ok(make(tensor)?)).collect::<Result<Vec<_>>>()
        };
        let options = (table.store.precision().kind(), table.store.device().tch());
        Ok(Some(match self.base {
            "norm" => return self.run("Scalar", &[], &[("ord", Argument::Float(p))]),
            "sum" => each(&|tensor| tensor.f_sum(None::<Kind>))?,
            "global_norm" if first.is_empty() => vec![Tensor::f_zeros([], options)?],
            "global_norm" => vec![global_norm(&self.lists[0].tensors)?],
            "total" => {
                let mut sum = Tensor::f_zeros([], options)?;
                for tensor in each(&|tensor| tensor.f_sum(None::<Kind>))? {
                    sum = sum.f_add_(&tensor)?;
                }
                vec![sum]
            }
            "zeros_like" => each(&Tensor::f_zeros_like)?,
            "ones_like" => each(&Tensor::f_ones_like)?,
            _ => each(&|tensor| tensor.f_zeros_like()?.f_add(tensor))?,
        }))
    }
}
