//! How a step grows: with the depth it must, with the size of the supernet it must not.

use super::round::Round;
use super::work::{Space, WIDE_CHANNELS, WIDE_CHOICES, Work};
use crate::failure::Failure;

impl Round<'_> {
    /// Steps by channels and cells, and how far they are from a line in the cells.
    pub(super) fn depths(&mut self) -> Result<(), Failure> {
        for channels in [8, 16, 32] {
            let mut points = Vec::new();
            for cells in [1, 3, 5, 9] {
                let own = self.nshot.train(&Work::of(Space::NasBench201 { channels, cells }), self.steps)?;
                self.table.add(&format!("step, C = {channels}, N = {cells} (ms)"), own.milliseconds);
                points.push((cells as f64, own.milliseconds));
            }
            let name = format!("step, C = {channels}: furthest from a line in N (%)");
            self.table.add(&name, 100.0 * furthest_from_line(&points));
        }
        Ok(())
    }

    /// The same paths in supernets of 2, 5 and 20 options at each choice.
    pub(super) fn supernets(&mut self) -> Result<(), Failure> {
        let mut first = None;
        for options in [2, 5, 20] {
            let work = Work::of(Space::Wide { options });
            let own = self.nshot.train(&work, self.steps)?;
            let beside = self.nshot.memory_of_steps(&work)? - weights(options);
            self.table.add(&format!("step of {options} options a choice (ms)"), own.milliseconds);
            self.table.add(&format!("memory of steps beside the weights, {options} options (MiB)"), beside);
            match first {
                None => first = Some((own.milliseconds, beside)),
                Some((step, memory)) => {
                    let name = format!("step of {options} options a choice / of 2");
                    self.table.ratio(&name, own.milliseconds, step);
                    let name = format!("memory of steps beside the weights, {options} options / 2");
                    self.table.ratio(&name, beside, memory);
                }
            }
        }
        Ok(())
    }
}

/// The weights of a supernet of equal 3x3 convolutions, in MiB.
fn weights(options: usize) -> f64 {
    let convolution = WIDE_CHANNELS * WIDE_CHANNELS * 9 + WIDE_CHANNELS;
    (WIDE_CHOICES * options * convolution * 4) as f64 / f64::from(1 << 20)
}

/// The largest relative distance of a point from the line of least squares through all of them.
fn furthest_from_line(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let products: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let squares: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = products / squares;
    let distance = |(x, y): &(f64, f64)| {
        let line = mean_y + slope * (x - mean_x);
        ((y - line) / line).abs()
    };
    points.iter().map(distance).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_line_are_on_it_and_others_are_measured_by_it() {
        let line = [1.0, 3.0, 5.0, 9.0].map(|x| (x, 7.0 + 2.0 * x));
        assert!(furthest_from_line(&line) < 1e-12);
        // The line through (0, 0), (1, 4), (2, 2) is 1 + x.
        assert!((furthest_from_line(&[(0.0, 0.0), (1.0, 4.0), (2.0, 2.0)]) - 1.0).abs() < 1e-12);
    }
}
