//! Curves over training.

use plotters::prelude::{RGBColor, SeriesLabelPosition};

use crate::chart::{Drawn, Labels, Marks, draw, drawable};
use crate::error::Result;

/// Colours of the curves, told apart by the colour-blind; after the last they start over.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
/// A curve is thinned to about this many points.
const MAX_POINTS: usize = 1500;

/// A curve's name, and its points in the order in which they are joined.
pub type Series = (String, Vec<(f64, f64)>);

/// An SVG picture of curves, with a legend where they have names.
///
/// A long curve is thinned: of each run of neighbouring points its lowest and its highest stay, so that peaks
/// are kept. Points with values that are not finite are left out.
///
/// # Errors
/// The drawing library refuses.
pub fn lines(series: &[Series], title: &str, x: &str, y: &str) -> Result<String> {
    let drawn = |(index, (name, points)): (usize, &Series)| {
        let points: Vec<(f64, f64)> = points.iter().copied().filter(|point| drawable(*point)).collect();
        Drawn { name: name.clone(), colour: COLOURS[index % COLOURS.len()], points: thinned(&points) }
    };
    let drawn: Vec<Drawn> = series.iter().enumerate().map(drawn).collect();
    draw(&Labels { title, x, y }, &drawn, &Marks::Line, SeriesLabelPosition::UpperRight)
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points.to_vec();
    }
    let run = (2 * points.len()).div_ceil(MAX_POINTS);
    let ends = points.chunks(run).flat_map(|run| {
        let places = 0..run.len();
        let lowest = places.clone().min_by(|&a, &b| run[a].1.total_cmp(&run[b].1)).unwrap_or(0);
        let highest = places.max_by(|&a, &b| run[a].1.total_cmp(&run[b].1)).unwrap_or(0);
        let (first, second) = (lowest.min(highest), lowest.max(highest));
        [run[first]].into_iter().chain((first < second).then(|| run[second]))
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_have_names_and_colours() {
        let curve = |slope: f64| (0..50).map(|step| (f64::from(step), slope * f64::from(step))).collect();
        let series = [("small & <fast>".to_owned(), curve(1.0)), ("large".to_owned(), curve(-0.5))];
        let svg = lines(&series, "loss", "epoch", "nats").unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        for expected in ["small & <fast>", "large", "loss", "epoch", "nats"] {
            assert!(texts.contains(&expected), "{expected} in {texts:?}");
        }
        assert!(svg.contains("#0072B2") && svg.contains("#D55E00"));
    }

    #[test]
    fn long_curves_keep_their_peaks() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|step| (f64::from(step), 0.5)).collect();
        points[70_001].1 = 9.0;
        points[30_001].1 = -9.0;
        let thin = thinned(&points);
        assert!(thin.len() <= MAX_POINTS && thin.len() > 100);
        assert!(thin.contains(&(70_001.0, 9.0)) && thin.contains(&(30_001.0, -9.0)));
        assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn nothing_and_strange_values_are_drawn() {
        for points in
            [vec![], vec![(1.0, f64::NAN)], vec![(0.0, f64::INFINITY), (1.0, 2.0)], vec![(1e300, 1.0)]]
        {
            let svg = lines(&[(String::new(), points)], "t", "x", "y").unwrap();
            roxmltree::Document::parse(&svg).unwrap();
        }
        assert!(lines(&[], "t", "x", "y").unwrap().contains("<svg"));
    }
}
