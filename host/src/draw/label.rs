//! What is written on a box.

use std::collections::BTreeSet;

use nshot_graph::{Graph, Node, Op, ShowShape, ValueId};

use super::chains::Roots;

/// Groups of operations that share a colour; the name is the class in the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Convolution,
    Pool,
    Pointwise,
    Linear,
    Attention,
    Join,
    Layout,
    Zero,
    Other,
    Scope,
}

/// Parameters and nodes that the text on hovering lists.
const LISTED: usize = 12;

/// What a chain of nodes is called, its sizes, and its colour: that of the heaviest operation.
pub(super) fn chain(graph: &Graph, roots: &Roots, chain: &[ValueId]) -> (Kind, Vec<String>) {
    let heavy = chain.iter().find(|value| is_weighted(&graph.node(**value).op)).unwrap_or(&chain[0]);
    let parameters: Vec<ValueId> = parameters(graph, roots, chain).into_iter().collect();
    let titles: Vec<String> = chain.iter().map(|value| title(graph, graph.node(*value))).collect();
    let mut lines = vec![titles.join("–")];
    let details: Vec<String> =
        chain.iter().map(|value| detail(graph, graph.node(*value))).filter(|d| !d.is_empty()).collect();
    if !details.is_empty() {
        lines.push(details.join(" / "));
    }
    let node = graph.node(*heavy);
    if let (Op::Mul | Op::Add, false) = (&node.op, parameters.is_empty()) {
        let name = if node.op == Op::Mul { "Multiply" } else { "Add" };
        lines = vec![name.to_owned()];
    }
    match parameters[..] {
        [] => {}
        [only] if !is_weighted(&node.op) => {
            lines.push(roots[only as usize].map_or(String::new(), |root| graph.node(root).name.clone()));
        }
        _ => lines.extend(count(graph, roots, &parameters)),
    }
    (kind(&node.op), lines)
}

/// `2,320 parameters`, or nothing where none is counted.
pub(super) fn count(graph: &Graph, roots: &Roots, parameters: &[ValueId]) -> Option<String> {
    let counted = parameters.iter().filter(|value| {
        let root = roots[**value as usize].map(|root| &graph.node(root).op);
        matches!(root, Some(Op::Parameter { role, .. }) if role.counts())
    });
    let elements = counted.fold(0u64, |sum, value| {
        let sizes = graph.node(*value).shape.iter();
        sum.saturating_add(sizes.fold(1u64, |product, size| product.saturating_mul(size.unsigned_abs())))
    });
    (elements > 0)
        .then(|| format!("{} {}", grouped(elements), if elements == 1 { "parameter" } else { "parameters" }))
}

/// Parameters, or parts of them, that enter the nodes.
pub(super) fn parameters(graph: &Graph, roots: &Roots, nodes: &[ValueId]) -> BTreeSet<ValueId> {
    let inputs = nodes.iter().flat_map(|value| &graph.node(*value).inputs);
    inputs.copied().filter(|input| roots[*input as usize].is_some()).collect()
}

/// The nodes with their shapes and parameters, one a line.
pub(super) fn hover(graph: &Graph, roots: &Roots, nodes: &[ValueId]) -> String {
    let mut lines = vec![];
    for value in nodes.iter().take(LISTED) {
        let node = graph.node(*value);
        lines.push(format!("{}: {} → {}", node.name, node.op.name(), ShowShape(&node.shape)));
        for input in parameters(graph, roots, &[*value]).into_iter().take(LISTED) {
            let name = roots[input as usize].map_or("", |root| &graph.node(root).name);
            lines.push(format!("    {name} {}", ShowShape(&graph.node(input).shape)));
        }
    }
    if nodes.len() > LISTED {
        lines.push(format!("… {} more", nodes.len() - LISTED));
    }
    lines.join("\n")
}

/// `16,384`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `N×16×32×32`
pub(super) fn sizes(shape: &[i64]) -> String {
    if shape.is_empty() {
        return "scalar".into();
    }
    let size = |size: &i64| match size {
        -1 => "N".to_owned(),
        k if *k < 0 => format!("{}N", k.unsigned_abs()),
        k => k.to_string(),
    };
    shape.iter().map(size).collect::<Vec<_>>().join("×")
}

pub(super) fn is_weighted(op: &Op) -> bool {
    matches!(op, Op::Conv2d { .. } | Op::Linear)
}

pub(super) fn is_activation(op: &Op) -> bool {
    use Op::{Gelu, Hardswish, Relu, Relu6, Sigmoid, Silu, Tanh};
    matches!(op, Relu | Relu6 | Hardswish | Sigmoid | Tanh | Silu | Gelu { .. })
}

pub(super) fn is_depthwise(graph: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::Conv2d { groups, .. } if groups > 1 && channels(graph, node) == Some(groups))
}

fn kind(op: &Op) -> Kind {
    match op {
        Op::Input { .. } | Op::Parameter { .. } => Kind::End,
        Op::Conv2d { .. } => Kind::Convolution,
        Op::AvgPool2d { .. } | Op::MaxPool2d { .. } | Op::GlobalAvgPool => Kind::Pool,
        Op::Linear => Kind::Linear,
        Op::Matmul | Op::Softmax { .. } => Kind::Attention,
        Op::Add | Op::Mul | Op::Cat { .. } => Kind::Join,
        Op::Zeros | Op::ZerosLike | Op::Constant { .. } => Kind::Zero,
        Op::Slice { .. } | Op::Reshape | Op::Transpose { .. } => Kind::Layout,
        Op::BatchNorm { .. } | Op::LayerNorm { .. } | Op::Dropout { .. } => Kind::Pointwise,
        Op::Aten { .. } => Kind::Other,
        op if is_activation(op) => Kind::Pointwise,
        _ => Kind::Other,
    }
}

fn title(graph: &Graph, node: &Node) -> String {
    match &node.op {
        Op::Conv2d { .. } => {
            let name = if is_depthwise(graph, node) { "DWConv" } else { "Conv" };
            match weight(graph, node) {
                Some([.., height, width]) => format!("{name} {height}×{width}"),
                _ => name.to_owned(),
            }
        }
        Op::AvgPool2d { kernel: [height, width], .. } => format!("AvgPool {height}×{width}"),
        Op::MaxPool2d { kernel: [height, width], .. } => format!("MaxPool {height}×{width}"),
        Op::Constant { value } => {
            format!("{value:.4e}").parse::<f64>().map_or_else(|_| "Constant".into(), |v| v.to_string())
        }
        Op::Aten { operator, .. } => operator.clone(),
        Op::Input { .. } | Op::Parameter { .. } => node.name.clone(),
        op => plain(op).to_owned(),
    }
}

fn plain(op: &Op) -> &'static str {
    match op {
        Op::BatchNorm { .. } => "BN",
        Op::Relu => "ReLU",
        Op::Relu6 => "ReLU6",
        Op::Hardswish => "Hardswish",
        Op::Sigmoid => "Sigmoid",
        Op::Tanh => "Tanh",
        Op::Silu => "SiLU",
        Op::Gelu { .. } => "GELU",
        Op::GlobalAvgPool => "GlobalAvgPool",
        Op::Linear => "Linear",
        Op::Add => "+",
        Op::Mul => "×",
        Op::Cat { .. } => "Concat",
        Op::Zeros | Op::ZerosLike => "Zero",
        Op::Slice { .. } => "Slice",
        Op::Reshape => "Reshape",
        Op::Transpose { .. } => "Transpose",
        Op::Matmul => "MatMul",
        Op::Softmax { .. } => "Softmax",
        Op::LayerNorm { .. } => "LayerNorm",
        Op::Dropout { .. } => "Dropout",
        _ => "",
    }
}

fn detail(graph: &Graph, node: &Node) -> String {
    match &node.op {
        Op::Conv2d { stride, dilation, groups, .. } => {
            let mut text = format!("{}, {}", maps(graph, node), pair("stride", *stride));
            if *dilation != [1, 1] {
                text = format!("{text}, {}", pair("dilation", *dilation));
            }
            if *groups > 1 && !is_depthwise(graph, node) {
                text = format!("{text}, {groups} groups");
            }
            text
        }
        Op::AvgPool2d { stride, .. } | Op::MaxPool2d { stride, .. } => pair("stride", *stride),
        Op::Linear => maps(graph, node),
        Op::Cat { dim } | Op::Softmax { dim } => format!("dimension {dim}"),
        Op::Slice { dim, start, end, step } => {
            let step = if *step == 1 { String::new() } else { format!(":{step}") };
            format!("dimension {dim}, {start}:{end}{step}")
        }
        Op::Transpose { dim0, dim1 } => format!("{dim0} ↔ {dim1}"),
        Op::Reshape | Op::Input { .. } => sizes(&node.shape),
        Op::Dropout { p } => format!("p = {p}"),
        _ => String::new(),
    }
}

fn pair(name: &str, [height, width]: [i64; 2]) -> String {
    if height == width { format!("{name} {height}") } else { format!("{name} {height}×{width}") }
}

/// Channels or features in and out.
fn maps(graph: &Graph, node: &Node) -> String {
    let outputs = weight(graph, node).and_then(|weight| weight.first()).copied().unwrap_or(0);
    format!("{}→{outputs}", channels(graph, node).unwrap_or(0))
}

fn channels(graph: &Graph, node: &Node) -> Option<i64> {
    let input = &graph.node(*node.inputs.first()?).shape;
    if node.op == Op::Linear { input.last().copied() } else { input.get(1).copied() }
}

fn weight<'g>(graph: &'g Graph, node: &Node) -> Option<&'g [i64]> {
    Some(&graph.node(*node.inputs.get(1)?).shape)
}
