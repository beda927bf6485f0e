//! Operations on lists against arithmetic by hand.

use nshot_graph::{Role, Value};
use nshot_torch::{Gradients, ParameterStore, SlotInit, Slots, Tensor, UpdateTable};
use tch::Kind;

use crate::support::{assert_close, numbers, specs, store, texts};

fn pair() -> ParameterStore {
    store(&specs(&[("a", &[4, 3, 3, 3], Role::Weight), ("b", &[5], Role::Bias), ("c", &[2], Role::Buffer)]))
}

/// Gradients that are not constant: those of the sum of squares times `scale`.
fn gradients(store: &ParameterStore, scale: f64) -> Gradients {
    store.clear_gradients().unwrap();
    let squares = |i: usize| store.get(i).unwrap().square().sum(Kind::Double);
    ((squares(0) + squares(1)) * scale).backward();
    Gradients::collect(store, &[0, 1, 2]).unwrap()
}

fn floats(list: &[(&str, f64)]) -> Vec<(String, Value)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), Value::Float(*value))).collect()
}

/// The value of a list's first tensors through a public door: a norm of the difference.
fn assert_list(table: &mut UpdateTable<'_>, list: u32, slots: u32) {
    let difference = table.op("sub", &[list, slots], &[]).unwrap();
    let norm = table.op("global_norm", &[difference], &[]).unwrap();
    let norm = table.read(norm).unwrap()[0];
    assert!(norm < 1e-12, "{norm}");
}

/// Operator, tensors, attributes, and parts of the message.
type Case<'a> = (&'a str, &'a [u32], Vec<(String, Value)>, &'a [&'a str]);

#[test]
fn sgd_of_primitives_and_fused_and_by_hand_agree() {
    let settings = [("lr", 0.1), ("momentum", 0.9), ("weight_decay", 0.01)];
    let (by_hand, fused, primitive) = (pair(), pair(), pair());
    let (mut fused_slots, mut slots) = (Slots::new(), Slots::new());
    let mut momenta: Vec<Option<Tensor>> = vec![None, None];
    for step in 0..3 {
        let scale = 1.0 + f64::from(step);
        let g = gradients(&by_hand, scale);
        let guard = tch::no_grad_guard();
        for (i, momentum) in momenta.iter_mut().enumerate() {
            let mut p = by_hand.get(i).unwrap().shallow_clone();
            let d = &g.tensors()[i] + &p * 0.01;
            let m = momentum.as_ref().map_or_else(|| d.copy(), |m| m * 0.9 + &d);
            let _ = p.g_sub_(&((d + &m * 0.9) * 0.1));
            *momentum = Some(m);
        }
        drop(guard);

        let g = gradients(&fused, scale);
        let mut table = UpdateTable::new(&fused, &g, &mut fused_slots, 0).unwrap();
        let slot = table.slot("momentum", SlotInit::Zeros).unwrap();
        assert_eq!(slot.new, [step == 0; 2]);
        let mut attributes = floats(&settings);
        attributes.push(("nesterov".into(), Value::Bool(true)));
        let lists = [table.parameters(), table.gradients(), slot.handle];
        assert_eq!(table.op("fused_sgd_", &lists, &attributes).unwrap(), table.parameters());

        let g = gradients(&primitive, scale);
        let mut table = UpdateTable::new(&primitive, &g, &mut slots, 0).unwrap();
        let (p, g) = (table.parameters(), table.gradients());
        let m = table.slot("momentum", SlotInit::Zeros).unwrap().handle;
        let d = table.op("add", &[g, p], &floats(&[("alpha", 0.01)])).unwrap();
        table.op("mul_", &[m], &floats(&[("value", 0.9)])).unwrap();
        table.op("add_", &[m, d], &[]).unwrap();
        let d = table.op("add", &[d, m], &floats(&[("alpha", 0.9)])).unwrap();
        table.op("add_", &[p, d], &floats(&[("alpha", -0.1)])).unwrap();
    }
    for (i, momentum) in momenta.iter().enumerate() {
        assert_close(by_hand.get(i).unwrap(), fused.get(i).unwrap(), 1e-14);
        assert_close(by_hand.get(i).unwrap(), primitive.get(i).unwrap(), 1e-14);
        assert_close(momentum.as_ref().unwrap(), fused_slots.get(0, "momentum", i).unwrap(), 1e-14);
    }
    assert_eq!(slots.updates(0, "momentum", 1), 3);
    assert!(slots.get(0, "momentum", 2).is_none(), "buffers have no slots");
}

#[test]
fn a_parameter_that_joins_later_starts_its_own_momentum() {
    let store = pair();
    let mut slots = Slots::new();
    let mut attributes = floats(&[("lr", 0.1), ("momentum", 0.9), ("dampening", 0.5)]);
    attributes.push(("maximize".into(), Value::Bool(false)));
    for reached in [vec![0], vec![0, 1]] {
        gradients(&store, 1.0);
        let g = Gradients::collect(&store, &reached).unwrap();
        let expected = g.tensors().last().unwrap().copy();
        let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
        let slot = table.slot("momentum", SlotInit::Zeros).unwrap();
        let lists = [table.parameters(), table.gradients(), slot.handle];
        table.op("fused_sgd_", &lists, &attributes).unwrap();
        // Dampening does not touch a first step.
        assert_close(slots.get(0, "momentum", *reached.last().unwrap()).unwrap(), &expected, 1e-15);
    }
    assert_eq!((slots.updates(0, "momentum", 0), slots.updates(0, "momentum", 1)), (2, 1));
}

#[test]
fn adam_fused_and_by_hand_agree() {
    for (operation, decoupled) in [("fused_adam_", false), ("fused_adamw_", true)] {
        let (by_hand, fused) = (pair(), pair());
        let mut slots = Slots::new();
        let mut moments: Vec<(Tensor, Tensor)> =
            (0..2).map(|i| by_hand.get(i).unwrap().detach().zeros_like()).map(|z| (z.copy(), z)).collect();
        for step in 1..4 {
            let g = gradients(&by_hand, f64::from(step));
            let guard = tch::no_grad_guard();
            for (i, (m, v)) in moments.iter_mut().enumerate() {
                let mut p = by_hand.get(i).unwrap().shallow_clone();
                let mut d = g.tensors()[i].copy();
                if decoupled {
                    let _ = p.g_mul_scalar_(1.0 - 0.01 * 0.1);
                } else {
                    d += &p * 0.1;
                }
                *m = &*m * 0.9 + &d * (1.0 - 0.9);
                *v = &*v * 0.999 + &d * &d * (1.0 - 0.999);
                let corrected = &*m / (1.0 - 0.9f64.powi(step));
                let root = (&*v / (1.0 - 0.999f64.powi(step))).sqrt() + 1e-8;
                let _ = p.g_sub_(&(corrected / root * 0.01));
            }
            drop(guard);
            let g = gradients(&fused, f64::from(step));
            let mut table = UpdateTable::new(&fused, &g, &mut slots, 7).unwrap();
            let (m, v) =
                (table.slot("m", SlotInit::Zeros).unwrap(), table.slot("v", SlotInit::Zeros).unwrap());
            assert_eq!(m.updates, [step as u64; 2]);
            let lists = [table.parameters(), table.gradients(), m.handle, v.handle];
            table.op(operation, &lists, &floats(&[("lr", 0.01), ("weight_decay", 0.1)])).unwrap();
        }
        for i in 0..2 {
            assert_close(by_hand.get(i).unwrap(), fused.get(i).unwrap(), 1e-12);
        }
    }
}

#[test]
fn every_operation_computes_its_formula() {
    let store = pair();
    let g = gradients(&store, 0.7);
    let mut slots = Slots::new();
    let (a, b) = (store.get(1).unwrap().detach().copy(), g.tensors()[1].copy());
    let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
    let (p, g) = (table.parameters(), table.gradients());
    let absolute = table.op("abs", &[p], &[]).unwrap();
    // The second parameter's result through subset and sum, against the same sum by hand.
    let mut check = |name: &str, lists: &[u32], attributes: &[(String, Value)], expected: Tensor| {
        let made = table.op(name, lists, attributes).unwrap_or_else(|e| panic!("{e}"));
        let only = table.subset(made, &[1]).unwrap();
        let weights = table.op("mul", &[only, only], &[]).unwrap();
        let sums = table.op("sum", &[weights], &[]).unwrap();
        let (found, expected) =
            (table.read(sums).unwrap()[0], expected.square().sum(Kind::Double).double_value(&[]));
        assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{name}: {found} {expected}");
    };
    let number = |name: &str, value: f64| floats(&[(name, value)]);
    check("add", &[p, g], &number("alpha", 0.5), &a + &b * 0.5);
    check("sub", &[p, g], &number("alpha", 0.5), &a - &b * 0.5);
    check("add", &[p], &number("value", 2.0), &a + 2.0);
    check("sub", &[p], &number("value", 2.0), &a - 2.0);
    check("mul", &[p], &[("value".into(), Value::Floats(vec![1.0, 3.0]))], &a * 3.0);
    check("mul", &[p, g], &[], &a * &b);
    check("div", &[p, g], &[], &a / &b);
    check("div", &[p], &[("value".into(), Value::Int(4))], &a / 4.0);
    check("maximum", &[p, g], &[], a.maximum(&b));
    check("minimum", &[p, g], &[], a.minimum(&b));
    check("clamp_min", &[p], &number("value", 0.1), a.clamp_min(0.1));
    check("clamp_max", &[p], &number("value", 0.1), a.clamp_max(0.1));
    check("pow", &[absolute], &number("exponent", 1.5), a.abs().pow_tensor_scalar(1.5));
    check("pow", &[absolute, p], &[], a.abs().pow(&a));
    check("lerp", &[p, g], &number("weight", 0.25), &a + (&b - &a) * 0.25);
    check("lerp", &[p, g], &[("weight".into(), Value::Floats(vec![0.0, 0.25]))], &a + (&b - &a) * 0.25);
    check("addcmul", &[p, g, g], &number("value", 0.3), &a + &b * &b * 0.3);
    check(
        "addcdiv",
        &[p, g, absolute],
        &[("value".into(), Value::Floats(vec![1.0, 0.3]))],
        &a + &b / a.abs() * 0.3,
    );
    check("sqrt", &[absolute], &[], a.abs().sqrt());
    check("rsqrt", &[absolute], &[], a.abs().rsqrt());
    check("sign", &[p], &[], a.sign());
    check("neg", &[p], &[], -&a);
    check("reciprocal", &[p], &[], a.reciprocal());
    check("exp", &[p], &[], a.exp());
    check("log", &[absolute], &[], a.abs().log());
    check("copy", &[p], &[], a.copy());
    check("ones_like", &[p], &[], a.ones_like());
    check("zeros_like", &[p], &[], a.zeros_like());
    check("norm", &[p], &number("p", 1.0), a.abs().sum(Kind::Double));
    check("sum", &[p], &[], a.sum(Kind::Double));
}

#[test]
fn scalars_on_the_device_broadcast() {
    let store = pair();
    let g = gradients(&store, 1.0);
    let mut slots = Slots::new();
    let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
    let (p, g) = (table.parameters(), table.gradients());
    let norm = table.op("global_norm", &[g], &[]).unwrap();
    let value = table.read(norm).unwrap()[0];
    for name in ["add", "sub", "mul", "div", "maximum"] {
        let by_tensor = table.op(name, &[p, norm], &[]).unwrap();
        let by_number = table.op(name, &[p], &floats(&[("value", value)])).unwrap();
        assert_list(&mut table, by_tensor, by_number);
    }
    let each = table.op("norm", &[g], &[]).unwrap();
    let numbers = table.read(each).unwrap();
    let by_tensor = table.op("div", &[g, each], &[]).unwrap();
    let by_number = table.op("div", &[g], &[("value".into(), Value::Floats(numbers))]).unwrap();
    assert_list(&mut table, by_tensor, by_number);
    let total = table.op("total", &[g], &[]).unwrap();
    assert_eq!(table.length(total).unwrap(), 1);
}

#[test]
fn mistakes_are_errors_and_leave_the_table_usable() {
    let store = pair();
    let g = gradients(&store, 1.0);
    let before: Vec<Tensor> = (0..2).map(|i| store.get(i).unwrap().detach().copy()).collect();
    let mut slots = Slots::new();
    let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
    let (p, g) = (table.parameters(), table.gradients());
    let one = table.subset(p, &[1]).unwrap();
    let swapped = table.subset(p, &[1, 0]).unwrap();
    let nan = floats(&[("value", f64::NAN)]);
    let cases: [Case<'_>; 17] = [
        ("frobnicate", &[p], vec![], &["`frobnicate`", "not an operation"]),
        ("frobnicate_", &[p], vec![], &["not an operation"]),
        ("add", &[], vec![], &["takes 2 lists, found 0"]),
        ("add", &[p, 99], vec![], &["no list 99"]),
        ("add", &[p, g, g], vec![], &["takes 2 lists, found 3"]),
        ("add", &[p, g], floats(&[("alfa", 1.0)]), &["no attribute `alfa`", "`alpha`"]),
        ("add", &[p, one], vec![], &["has 1 tensors, expected 2"]),
        ("add", &[p, swapped], vec![], &["tensor 0 of list 2", "[5]", "[4, 3, 3, 3]"]),
        ("mul", &[p], vec![], &["needs the attribute `value`"]),
        ("mul_", &[p], nan, &["NaN", "finite"]),
        ("mul", &[p], vec![("value".into(), Value::Floats(vec![1.0]))], &["1 numbers, expected one or 2"]),
        ("mul", &[p], vec![("value".into(), Value::Text("x".into()))], &["a text", "a number"]),
        ("mul_", &[g], floats(&[("value", 2.0)]), &["read-only", "hint:"]),
        ("fused_sgd_", &[p, g], floats(&[("lr", 0.1), ("momentum", 0.9)]), &["momentum is 0.9 with 2 lists"]),
        ("fused_sgd_", &[p, swapped], floats(&[("lr", 0.1)]), &["expected [4, 3, 3, 3]"]),
        ("fused_adam_", &[p, g, p, p], floats(&[("lr", 0.1)]), &["must be a slot"]),
        ("zero_", &[], vec![], &["takes 1 lists, found 0"]),
    ];
    for (name, lists, attributes, parts) in &cases {
        texts(&table.op(name, lists, attributes).unwrap_err(), parts);
    }
    texts(&table.subset(p, &[2]).unwrap_err(), &["more than its 2 tensors"]);
    texts(&table.read(p).unwrap_err(), &["only lists of scalars"]);
    texts(&table.slot("a/b", SlotInit::Zeros).unwrap_err(), &["`a/b`"]);
    let sum = table.op("add", &[p, g], &[]).unwrap();
    assert_eq!(table.length(sum).unwrap(), 2);
    for (i, before) in before.iter().enumerate() {
        assert_close(store.get(i).unwrap(), before, 0.0);
    }
}

#[test]
fn what_an_update_makes_is_bounded() {
    let store = pair();
    let g = gradients(&store, 1.0);
    let mut slots = Slots::new();
    let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
    let p = table.parameters();
    assert_eq!((0..1000).map_while(|_| table.op("zeros_like", &[p], &[]).ok()).count(), 256);
    texts(&table.op("zeros_like", &[p], &[]).unwrap_err(), &["at most 256 times"]);
    // What writes in place makes nothing.
    table.op("zero_", &[p], &[]).unwrap();
}

#[test]
fn an_update_without_gradients_does_nothing() {
    let store = pair();
    let g = Gradients::collect(&store, &[]).unwrap();
    let mut slots = Slots::new();
    let mut table = UpdateTable::new(&store, &g, &mut slots, 0).unwrap();
    let (p, g) = (table.parameters(), table.gradients());
    let slot = table.slot("m", SlotInit::Zeros).unwrap();
    table.op("add_", &[p, g], &[]).unwrap();
    table.op("fused_sgd_", &[p, g, slot.handle], &floats(&[("lr", 0.1), ("momentum", 0.9)])).unwrap();
    table.op("fused_adam_", &[p, g, slot.handle, slot.handle], &floats(&[("lr", 0.1)])).unwrap();
    let norm = table.op("global_norm", &[g], &[]).unwrap();
    assert!(table.read(norm).unwrap()[0].abs() < f64::MIN_POSITIVE);
}

#[test]
fn slots_start_as_asked() {
    let store = pair();
    let g = gradients(&store, 1.0);
    let mut slots = Slots::new();
    let mut table = UpdateTable::new(&store, &g, &mut slots, 2).unwrap();
    let zeros = table.slot("zeros", SlotInit::Zeros).unwrap();
    assert_eq!(table.slot("zeros", SlotInit::Gradient).unwrap(), zeros);
    table.slot("gradient", SlotInit::Gradient).unwrap();
    table.slot("parameter", SlotInit::Parameter).unwrap();
    let slot = |name| slots.get(2, name, 1).unwrap();
    assert_close(slot("zeros"), &numbers(&[5]).zeros_like(), 0.0);
    assert_close(slot("gradient"), &g.tensors()[1], 0.0);
    assert_close(slot("parameter"), store.get(1).unwrap(), 0.0);
    assert!(!slot("parameter").requires_grad());
    texts(&SlotInit::parse("what").unwrap_err(), &["`what`", "`zeros`"]);
}
