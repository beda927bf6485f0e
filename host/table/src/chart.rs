//! What all pictures share: size, fonts, ranges, and texts that SVG can hold.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::error::{Error, Result};

/// Width and height, in pixels.
pub(crate) const SIZE: (u32, u32) = (760, 500);
/// Larger values are not drawn: the axes' arithmetic would overflow.
const MAX_DRAWN: f64 = 1e100;
/// Lines of more points are thin.
const DENSE: usize = 400;
/// Longer titles are cut, in characters.
pub(crate) const MAX_TITLE: usize = 90;
/// Longer names in the legend are cut, in characters.
pub(crate) const MAX_NAME: usize = 50;
const FONT: &str = "sans-serif";
pub(crate) const TEXT: RGBColor = RGBColor(40, 40, 40);
pub(crate) const GRID: RGBColor = RGBColor(225, 225, 225);

/// A picture's texts.
pub(crate) struct Labels<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

/// One set of points or line with its name in the legend.
pub(crate) struct Drawn {
    pub(crate) name: String,
    pub(crate) colour: RGBColor,
    pub(crate) points: Vec<(f64, f64)>,
}

/// How points become marks.
pub(crate) enum Marks {
    /// Filled circles of this radius.
    Dots(u32),
    /// A line through them, and a dot for one that is alone.
    Line,
}

/// Draws everything as SVG.
///
/// # Errors
/// The drawing library refuses.
pub(crate) fn draw(
    labels: &Labels,
    series: &[Drawn],
    marks: &Marks,
    legend: SeriesLabelPosition,
) -> Result<String> {
    let mut svg = String::new();
    let drawn = onto(SVGBackend::with_string(&mut svg, SIZE), labels, series, marks, legend);
    drawn.map_err(|error| Error::Plot {
        title: printable(labels.title, MAX_TITLE),
        problem: error.to_string(),
    })?;
    Ok(svg)
}

/// Why the drawing library refused.
pub(crate) type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn onto<'a>(
    backend: SVGBackend<'a>,
    labels: &Labels,
    series: &[Drawn],
    marks: &Marks,
    legend: SeriesLabelPosition,
) -> std::result::Result<(), Failed<'a>> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let points = || series.iter().flat_map(|series| &series.points);
    let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
    let mut chart = ChartBuilder::on(&area)
        .caption(printable(labels.title, MAX_TITLE), font(19))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(TEXT)
        .x_desc(printable(labels.x, MAX_TITLE))
        .y_desc(printable(labels.y, MAX_NAME))
        .x_label_formatter(&|value| tick(*value, &x))
        .y_label_formatter(&|value| tick(*value, &y))
        .label_style(font(14))
        .axis_desc_style(font(15))
        .draw()?;
    for drawn in series {
        add(&mut chart, drawn, marks)?;
    }
    if series.iter().any(|series| !series.name.is_empty()) {
        let mut labels = chart.configure_series_labels();
        labels.position(legend).label_font(font(14)).background_style(WHITE.mix(0.85));
        labels.border_style(GRID).margin(10).draw()?;
    }
    area.present()
}

/// Adds one series, with its line in the legend.
fn add<'b>(chart: &mut Chart<'_, 'b>, drawn: &Drawn, marks: &Marks) -> std::result::Result<(), Failed<'b>> {
    let Drawn { name, points, .. } = drawn;
    let colour = drawn.colour;
    let dots = |radius: u32| {
        let style = colour.mix(0.65).filled();
        points.iter().map(move |&point| Circle::new(point, radius, style))
    };
    let added = match marks {
        Marks::Dots(radius) => chart.draw_series(dots(*radius))?,
        Marks::Line if points.len() == 1 => chart.draw_series(dots(3))?,
        Marks::Line => {
            let width = if points.len() > DENSE { 1 } else { 2 };
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(width)))?
        }
    };
    if !name.is_empty() {
        let mark = move |(x, y)| Circle::new((x + 10, y), 5, colour.filled());
        added.label(printable(name, MAX_NAME)).legend(mark);
    }
    Ok(())
}

/// The font of all texts, so many pixels high.
pub(crate) fn font(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&TEXT)
}

/// Whether a point can be drawn.
pub(crate) fn drawable(point: (f64, f64)) -> bool {
    point.0.abs() <= MAX_DRAWN && point.1.abs() <= MAX_DRAWN
}

/// A range that holds all values with some room, and is never empty.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let least = low.abs().max(high.abs()).max(1e-6) * 1e-6;
    let room = if high - low > least { 0.04 * (high - low) } else { 0.5 * (1e-6 + low.abs()) };
    low - room..high + room
}

/// A tick's value with as many decimals as the range asks for.
pub(crate) fn tick(value: f64, range: &Range<f64>) -> String {
    let span = range.end - range.start;
    let largest = range.start.abs().max(range.end.abs());
    if largest >= 1e6 || span < 1e-4 {
        return format!("{value:.1e}");
    }
    let decimals = (1.3 - span.log10()).ceil().clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    // Minus nothing is nothing.
    if text.chars().all(|c| "-0.".contains(c)) { text.trim_start_matches('-').to_owned() } else { text }
}

/// A text without the characters that XML forbids, cut to fit the picture.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let allowed = text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    let mut shown: String = allowed.take(most + 1).collect();
    if let Some((cut, _)) = shown.char_indices().nth(most) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}
