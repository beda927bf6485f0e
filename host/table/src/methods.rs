//! A sweep's methods beside each other: the figure of each seed, and the differences to the plain method.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::bootstrap::Interval;
use crate::chart::{Failed, GRID, MAX_NAME, MAX_TITLE, SIZE, TEXT, drawable, font, printable, range, tick};
use crate::correlation::mean;
use crate::error::{Error, Result};

/// Height of a method's row, and of what is above and below the rows, in pixels.
const ROW: u32 = 30;
const FRAME: u32 = 100;
/// Width of a letter of a method's name, about, in pixels.
const LETTER: u32 = 8;
const COLOUR: RGBColor = RGBColor(0, 114, 178);

/// One method of a sweep, as [`methods`] draws it.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// The figure of each seed.
    pub values: Vec<f64>,
    /// The mean difference to the plain method, with its interval; none of the plain method itself.
    pub difference: Option<(f64, Option<Interval>)>,
}

/// What a panel shows of a method: small dots, a line, a large dot.
struct Marks {
    dots: Vec<f64>,
    line: Option<Interval>,
    centre: Option<f64>,
}

/// An SVG picture with a row for each method: on the left a small dot for each seed's `figure` and a large one for
/// their mean; on the right, where there is one, the difference to `plain` with its interval.
///
/// Values that are not finite are left out.
///
/// # Errors
/// The drawing library refuses.
pub fn methods(rows: &[Method], figure: &str, plain: &str, title: &str) -> Result<String> {
    let size = (SIZE.0, FRAME + ROW * rows.len() as u32);
    let mut svg = String::new();
    let drawn = onto(SVGBackend::with_string(&mut svg, size), rows, figure, plain, title);
    drawn.map_err(|error| Error::Plot { title: printable(title, MAX_TITLE), problem: error.to_string() })?;
    Ok(svg)
}

fn onto<'a>(
    backend: SVGBackend<'a>,
    rows: &[Method],
    figure: &str,
    plain: &str,
    title: &str,
) -> std::result::Result<(), Failed<'a>> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(&printable(title, MAX_TITLE), font(19))?;
    let names: Vec<String> = rows.iter().map(|row| printable(&row.name, MAX_NAME)).collect();
    let longest = names.iter().map(|name| name.chars().count() as u32).max().unwrap_or(0);
    let margin = LETTER * longest + 12;
    let values = rows.iter().map(|row| {
        let dots = row.values.clone();
        Marks { centre: mean(&dots), line: None, dots }
    });
    let values: Vec<Marks> = values.collect();
    let differences = rows.iter().map(|row| {
        let (centre, line) = row.difference.unzip();
        Marks { dots: Vec::new(), line: line.flatten(), centre }
    });
    let differences: Vec<Marks> = differences.collect();
    let figure = printable(figure, MAX_NAME);
    if differences.iter().all(|marks| marks.centre.is_none()) {
        panel(&area, &figure, &values, Some((&names, margin)))?;
    } else {
        let (left, right) = area.split_horizontally(margin + (SIZE.0.saturating_sub(margin)) / 2);
        panel(&left, &figure, &values, Some((&names, margin)))?;
        let label = format!("difference to {}, 95 % interval", printable(plain, MAX_NAME));
        panel(&right, &label, &differences, None)?;
    }
    area.present()
}

/// Draws one panel; the first row is at the top. `names`: the methods' names, and the width that they take.
fn panel<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    label: &str,
    rows: &[Marks],
    names: Option<(&[String], u32)>,
) -> std::result::Result<(), Failed<'a>> {
    let shown = |value: &f64| drawable((*value, 0.0));
    let ends = |line: &Interval| [line.low, line.high];
    let of = |row: &Marks| {
        let line = row.line.as_ref().map(ends).into_iter().flatten();
        row.dots.iter().copied().chain(line).chain(row.centre).collect::<Vec<_>>()
    };
    let zero = names.is_none().then_some(0.0);
    let x = range(rows.iter().flat_map(of).filter(shown).chain(zero));
    let last = rows.len().saturating_sub(1);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(names.map_or(8, |(_, width)| width))
        .build_cartesian_2d(x.clone(), (0..last).into_segmented())?;
    let name = |value: &SegmentValue<usize>| match (value, names) {
        (SegmentValue::CenterOf(at), Some((names, _))) => {
            last.checked_sub(*at).and_then(|row| names.get(row)).cloned().unwrap_or_default()
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(TEXT)
        .x_desc(label)
        .x_labels(6)
        .y_labels(rows.len() + 1)
        .x_label_formatter(&|value| tick(*value, &x))
        .y_label_formatter(&name)
        .label_style(font(14))
        .axis_desc_style(font(15))
        .draw()?;
    if let Some(zero) = zero {
        let line = [(zero, SegmentValue::Exact(0)), (zero, SegmentValue::Last)];
        chart.draw_series([PathElement::new(line, TEXT)])?;
    }
    for (index, row) in rows.iter().enumerate() {
        let at = || SegmentValue::CenterOf(last - index);
        let dots = row.dots.iter().copied().filter(shown);
        chart.draw_series(dots.map(|dot| Circle::new((dot, at()), 3, COLOUR.mix(0.45).filled())))?;
        if let Some(line) = row.line.as_ref().filter(|line| ends(line).iter().all(shown)) {
            let line = ends(line).map(|end| (end, at()));
            chart.draw_series([PathElement::new(line, COLOUR.stroke_width(2))])?;
        }
        let centre = row.centre.filter(shown);
        chart.draw_series(centre.map(|centre| Circle::new((centre, at()), 5, COLOUR.filled())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str, values: &[f64], difference: Option<(f64, f64, f64)>) -> Method {
        let difference = difference.map(|(mean, low, high)| (mean, Some(Interval { low, high })));
        Method { name: name.to_owned(), values: values.to_vec(), difference }
    }

    #[test]
    fn each_method_has_its_row() {
        let rows = [
            method("plain & <simple>", &[0.4, 0.5, 0.6], None),
            method("other", &[0.5, 0.7], Some((0.15, -0.1, 0.4))),
            method("third", &[0.1], Some((-0.3, -0.5, -0.1))),
        ];
        let svg = methods(&rows, "tau", "plain", "a sweep").unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let all = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
        let text = |node: roxmltree::Node<'_, '_>| node.text().unwrap_or_default().trim().to_owned();
        let y = |name: &str| {
            let node = all("text").find(|node| text(*node) == name).unwrap_or_else(|| panic!("no {name}"));
            node.attribute("y").unwrap().parse::<f64>().unwrap()
        };
        assert!(y("plain & <simple>") < y("other") && y("other") < y("third"));
        // Six seeds, three means, two differences.
        assert_eq!(all("circle").count(), 11);
        let circles = |row: &str| {
            let near = |node: &roxmltree::Node<'_, '_>| {
                (node.attribute("cy").unwrap().parse::<f64>().unwrap() - y(row)).abs() < 12.0
            };
            all("circle").filter(near).count()
        };
        assert_eq!([circles("plain & <simple>"), circles("other"), circles("third")], [4, 4, 3]);
        for expected in ["a sweep", "tau", "difference to plain, 95 % interval"] {
            assert!(all("text").any(|node| text(node) == expected), "{expected} in {svg}");
        }
        let alone = methods(&rows[..1], "tau", "plain", "a sweep").unwrap();
        assert!(!alone.contains("difference"));
    }

    #[test]
    fn any_values_are_survived() {
        for value in [f64::NAN, f64::INFINITY, 1e300, -1e-300, 0.0] {
            let rows = [
                method("a", &[value, 1.0], None),
                method(&"long".repeat(100), &[], Some((value, value, 1.0))),
            ];
            roxmltree::Document::parse(&methods(&rows, "tau", "a", "t").unwrap()).unwrap();
        }
        assert!(methods(&[], "tau", "a", "t").unwrap().contains("<svg"));
        let many: Vec<Method> = (0..300).map(|row| method(&row.to_string(), &[0.5], None)).collect();
        let svg = methods(&many, "tau", "0", "many").unwrap();
        assert!((0..300).all(|row| svg.contains(&format!("\n{row}\n"))));
    }
}
