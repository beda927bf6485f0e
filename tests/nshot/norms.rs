//! Norms of gradients, as a sampler is told of them, path by path.

use serde_json::Value;

use crate::harness::{self, Bench};
use crate::small;

/// 3x3 convolutions on all edges; 1x1 convolutions, skip connections and pooling.
const FIRST: &str = "[3, 3, 3, 3, 3, 3]";
const SECOND: &str = "[2, 3, 1, 2, 4, 3]";

/// The figures that the sampler was told of the first step, and the step's own line.
fn told(bench: &Bench, name: &str, paths: &[&str]) -> (Value, Value) {
    let replay = harness::test_plugin("replay");
    let sampler = format!("use = {{ path = {replay:?} }}\nnorms = true\nsteps = [[{}]]", paths.join(", "));
    let base =
        small::BASE.replace("use = \"spos\"", &sampler).replace("[run]\n", "[run]\ndtype = \"float64\"\n");
    // Clipped far below, which the norms must not show.
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.05\nsteps = 2\nclip_norm = 0.001\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", name]).ok();
    let mut first = small::steps(&bench.path(name)).swap_remove(0);
    (first["scalars"].take(), first)
}

#[test]
fn each_path_has_the_norms_that_it_has_alone() {
    let bench = Bench::new();
    let (first, first_step) = told(&bench, "first", &[FIRST]);
    let (second, _) = told(&bench, "second", &[SECOND]);
    let (both, both_step) = told(&bench, "both", &[FIRST, SECOND]);
    let (twice, twice_step) = told(&bench, "twice", &[FIRST, FIRST]);
    let near = |a: &Value, b: f64, what: &str| {
        let a = a.as_f64().unwrap_or_else(|| panic!("{what} is missing"));
        assert!((a - b).abs() <= 1e-10 * b.abs(), "{what}: {a}, expected {b}");
    };
    let number = |of: &Value, figure: &str| of[figure].as_f64().unwrap();

    near(&first["replay.path_0"], number(&first_step, "gradient_norm"), "a path alone");
    for (path, alone) in [&first, &second].into_iter().enumerate() {
        near(&both[format!("replay.path_{path}")], number(alone, "replay.path_0"), "one of two");
        for choice in 0..6 {
            let of = |path: usize| format!("replay.path_{path}_choice_{choice}");
            near(&both[of(path)], number(alone, &of(0)), "an option");
        }
    }
    assert!(number(&second, "replay.path_0_choice_2") == 0.0, "a skip connection has no parameters");
    // Of the whole network, the cells' edges are but a part.
    let options: Vec<f64> =
        (0..6).map(|choice| number(&first, &format!("replay.path_0_choice_{choice}"))).collect();
    assert!(options.iter().all(|norm| *norm > 0.0));
    assert!(options.iter().map(|norm| norm * norm).sum::<f64>().sqrt() < number(&first, "replay.path_0"));

    // The gradients add up as ever.
    near(&twice_step["gradient_norm"], 2.0 * number(&first, "replay.path_0"), "the same path twice");
    near(&twice["replay.path_1"], number(&first, "replay.path_0"), "the second of them");
    let together = number(&both_step, "gradient_norm");
    let (a, b) = (number(&both, "replay.path_0"), number(&both, "replay.path_1"));
    assert!((a - b).abs() < together && together < a + b, "{a}, {b}, {together}");
}
