//! Scores against trained accuracies.

use std::collections::HashSet;

use plotters::prelude::{RGBColor, SeriesLabelPosition};

use crate::chart::{Drawn, Labels, Marks, SIZE, draw, drawable, printable, range};
use crate::compare::{Complexity, Ranked, Score, is_percent};
use crate::correlation::kendall;
use crate::error::Result;
use crate::fairness::quartiles;

/// Colours of the quartiles, smallest first: apart from each other for the colour-blind, and in grey.
const COLOURS: [RGBColor; 4] =
    [RGBColor(240, 165, 0), RGBColor(74, 175, 109), RGBColor(39, 110, 160), RGBColor(70, 30, 110)];

/// Longer titles are cut, in characters: tau-b follows them.
const MAX_TITLE: usize = 60;

/// An SVG picture of scores (x) against trained accuracies (y), coloured by quartile of complexity, with tau-b in
/// the title.
///
/// Points that fall on the same pixel in the same colour are drawn once, so the picture of a whole space stays
/// small. Rows with values that are not finite are left out.
///
/// # Errors
/// The drawing library refuses.
pub fn scatter(rows: &[Ranked], score: Score, complexity: Complexity, title: &str) -> Result<String> {
    let costs: Vec<f64> = rows.iter().map(|row| row.complexity(complexity) as f64).collect();
    let scores: Vec<f64> = rows.iter().map(|row| row.score(score)).collect();
    let truth: Vec<f64> = rows.iter().map(|row| row.truth).collect();
    let points: Vec<(f64, f64)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    let quartile = quartiles(&costs);
    let of = |wanted: usize| {
        let of = points
            .iter()
            .zip(&quartile)
            .filter(|(point, quartile)| **quartile == wanted && drawable(**point));
        of.map(|(point, _)| *point).collect::<Vec<_>>()
    };
    let what = match complexity {
        Complexity::Weights => "weights",
        Complexity::Params => "parameters",
        Complexity::Macs => "MACs",
    };
    let names = ["fewest", "2nd quarter", "3rd quarter", "most"];
    let series = [0, 1, 2, 3].map(|index| Drawn {
        name: if index % 3 == 0 { format!("{} {what}", names[index]) } else { names[index].to_owned() },
        colour: COLOURS[index],
        points: of(index),
    });
    let shown: usize = series.iter().map(|series| series.points.len()).sum();
    let tau = kendall(&scores, &truth);
    let shown_tau = tau.map_or("undefined".to_owned(), |tau| format!("{tau:.3}"));
    let title = format!("{}: tau-b {shown_tau}, n = {}", printable(title, MAX_TITLE), rows.len());
    let x = match score {
        Score::Accuracy => "accuracy with the supernet's weights",
        Score::Nll => "minus mean negative log-likelihood with the supernet's weights (nats)",
    };
    let y = if is_percent(&truth) { "trained accuracy (%)" } else { "trained accuracy" };
    let radius = if shown > 2000 { 2 } else { 3 };
    let labels = Labels { title: &title, x, y };
    // The corner where few points are.
    let falling = tau.is_some_and(|tau| tau < 0.0);
    let legend = if falling { SeriesLabelPosition::LowerLeft } else { SeriesLabelPosition::LowerRight };
    draw(&labels, &thinned(series), &Marks::Dots(radius), legend)
}

/// Of points on the same pixel the first.
fn thinned(mut series: [Drawn; 4]) -> [Drawn; 4] {
    let points = || series.iter().flat_map(|series| &series.points);
    let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
    let pixel = |value: f64, range: &std::ops::Range<f64>, pixels: u32| {
        ((value - range.start) / (range.end - range.start) * f64::from(pixels)) as u32
    };
    for Drawn { points, .. } in &mut series {
        let mut seen = HashSet::new();
        points.retain(|point| seen.insert((pixel(point.0, &x, SIZE.0), pixel(point.1, &y, SIZE.1))));
    }
    series
}

#[cfg(test)]
mod tests {
    use nshot_data::random::Stream;

    use super::*;

    #[test]
    fn every_point_is_drawn() {
        let mut stream = Stream::new(0, "scatter", (0, 0));
        let rows: Vec<Ranked> = (0..60)
            .map(|index| Ranked {
                accuracy: f64::from(index) / 60.0,
                truth: 60.0 + 30.0 * stream.f64(),
                weights: stream.below(1000),
                ..Ranked::default()
            })
            .collect();
        let svg = scatter(&rows, Score::Accuracy, Complexity::Weights, "a <b> & \"c\"\u{1}\u{0}").unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let all = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
        // And one in the legend for each quartile.
        assert_eq!(all("circle").count(), 64);
        let texts: Vec<&str> = all("text").filter_map(|node| node.text()).map(str::trim).collect();
        assert!(texts.iter().any(|text| text.starts_with("a <b> & \"c\": tau-b ")), "{texts:?}");
        for expected in ["trained accuracy (%)", "accuracy with the supernet's weights", "fewest weights"] {
            assert!(texts.contains(&expected), "{expected} in {texts:?}");
        }
    }

    /// Strange values are left out, and never loop, panic or break the XML.
    #[test]
    fn any_values_are_survived() {
        let mut stream = Stream::new(1, "scatter", (0, 0));
        for _ in 0..300 {
            let rows: Vec<Ranked> = (0..stream.below(6))
                .map(|_| Ranked {
                    mean_nll: f64::from_bits(stream.bits()),
                    truth: f64::from_bits(stream.bits()),
                    macs: stream.bits(),
                    ..Ranked::default()
                })
                .collect();
            let svg = scatter(&rows, Score::Nll, Complexity::Macs, "any").unwrap();
            roxmltree::Document::parse(&svg).unwrap();
        }
        let svg = scatter(&[], Score::Nll, Complexity::Macs, &"long ".repeat(1000)).unwrap();
        assert!(svg.contains("…: tau-b undefined, n = 0"));
        for value in [0.0, 1e-300, 1e15, -7.0] {
            let rows = [Ranked { accuracy: value, truth: value, ..Ranked::default() }; 2];
            let svg = scatter(&rows, Score::Accuracy, Complexity::Params, "same").unwrap();
            assert!(svg.contains("tau-b undefined, n = 2"));
            assert!(svg.len() < 30_000);
        }
    }
}
