//! Elementwise operations and reductions on lists.

use super::arguments::{Arguments, Numbers};
use super::table::{Table, Tensor};

/// The new list, or none for operations in place.
pub(super) type Made = Option<Vec<usize>>;

/// An elementwise operation: of one element of each list, and a number.
type Rule = fn([f64; 3], f64) -> f64;

/// The attribute that gives a rule's number.
#[derive(Clone, Copy)]
enum Number {
    None,
    /// One for all tensors, with a default.
    One(&'static str, f64),
    /// One for all tensors, or one for each.
    Each(&'static str, Option<f64>),
}

/// The rule of an operation on so many lists.
fn rule(base: &str, lists: usize, in_place: bool) -> Result<(Number, Rule), String> {
    use Number::{Each, None, One};
    const VALUE: Number = Each("value", Option::None);
    let expects = |count: usize| Err(format!("takes {count} lists, found {lists}"));
    let found: (usize, Number, Rule) = match (base, lists) {
        ("add", 1) => (1, VALUE, |[a, ..], v| a + v),
        ("sub", 1) => (1, VALUE, |[a, ..], v| a - v),
        ("mul", 1) => (1, VALUE, |[a, ..], v| a * v),
        ("div", 1) => (1, VALUE, |[a, ..], v| a / v),
        ("maximum", 1) | ("clamp_min", _) => (1, VALUE, |[a, ..], v| larger(a, v)),
        ("minimum", 1) | ("clamp_max", _) => (1, VALUE, |[a, ..], v| -larger(-a, -v)),
        ("pow", 1) => (1, Each("exponent", Option::None), |[a, ..], v| a.powf(v)),
        ("add", _) => (2, One("alpha", 1.0), |[a, b, _], v| a + v * b),
        ("sub", _) => (2, One("alpha", 1.0), |[a, b, _], v| a - v * b),
        ("mul", _) => (2, None, |[a, b, _], _| a * b),
        ("div", _) => (2, None, |[a, b, _], _| a / b),
        ("maximum", _) => (2, None, |[a, b, _], _| larger(a, b)),
        ("minimum", _) => (2, None, |[a, b, _], _| -larger(-a, -b)),
        ("pow", _) => (2, None, |[a, b, _], _| a.powf(b)),
        ("lerp", _) => (2, Each("weight", Option::None), |[a, b, _], w| lerp(a, b, w)),
        ("addcmul", _) => (3, Each("value", Some(1.0)), |[a, b, c], v| a + v * b * c),
        ("addcdiv", _) => (3, Each("value", Some(1.0)), |[a, b, c], v| a + v * b / c),
        ("sqrt", _) => (1, None, |[a, ..], _| a.sqrt()),
        ("rsqrt", _) => (1, None, |[a, ..], _| 1.0 / a.sqrt()),
        ("abs", _) => (1, None, |[a, ..], _| a.abs()),
        ("sign", _) => (1, None, |[a, ..], _| f64::from(i8::from(a > 0.0) - i8::from(a < 0.0))),
        ("neg", _) => (1, None, |[a, ..], _| -a),
        ("reciprocal", _) => (1, None, |[a, ..], _| 1.0 / a),
        ("exp", _) => (1, None, |[a, ..], _| a.exp()),
        ("log", _) => (1, None, |[a, ..], _| a.ln()),
        ("copy", _) if in_place => (2, None, |[_, b, _], _| b),
        ("zero", _) if in_place => (1, None, |_, _| 0.0),
        ("copy", _) if !in_place => (1, None, |[a, ..], _| a),
        ("zeros_like", _) if !in_place => (1, None, |_, _| 0.0),
        ("ones_like", _) if !in_place => (1, None, |_, _| 1.0),
        _ => return Err("is not an operation on lists of tensors of this host".to_owned()),
    };
    match found {
        (count, _, _) if count != lists => expects(count),
        (_, number, rule) => Ok((number, rule)),
    }
}

/// The larger of two; NaN if one is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// As `torch.lerp` rounds.
fn lerp(a: f64, b: f64, weight: f64) -> f64 {
    if weight.abs() < 0.5 { a + weight * (b - a) } else { b - (b - a) * (1.0 - weight) }
}

/// Runs an operation; `table` is as before if it is refused.
pub(super) fn run(
    table: &mut Table<'_>,
    name: &str,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Made, String> {
    let (base, in_place) = name.strip_suffix('_').map_or((name, false), |base| (base, true));
    if ["norm", "sum", "global_norm", "total"].contains(&base) && !in_place {
        return reduce(table, base, handles, arguments).map(Some);
    }
    let (number, rule) = rule(base, handles.len(), in_place)?;
    let first = table.list(handles[0])?.tensors.clone();
    let numbers = match number {
        Number::None => Numbers::All(0.0),
        Number::One(name, default) => Numbers::All(arguments.float(name, Some(default))?),
        Number::Each(name, default) => arguments.numbers(name, default, first.len())?,
    };
    arguments.finish()?;
    let others: Vec<Vec<usize>> =
        (1..handles.len()).map(|position| operand(table, handles, position)).collect::<Result<_, _>>()?;
    let mut made = Vec::with_capacity(first.len());
    for (index, &at) in first.iter().enumerate() {
        let value = numbers.of(index);
        let other = |list: usize, element: usize| {
            let values = others.get(list).map(|tensors| table.state.arena.values(tensors[index]));
            values.map_or(0.0, |values| if values.len() == 1 { values[0] } else { values[element] })
        };
        let Tensor { shape, values } = table.state.arena.tensor(at);
        let new =
            values.iter().enumerate().map(|(i, &a)| rule([a, other(0, i), other(1, i)], value)).collect();
        if in_place {
            *table.state.arena.values_mut(at) = new;
        } else {
            let shape = shape.clone();
            made.push(table.state.arena.push(shape, new));
        }
    }
    Ok((!in_place).then_some(made))
}

/// The tensors of the list at `position`, one per tensor of the first list, each of its shape or a scalar.
fn operand(table: &Table<'_>, handles: &[u32], position: usize) -> Result<Vec<usize>, String> {
    let first = &table.list(handles[0])?.tensors;
    let list = &table.list(handles[position])?.tensors;
    let shape = |at: usize| &table.state.arena.tensor(at).shape;
    let spread = match list[..] {
        [one] if shape(one).is_empty() => vec![one; first.len()],
        _ => list.clone(),
    };
    if spread.len() != first.len() {
        return Err(format!(
            "list {} has {} tensors, expected {} as in the first",
            position + 1,
            spread.len(),
            first.len()
        ));
    }
    for (i, (&a, &b)) in first.iter().zip(&spread).enumerate() {
        if !shape(b).is_empty() && shape(a) != shape(b) {
            return Err(format!(
                "tensor {i} of list {} has the shape {:?}, expected {:?} or a scalar",
                position + 1,
                shape(b),
                shape(a)
            ));
        }
    }
    Ok(spread)
}

/// Scalars: one of each tensor, or one of all.
fn reduce(
    table: &mut Table<'_>,
    base: &str,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Vec<usize>, String> {
    let [handle] = handles else {
        return Err(format!("takes 1 lists, found {}", handles.len()));
    };
    let p = if base == "norm" { arguments.float("p", Some(2.0))? } else { 2.0 };
    arguments.finish()?;
    let tensors = table.list(*handle)?.tensors.clone();
    let of = |at: &usize| table.state.arena.values(*at);
    let made: Vec<f64> = match base {
        "norm" => tensors.iter().map(|at| norm(of(at), p)).collect(),
        "sum" => tensors.iter().map(|at| of(at).iter().sum()).collect(),
        "total" => vec![tensors.iter().map(|at| of(at).iter().sum::<f64>()).sum()],
        _ => vec![tensors.iter().map(|at| norm(of(at), 2.0).powi(2)).sum::<f64>().sqrt()],
    };
    Ok(made.into_iter().map(|value| table.state.arena.push(Vec::new(), vec![value])).collect())
}

/// The p-norm of a tensor's elements; of p = 0 how many are not 0.
fn norm(values: &[f64], p: f64) -> f64 {
    if p == 0.0 {
        return values.iter().filter(|value| **value != 0.0).count() as f64;
    }
    values.iter().map(|value| value.abs().powf(p)).sum::<f64>().powf(1.0 / p)
}
