//! A scene as SVG text.

use std::fmt::Write as _;

use super::{
    label::Kind,
    layout::{Layout, Problem, layout},
    scene::{Block, Scene},
};

/// Heights of a title, a further line, and of the space above and below.
const TITLE: f64 = 18.0;
const LINE: f64 = 15.0;
const PADDING: f64 = 8.0;
const CIRCLE: f64 = 28.0;
/// Characters of a line.
const LONGEST: usize = 44;
const NOTE: f64 = 26.0;

const STYLE: &str = "
.page{fill:#fff}
text{font-family:Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;text-anchor:middle;fill:#1c2024}
.title{font-size:13px;font-weight:600}.line{font-size:11px;fill:#4a5058}.sign{font-size:18px}
.note{font-size:12px;font-style:italic;text-anchor:start}
.box{stroke-width:1.2;fill:#f1f2f4;stroke:#8b929b}
.edge{fill:none;stroke:#5b636d;stroke-width:1.3}.tip{fill:#5b636d}
.wide{fill:none;stroke:#000;stroke-opacity:0;stroke-width:9}
.convolution .box{fill:#dce9fb;stroke:#3d74c4}.pool .box{fill:#dcf2e0;stroke:#3a9150}
.pointwise .box{fill:#fdf0cf;stroke:#b88a1e}.linear .box{fill:#eae2f9;stroke:#7a57bd}
.attention .box{fill:#fbe0ec;stroke:#bf4f86}.other .box{fill:#d9f1f0;stroke:#2e8c89}
.scope .box{fill:#e6ebf2;stroke:#5a6f8c}.join .box{fill:#fff;stroke:#5b636d}.end .box{fill:#fff;stroke:#1c2024}
.dead .box{fill:#f6f6f7;stroke:#b5bac0;stroke-dasharray:4 3}.dead text{fill:#9aa0a7}
.edge.dead{stroke:#c3c7cc;stroke-dasharray:4 3}.tip.dead{fill:#c3c7cc}
@media (prefers-color-scheme:dark){
.page{fill:#16181c}text{fill:#eceef1}.line{fill:#b4bac3}
.box{fill:#2a2e35;stroke:#7d8590}.edge{stroke:#a2a9b3}.tip{fill:#a2a9b3}
.convolution .box{fill:#1d3354;stroke:#6f9fe6}.pool .box{fill:#1c3d26;stroke:#64bb7a}
.pointwise .box{fill:#43360f;stroke:#d8ab42}.linear .box{fill:#35274f;stroke:#a688e0}
.attention .box{fill:#4a2036;stroke:#e07faf}.other .box{fill:#163e3d;stroke:#5cbcb8}
.scope .box{fill:#28313e;stroke:#8ba0bd}.join .box{fill:#16181c;stroke:#a2a9b3}.end .box{fill:#16181c;stroke:#eceef1}
.dead .box{fill:#1d2024;stroke:#555c65}.dead text{fill:#737a84}
.edge.dead{stroke:#4a5059}.tip.dead{fill:#4a5059}}
";

/// Lays the scene out and writes it.
pub(super) fn render(scene: &Scene) -> String {
    let texts: Vec<Vec<String>> =
        scene.blocks.iter().map(|block| block.lines.iter().map(|line| shorten(line)).collect()).collect();
    let sizes: Vec<(f64, f64)> =
        scene.blocks.iter().zip(&texts).map(|(block, lines)| size(block, lines)).collect();
    let edges: Vec<(usize, usize)> = scene.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let mut last = vec![false; sizes.len()];
    for (i, block) in scene.blocks.iter().enumerate() {
        last[i] = block.kind == Kind::End && edges.iter().any(|edge| edge.1 == i);
    }
    let placed = layout(&Problem { sizes: &sizes, edges: &edges, last: &last });

    let noted = scene.note.as_ref().map_or(0.0, |note| width(note, 12.0) + 32.0);
    let (wide, high) = (placed.width.max(noted), placed.height + if noted > 0.0 { NOTE } else { 0.0 });
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" \
         viewBox=\"0 0 {wide:.1} {high:.1}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        escape(&scene.title)
    );
    // Dead edges first: where they share a way, the live one is on top.
    for live in [false, true] {
        for (edge, i) in scene.edges.iter().zip(0..).filter(|(edge, _)| edge.live == live) {
            write_edge(&mut svg, &placed, i, &edge.hover, live);
        }
    }
    for (i, block) in scene.blocks.iter().enumerate() {
        write_block(&mut svg, block, &texts[i], placed.corners[i], sizes[i]);
    }
    if let Some(note) = &scene.note {
        let y = placed.height + 6.0;
        let _ = writeln!(svg, "<text class=\"note\" x=\"16\" y=\"{y:.1}\">{}</text>", escape(note));
    }
    svg.push_str("</svg>\n");
    svg
}

fn write_edge(svg: &mut String, placed: &Layout, edge: usize, hover: &str, live: bool) {
    let route = &placed.routes[edge];
    let (Some(first), Some(last)) = (route.first(), route.last()) else { return };
    let mut path = format!("M{:.1} {:.1}V{:.1}", first.x, first.top, first.bottom);
    for pair in route.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let middle = f64::midpoint(from.bottom, to.top);
        let _ = write!(path, "C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}", from.x, to.x, to.x, to.top);
        if to.bottom > to.top {
            let _ = write!(path, "V{:.1}", to.bottom);
        }
    }
    let dead = if live { "" } else { " dead" };
    let (x, y) = (last.x, last.bottom);
    let _ = writeln!(
        svg,
        "<g><title>{}</title><path class=\"wide\" d=\"{path}\"/><path class=\"edge{dead}\" d=\"{path}\"/>\
         <path class=\"tip{dead}\" d=\"M{x:.1} {y:.1}l-4 -8h8z\"/></g>",
        escape(hover)
    );
}

fn write_block(svg: &mut String, block: &Block, lines: &[String], corner: (f64, f64), size: (f64, f64)) {
    let ((x, y), (width, height)) = (corner, size);
    let (kind, dead) = (class(block.kind), if block.live { "" } else { " dead" });
    let radius = match block.kind {
        _ if is_sign(lines) => CIRCLE / 2.0,
        Kind::End => height / 2.0,
        _ => 5.0,
    };
    let _ = write!(
        svg,
        "<g class=\"{kind}{dead}\"><title>{}</title><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\"/>",
        escape(&block.hover)
    );
    let middle = x + width / 2.0;
    let mut base = y + PADDING;
    for (i, line) in lines.iter().enumerate() {
        let (class, baseline) = match i {
            0 if is_sign(lines) => ("sign", y + CIRCLE / 2.0 + 6.0),
            0 => ("title", base + 13.0),
            _ => ("line", base + 11.0),
        };
        base += if i == 0 { TITLE } else { LINE };
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{middle:.1}\" y=\"{baseline:.1}\">{}</text>",
            escape(line)
        );
    }
    svg.push_str("</g>\n");
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::End => "end",
        Kind::Convolution => "convolution",
        Kind::Pool => "pool",
        Kind::Pointwise => "pointwise",
        Kind::Linear => "linear",
        Kind::Attention => "attention",
        Kind::Join => "join",
        Kind::Layout => "layout",
        Kind::Zero => "zero",
        Kind::Other => "other",
        Kind::Scope => "scope",
    }
}

/// Sums and products are circles with a sign.
fn is_sign(lines: &[String]) -> bool {
    matches!(lines, [only] if only == "+" || only == "×")
}

fn size(block: &Block, lines: &[String]) -> (f64, f64) {
    if is_sign(lines) {
        return (CIRCLE, CIRCLE);
    }
    let widths = lines.iter().enumerate().map(|(i, line)| width(line, if i == 0 { 13.5 } else { 11.0 }));
    let side = if block.kind == Kind::End { 36.0 } else { 24.0 };
    let wide = widths.fold(36.0, f64::max) + side;
    (wide.ceil(), TITLE + LINE * lines.len().saturating_sub(1) as f64 + 2.0 * PADDING)
}

/// About how wide a text is, without its font.
fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' | ' ' | '(' | ')' | '[' | ']' => 0.34,
        'm' | 'w' | 'M' | 'W' | '→' | '…' => 0.95,
        c if c.is_uppercase() => 0.72,
        c if c.is_ascii() || c < '\u{2100}' => 0.58,
        _ => 1.05,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// The beginning and end of a long line.
fn shorten(line: &str) -> String {
    let characters: Vec<char> = line.chars().take(4096).collect();
    if characters.len() <= LONGEST {
        return line.to_owned();
    }
    let half = LONGEST / 2;
    let ends = (&characters[..half], &characters[characters.len() - half + 1..]);
    ends.0.iter().chain(&['…']).chain(ends.1).collect()
}

/// Text for XML; characters that XML does not allow are replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
