//! Costs against the benchmark's table, and of weights that are cut out of larger ones.

use nshot_graph::{Builder, Cost, Parameters, Role, ValueId};

use crate::{
    nas_bench_201::{BENCHMARK, Cell, Size, network},
    support::{float, int, ints, op, spec, weights},
};

/// Cells with `weights`, `params` and `macs` from the table of the benchmark.
const ROWS: [(Cell, u64, u64, u64); 8] = [
    ([0; 6], 72_752, 73_306, 7_783_040),
    ([1; 6], 72_752, 73_306, 7_783_040),
    ([2; 6], 234_032, 241_306, 31_376_000),
    ([3; 6], 1_524_272, 1_531_546, 220_119_680),
    ([4; 6], 72_752, 73_306, 7_783_040),
    ([0, 0, 0, 0, 0, 1], 72_752, 73_306, 7_783_040),
    ([0, 0, 0, 0, 0, 2], 99_632, 101_306, 11_715_200),
    ([0, 0, 0, 0, 0, 3], 314_672, 316_346, 43_172_480),
];

#[test]
fn agrees_with_nas_bench_201() {
    for (cell, weights, params, macs) in ROWS {
        let (_, graph) = network(Size { affine: true, ..BENCHMARK }, cell);
        assert_eq!(graph.cost(), Cost { weights, params, macs }, "{cell:?}");
        let (_, supernet) = network(BENCHMARK, cell);
        let cost = supernet.cost();
        assert_eq!((cost.weights, cost.macs), (weights, macs), "{cell:?}");
    }
}

#[test]
fn reaches_what_occurs_dead_or_not() {
    // Edge 2←1 hangs on a node that is zero, and node 2 goes nowhere.
    let (parameters, graph) = network(BENCHMARK, [0, 0, 3, 1, 0, 0]);
    let names: Vec<_> =
        graph.reached_parameters().into_iter().map(|i| parameters.get(i).unwrap().name.clone()).collect();
    assert_eq!(names.len(), parameters.len());
    assert!(names.contains(&"s2c4e2.bias".to_owned()));
    let parameters = weights(&[&[2], &[2], &[2]]);
    let mut b = Builder::new(&parameters, &[]).unwrap();
    let [_fetched, out, cut] = ["p0", "p1", "p2"].map(|name| b.parameter(name).unwrap());
    op(&mut b, "slice", &[cut], &[int("dim", 0), int("end", 1)]);
    b.output("y", out).unwrap();
    let graph = b.finish().unwrap();
    assert_eq!(graph.reached_parameters(), [1, 2]);
    assert_eq!(graph.cost(), Cost { weights: 0, params: 3, macs: 0 });
}

/// A graph of linear maps whose weights `cut` makes from parameters of the given shapes.
fn weighted(shapes: &[&[i64]], cut: impl Fn(&mut Builder<'_>, &[ValueId]) -> Vec<ValueId>) -> Cost {
    let parameters = weights(shapes);
    let mut b = Builder::new(&parameters, &[]).unwrap();
    let whole: Vec<_> = (0..shapes.len()).map(|i| b.parameter(&format!("p{i}")).unwrap()).collect();
    for (i, weight) in cut(&mut b, &whole).into_iter().enumerate() {
        let inside = b.shape(weight).unwrap()[1];
        let x = op(&mut b, "zeros", &[], &[ints("shape", &[-1, inside])]);
        let y = op(&mut b, "linear", &[x, weight], &[]);
        b.output(&format!("y{i}"), y).unwrap();
    }
    b.finish().unwrap().cost()
}

fn slice(b: &mut Builder<'_>, x: ValueId, dim: i64, from: i64, to: i64, step: i64) -> ValueId {
    op(b, "slice", &[x], &[int("dim", dim), int("start", from), int("end", to), int("step", step)])
}

#[test]
fn cuts_cost_the_union_of_their_elements() {
    let square: &[i64] = &[100, 100];
    let used = |cut: &dyn Fn(&mut Builder<'_>, ValueId) -> Vec<ValueId>| {
        let cost = weighted(&[square], |b, p| cut(b, p[0]));
        assert_eq!(cost.weights, cost.params);
        cost.weights
    };
    assert_eq!(used(&|_, p| vec![p, p]), 10_000);
    assert_eq!(used(&|b, p| vec![slice(b, p, 0, 0, 60, 1), p]), 10_000);
    // Nested, overlapping, apart, interleaved.
    assert_eq!(used(&|b, p| vec![slice(b, p, 0, 0, 60, 1), slice(b, p, 0, 0, 30, 1)]), 6_000);
    assert_eq!(used(&|b, p| vec![slice(b, p, 0, 0, 60, 1), slice(b, p, 1, 0, 30, 1)]), 7_200);
    assert_eq!(used(&|b, p| vec![slice(b, p, 0, 0, 10, 1), slice(b, p, 0, 90, 100, 1)]), 2_000);
    assert_eq!(used(&|b, p| vec![slice(b, p, 1, 0, 100, 2), slice(b, p, 1, 0, 100, 3)]), 6_700);
    // The same elements on two ways.
    let both = |b: &mut Builder<'_>, p| {
        let turned = op(b, "transpose", &[p], &[int("dim0", 0), int("dim1", 1)]);
        vec![slice(b, p, 0, 0, 7, 1), slice(b, turned, 1, 0, 7, 1)]
    };
    assert_eq!(used(&both), 700);
    // A reshape that strides express is followed, also back from a cut; another one keeps what there was.
    let through = |b: &mut Builder<'_>, p| {
        let cut = slice(b, p, 0, 0, 10, 1);
        let flat = op(b, "reshape", &[cut], &[ints("shape", &[40, 25])]);
        vec![slice(b, flat, 0, 0, 4, 1)]
    };
    assert_eq!(used(&through), 100);
    let scrambled = |b: &mut Builder<'_>, p| {
        let cut = slice(b, p, 1, 0, 50, 1);
        let flat = op(b, "reshape", &[cut], &[ints("shape", &[50, 100])]);
        vec![slice(b, flat, 0, 0, 4, 1)]
    };
    assert_eq!(used(&scrambled), 5_000);
}

#[test]
fn products_cost_both_factors() {
    let masked = weighted(&[&[8, 4], &[1, 4], &[2]], |b, p| {
        let masked = op(b, "mul", &[p[0], p[1]], &[]);
        vec![slice(b, masked, 1, 0, 3, 1)]
    });
    assert_eq!(masked, Cost { weights: 24 + 3, params: 27, macs: 24 });
    let scaled = weighted(&[&[8, 4]], |b, p| {
        let two = op(b, "constant", &[], &[float("value", 2.0)]);
        vec![op(b, "mul", &[p[0], two], &[])]
    });
    assert_eq!(scaled.weights, 32);
}

#[test]
fn roles_stated_costs_and_other_macs() {
    let mut parameters = Parameters::new();
    for (name, shape, role) in [
        ("alpha", &[5][..], Role::Architecture),
        ("mean", &[16], Role::Buffer),
        ("bias", &[16], Role::Bias),
        ("rest", &[9], Role::Weight),
        ("depthwise", &[16, 1, 3, 3], Role::Weight),
    ] {
        parameters.declare(spec(name, shape, role)).unwrap();
    }
    let mut b = Builder::new(&parameters, &[("image".into(), vec![-1, 16, 8, 8])]).unwrap();
    let x = b.input("image").unwrap();
    let values: Vec<_> = parameters
        .iter()
        .map(|spec| spec.name.clone())
        .collect::<Vec<_>>()
        .iter()
        .map(|n| b.parameter(n).unwrap())
        .collect();
    for value in &values[..2] {
        op(&mut b, "relu", &[*value], &[]);
    }
    let y = op(&mut b, "conv2d", &[x, values[4], values[2]], &[int("groups", 16), int("padding", 1)]);
    let stated = [int("weights", 3), int("params", 5), int("macs", 11), ints("output_shape", &[])];
    op(&mut b, "aten::anything", &[values[3]], &stated);
    let tokens = op(&mut b, "reshape", &[y], &[ints("shape", &[-4, 16, 16])]);
    op(&mut b, "matmul", &[tokens, tokens], &[]);
    b.output("y", y).unwrap();
    let graph = b.finish().unwrap();
    let macs = 16 * 64 * 9 + 11 + 4 * 16 * 16 * 16;
    assert_eq!(graph.cost(), Cost { weights: 144 + 3, params: 144 + 16 + 5, macs });
    assert_eq!(graph.reached_parameters(), [0, 1, 2, 3, 4]);
}

/// Costs too large to count end at the largest number.
#[test]
fn huge_costs_saturate() {
    let shape: &[i64] = &[1 << 20, 1 << 20];
    let cost = weighted(&[shape], |b, p| {
        let x = op(b, "zeros", &[], &[ints("shape", shape)]);
        for _ in 0..16 {
            op(b, "matmul", &[x, p[0]], &[]);
        }
        vec![slice(b, p[0], 0, 0, 1 << 19, 2), slice(b, p[0], 1, 0, 1 << 19, 1)]
    });
    assert_eq!(cost.macs, u64::MAX);
    // Too large to mark element by element: an upper bound.
    assert_eq!(cost.weights, (1 << 38) + (1 << 39));
}
