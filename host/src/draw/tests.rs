//! Drawings read back as XML.

use nshot_graph::{Graph, Value};
use roxmltree::{Document, Node};

use super::{
    drawing, repeated_scope,
    samples::{described, long, mobile_net, nas_bench_201},
};

const CELL: [usize; 6] = [3, 1, 0, 2, 4, 3];

fn draw(graph: &Graph, scope: Option<&str>) -> String {
    drawing(graph, scope).unwrap()
}

fn class<'a>(node: &Node<'a, '_>) -> &'a str {
    node.attribute("class").unwrap_or_default()
}

fn elements<'a>(document: &'a Document<'a>, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| node.has_tag_name(name))
}

/// Per box its class and lines.
fn boxes(svg: &str) -> Vec<(String, Vec<String>)> {
    let document = Document::parse(svg).unwrap();
    let groups = elements(&document, "g").filter(|group| group.children().any(|c| c.has_tag_name("rect")));
    groups
        .map(|group| {
            let texts = group.children().filter(|child| child.has_tag_name("text"));
            let lines = texts.map(|text| text.text().unwrap_or_default().to_owned()).collect();
            (class(&group).to_owned(), lines)
        })
        .collect()
}

fn titles(svg: &str) -> Vec<String> {
    boxes(svg).into_iter().map(|(_, lines)| lines[0].clone()).collect()
}

fn edges(svg: &str, wanted: &str) -> usize {
    let document = Document::parse(svg).unwrap();
    elements(&document, "path").filter(|path| class(path) == wanted).count()
}

/// Left, top, right and bottom of each box.
fn rectangles(svg: &str) -> Vec<[f64; 4]> {
    let document = Document::parse(svg).unwrap();
    elements(&document, "rect")
        .filter(|rect| class(rect) == "box")
        .map(|rect| {
            let [x, y, w, h] =
                ["x", "y", "width", "height"].map(|a| rect.attribute(a).unwrap().parse::<f64>().unwrap());
            [x, y, x + w, y + h]
        })
        .collect()
}

fn assert_apart(svg: &str) {
    let rectangles = rectangles(svg);
    let document = Document::parse(svg).unwrap();
    let size = |name: &str| document.root_element().attribute(name).unwrap().parse::<f64>().unwrap();
    for (i, a) in rectangles.iter().enumerate() {
        assert!(
            a[0] > 0.0 && a[1] > 0.0 && a[2] < size("width") && a[3] < size("height"),
            "{a:?} is outside"
        );
        for b in &rectangles[..i] {
            let apart = a[2] < b[0] || b[2] < a[0] || a[3] < b[1] || b[3] < a[1];
            assert!(apart, "{a:?} and {b:?} overlap");
        }
    }
}

#[test]
fn a_cell_is_drawn_by_its_operations() {
    let svg = draw(&nas_bench_201(CELL), Some("stages.0.0"));
    let mut found = boxes(&svg);
    found.sort();
    let expect = |class: &str, lines: &[&str]| {
        (class.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    };
    let conv = |kernel: &str, parameters: &str| {
        let title = format!("ReLU–Conv {kernel}–BN");
        expect("convolution", &[&title, "16→16, stride 1", &format!("{parameters} parameters")])
    };
    let expected = [
        conv("1×1", "256"),
        conv("3×3", "2,304"),
        conv("3×3", "2,304"),
        expect("end", &["input", "N×16×32×32"]),
        expect("end", &["output", "N×16×32×32"]),
        expect("join", &["+"]),
        expect("join", &["+"]),
        expect("join", &["+"]),
        expect("pool", &["AvgPool 3×3", "stride 1"]),
        expect("zero dead", &["Zero"]),
    ];
    assert_eq!(found, expected);
    // One into each of 5 operations, 6 into sums, 1 out; those at the zero are dead.
    assert_eq!((edges(&svg, "edge"), edges(&svg, "edge dead")), (10, 2));
    assert!(svg.contains("<title>N×16×32×32 (stages.0.0.add_0)</title>"), "edges tell their shape");
}

#[test]
fn what_no_output_needs_is_grey() {
    // Nodes 1 and 2 go nowhere.
    let svg = draw(&nas_bench_201([3, 2, 3, 3, 0, 0]), Some("stages.1.0"));
    let live: Vec<_> = boxes(&svg).into_iter().filter(|(class, _)| !class.ends_with("dead")).collect();
    let titles: Vec<_> = live.iter().map(|(_, lines)| lines[0].as_str()).collect();
    assert_eq!(titles, ["input", "ReLU–Conv 3×3–BN", "+", "output"]);
    assert_eq!(edges(&svg, "edge"), 3);
}

#[test]
fn a_network_is_drawn_by_its_scopes() {
    let svg = draw(&nas_bench_201(CELL), None);
    let expected = [
        "image",
        "stem",
        "stages.0.0 … 4",
        "reductions.0",
        "stages.1.0 … 4",
        "reductions.1",
        "stages.2.0 … 4",
        "last",
        "GlobalAvgPool",
        "Linear",
        "logits",
    ];
    assert_eq!(titles(&svg), expected);
    assert!(svg.contains("5 × 4,864 parameters"));
    assert_eq!(edges(&svg, "edge"), expected.len() - 1, "a line");
}

#[test]
fn cut_out_weights_count_by_what_is_used() {
    let svg = draw(&mobile_net(), Some("blocks.1"));
    let depthwise = boxes(&svg).into_iter().find(|(_, lines)| lines[0].starts_with("DWConv")).unwrap();
    assert_eq!(depthwise.1, ["DWConv 5×5–BN–ReLU6", "64→64, stride 1", "1,600 parameters"]);
    assert!(!titles(&svg).contains(&"Slice".to_owned()), "weights are no boxes");
}

#[test]
fn the_cell_is_found() {
    assert_eq!(repeated_scope(&nas_bench_201(CELL)).as_deref(), Some("stages.0.0"));
    assert_eq!(repeated_scope(&nas_bench_201([1; 6])).as_deref(), Some("stages.0.0"));
    assert_eq!(repeated_scope(&mobile_net()).as_deref(), Some("blocks.0"));
    assert_eq!(repeated_scope(&long(9)), None);
}

#[test]
fn boxes_do_not_overlap() {
    for seed in 0..40usize {
        let cell = std::array::from_fn(|edge| (seed * 7 + edge * edge * (seed + 3)) / 3 % 5);
        let graph = nas_bench_201(cell);
        for scope in [Some("stages.0.0"), Some("stages.2"), Some("reductions.1"), None] {
            assert_apart(&draw(&graph, scope));
        }
        assert_apart(&draw(&tangle(seed as u64, 60), None));
    }
    assert_apart(&draw(&mobile_net(), Some("blocks.0")));
    assert_apart(&draw(&mobile_net(), None));
}

/// Sums and products of any values so far, in scopes that are left and entered again.
fn tangle(seed: u64, count: usize) -> Graph {
    let mut state = seed;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let draws: Vec<[usize; 5]> =
        (0..count).map(|i| [below(i + 1), below(i + 1), below(5), below(4), below(3)]).collect();
    described(|net, image| {
        let mut values = vec![image];
        for [a, b, operation, scope, depth] in &draws {
            let (a, b) = (values[*a], values[*b]);
            let call = |net: &mut super::samples::Net| match operation {
                0 => net.op("add", &[a, b], &[]),
                1 => net.op("mul", &[a, b], &[]),
                2 => net.op("zeros_like", &[a], &[]),
                3 => net.conv_norm(&format!("w{scope}"), a, [3, 3, 3, 1, 1]),
                _ => net.op("relu", &[a], &[]),
            };
            values.push(match depth {
                0 => call(net),
                1 => net.scope(&format!("s{scope}"), call),
                _ => net.scope("outer", |net| net.scope(&format!("s{scope}"), call)),
            });
        }
        net.b.output("last", values[count]).expect("an output");
        net.b.output("middle", values[count / 2]).expect("an output");
    })
}

#[test]
fn drawings_are_the_same_every_time() {
    for scope in [None, Some("outer")] {
        assert_eq!(draw(&tangle(3, 90), scope), draw(&tangle(3, 90), scope));
    }
}

#[test]
fn names_are_escaped() {
    let name = "<a href=\"x\">&'\u{fffe}]]>";
    let graph = described(|net, image| {
        let x = net.scope(name, |net| {
            let attributes = [("output_shape", Value::Ints(vec![-1, 3, 32, 32]))];
            let x = net.op("aten::abs.Tensor", &[image], &attributes);
            net.conv_norm(name, x, [3, 4, 1, 1, 1])
        });
        net.b.output(name, x).expect("an output");
    });
    let shown = name.replace('\u{fffe}', "\u{fffd}");
    for scope in [None, Some(name)] {
        let svg = draw(&graph, scope);
        assert!(titles(&svg).contains(&shown), "{svg}");
        assert!(titles(&svg).contains(&"abs.Tensor".to_owned()), "{svg}");
        let document = Document::parse(&svg).unwrap();
        assert_eq!(elements(&document, "a").count(), 0);
    }
}

#[test]
fn small_and_huge_graphs_are_drawn() {
    let parameter = described(|net, _| {
        let p = net.parameter("p", &[2]);
        net.b.output("p", p).expect("an output");
    });
    assert_eq!(titles(&draw(&parameter, None)), ["image", "p"]);

    let svg = draw(&long(30_000), None);
    assert_apart(&svg);
    assert!(svg.contains("The first 400 of 30,001 boxes."));

    let wide = described(|net, image| {
        let terms: Vec<_> = (0..5_000).map(|_| net.op("tanh", &[image], &[])).collect();
        let sum = net.op("add", &terms, &[]);
        net.b.output("sum", sum).expect("an output");
    });
    assert_apart(&draw(&wide, None));

    let deep = described(|net, image| {
        let mut x = image;
        for _ in 0..60 {
            net.b.push_scope("s").expect("a scope");
            x = net.op("tanh", &[x], &[]);
        }
        net.b.output("x", x).expect("an output");
    });
    assert_apart(&draw(&deep, None));
    assert_apart(&draw(&deep, Some("s.s.s")));
}

#[test]
fn unknown_scopes_are_refused() {
    let failure = drawing(&nas_bench_201(CELL), Some("stage.0.0")).unwrap_err();
    assert_eq!(failure.message, "the graph has no operation in the scope `stage.0.0`");
    assert_eq!(failure.hint.as_deref(), Some("there is a scope `stages.0.0`"));
    assert!(drawing(&nas_bench_201(CELL), Some("stages.0.")).is_err());
}
