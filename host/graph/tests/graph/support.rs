//! Short ways to say what a plugin says.

use nshot_graph::{
    Builder, GraphError, Initialisation, ParameterSpec, Parameters, Role, Shape, Value, ValueId,
};

pub(crate) fn spec(name: &str, shape: &[i64], role: Role) -> ParameterSpec {
    ParameterSpec { name: name.into(), shape: shape.to_vec(), role, init: Initialisation::Zeros }
}

/// Parameters called by their position: `p0`, `p1`, …
pub(crate) fn weights(shapes: &[&[i64]]) -> Parameters {
    let mut parameters = Parameters::new();
    for (i, shape) in shapes.iter().enumerate() {
        parameters.declare(spec(&format!("p{i}"), shape, Role::Weight)).expect("a good declaration");
    }
    parameters
}

pub(crate) fn int(name: &str, value: i64) -> (String, Value) {
    (name.into(), Value::Int(value))
}

pub(crate) fn ints(name: &str, value: &[i64]) -> (String, Value) {
    (name.into(), Value::Ints(value.to_vec()))
}

pub(crate) fn float(name: &str, value: f64) -> (String, Value) {
    (name.into(), Value::Float(value))
}

pub(crate) fn flag(name: &str, value: bool) -> (String, Value) {
    (name.into(), Value::Bool(value))
}

pub(crate) fn text(name: &str, value: &str) -> (String, Value) {
    (name.into(), Value::Text(value.into()))
}

/// The one value of an operation that has to be right.
pub(crate) fn op(b: &mut Builder<'_>, name: &str, inputs: &[ValueId], a: &[(String, Value)]) -> ValueId {
    b.op(name, inputs, a).expect("a good call").first
}

/// Shape of `name` on values of the shapes `inputs`, in the scope `s`.
pub(crate) fn shape_of(name: &str, inputs: &[&[i64]], a: &[(String, Value)]) -> Result<Shape, GraphError> {
    let parameters = Parameters::new();
    let named: Vec<_> =
        inputs.iter().enumerate().map(|(i, shape)| (format!("x{i}"), shape.to_vec())).collect();
    let mut b = Builder::new(&parameters, &named)?;
    let values: Vec<_> = named.iter().map(|(name, _)| b.input(name).expect("an input")).collect();
    b.push_scope("s")?;
    let made = b.op(name, &values, a)?;
    Ok(b.shape(made.first)?.clone())
}

/// The message that refuses such a call.
pub(crate) fn refusal(name: &str, inputs: &[&[i64]], attributes: &[(String, Value)]) -> String {
    shape_of(name, inputs, attributes).expect_err("a bad call").to_string()
}
