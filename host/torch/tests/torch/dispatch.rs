//! Operators by name, and what is refused.

use nshot_torch::{Argument, call};

use crate::support::{assert_close, numbers, texts};

/// Operator, tensors, attributes, and parts of the message.
type Case<'a> = (&'a str, &'a [Argument<'a>], &'a [(&'a str, Argument<'a>)], &'a [&'a str]);

#[test]
fn lists_of_ints_and_defaults() {
    let x = numbers(&[3, 4]);
    let rolled = call(
        "aten::roll",
        &[Argument::Tensor(&x)],
        &[("shifts", Argument::Ints(&[1])), ("dims", Argument::Ints(&[0]))],
    );
    assert_close(&rolled.unwrap()[0], &x.roll([1], [0]), 0.0);
    let flipped = call("aten::flip", &[Argument::Tensor(&x)], &[("dims", Argument::Int(1))]).unwrap();
    assert_close(&flipped[0], &x.flip([1]), 0.0);
}

#[test]
fn single_tensors_fill_a_list_and_optionals_stay_open() {
    let (a, b) = (numbers(&[2, 3]), numbers(&[2, 3]) * 2.0);
    let joined =
        call("aten::cat", &[Argument::Tensor(&a), Argument::Tensor(&b)], &[("dim", Argument::Int(1))]);
    assert_close(&joined.unwrap()[0], &tch::Tensor::cat(&[&a, &b], 1), 0.0);
    let (values, indices) = {
        let mut out = call("aten::max.dim", &[Argument::Tensor(&a)], &[("dim", Argument::Int(1))]).unwrap();
        let indices = out.pop().unwrap();
        (out.pop().unwrap(), indices)
    };
    assert_close(&values, &a.max_dim(1, false).0, 0.0);
    assert_eq!(indices.kind(), tch::Kind::Int64);
}

#[test]
fn every_refusal_is_a_text() {
    let x = numbers(&[3, 4]);
    let t = Argument::Tensor(&x);
    let cases: [Case<'_>; 9] = [
        ("aten::no_such_thing", &[t], &[], &["`aten::no_such_thing`", "no operator of this name"]),
        ("aten::max.nothing", &[t], &[], &["overloads", "`aten::max.dim`"]),
        ("aten::roll", &[t], &[], &["`shifts`", "missing"]),
        ("aten::roll", &[t], &[("shift", Argument::Int(1))], &["no argument `shift`", "`shifts`"]),
        ("aten::roll", &[t], &[("shifts", Argument::Text("one"))], &["`shifts` takes", "found a text"]),
        ("aten::relu", &[t, t], &[], &["takes 1 tensors", "found 2"]),
        ("aten::matmul", &[t, t], &[], &["3x4"]),
        ("aten::\0", &[t], &[], &["NUL"]),
        ("", &[], &[], &["no operator"]),
    ];
    for (operator, tensors, named, parts) in cases {
        texts(&call(operator, tensors, named).unwrap_err(), parts);
    }
}

#[test]
fn numbers_of_lists_reach_scalar_lists() {
    let (a, b) = (numbers(&[2]), numbers(&[3]));
    let out = call(
        "aten::_foreach_mul.ScalarList",
        &[Argument::Tensors(&[&a, &b])],
        &[("scalars", Argument::Floats(&[2.0, 3.0]))],
    )
    .unwrap();
    assert_close(&out[0], &(&a * 2.0), 0.0);
    assert_close(&out[1], &(&b * 3.0), 0.0);
}
