//! Resizing, as `torch.nn.functional.interpolate` does it (corners not aligned, no antialiasing).

use crate::config::ResizeMode;

/// For one row or column of the result: two of the source and the weight of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

/// A resizing from one size to another, its positions and weights worked out once.
#[derive(Clone, Debug)]
pub(crate) struct Resize {
    rows: Vec<Tap>,
    columns: Vec<Tap>,
    source_width: usize,
}

impl Resize {
    /// From and to `[height, width]`, none of them 0.
    pub(crate) fn new(from: [usize; 2], to: [usize; 2], mode: ResizeMode) -> Self {
        Self { rows: taps(from[0], to[0], mode), columns: taps(from[1], to[1], mode), source_width: from[1] }
    }

    /// Resizes one image `[H, W, C]`, first along rows (into `wide`), then along columns; `target` has the
    /// new size.
    pub(crate) fn apply(&self, source: &[f32], channels: usize, wide: &mut Vec<f32>, target: &mut [f32]) {
        let source_row = self.source_width * channels;
        let target_row = self.columns.len() * channels;
        wide.resize(source.len() / source_row * target_row, 0.0);
        for (row, out) in source.chunks_exact(source_row).zip(wide.chunks_exact_mut(target_row)) {
            match channels {
                1 => self.widen::<1>(row, out),
                3 => self.widen::<3>(row, out),
                _ => self.widen_any(row, channels, out),
            }
        }
        for (tap, out) in self.rows.iter().zip(target.chunks_exact_mut(target_row)) {
            let above = &wide[tap.first * target_row..][..target_row];
            let below = &wide[tap.second * target_row..][..target_row];
            for ((value, &above), &below) in out.iter_mut().zip(above).zip(below) {
                *value = mixed(above, below, tap.weight);
            }
        }
    }

    /// One row, with a number of channels known to the compiler: several times as fast.
    fn widen<const CHANNELS: usize>(&self, row: &[f32], out: &mut [f32]) {
        let pixels = row.as_chunks::<CHANNELS>().0;
        for (tap, out) in self.columns.iter().zip(out.as_chunks_mut::<CHANNELS>().0) {
            let (left, right) = (pixels[tap.first], pixels[tap.second]);
            *out = std::array::from_fn(|channel| mixed(left[channel], right[channel], tap.weight));
        }
    }

    fn widen_any(&self, row: &[f32], channels: usize, out: &mut [f32]) {
        for (tap, out) in self.columns.iter().zip(out.chunks_exact_mut(channels)) {
            let (left, right) = (&row[tap.first * channels..], &row[tap.second * channels..]);
            for ((value, &left), &right) in out.iter_mut().zip(left).zip(right) {
                *value = mixed(left, right, tap.weight);
            }
        }
    }
}

fn mixed(first: f32, second: f32, weight: f32) -> f32 {
    (1.0 - weight) * first + weight * second
}

fn taps(from: usize, to: usize, mode: ResizeMode) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let tap = |target: usize| match mode {
        ResizeMode::Nearest => {
            let nearest = target * from / to;
            Tap { first: nearest, second: nearest, weight: 0.0 }
        }
        ResizeMode::Bilinear => {
            let centre = ((target as f64 + 0.5) * scale - 0.5).max(0.0);
            let first = (centre as usize).min(from - 1);
            Tap { first, second: (first + 1).min(from - 1), weight: (centre - first as f64) as f32 }
        }
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(source: &[f32], from: [usize; 2], to: [usize; 2], mode: ResizeMode) -> Vec<f32> {
        let channels = source.len() / from[0] / from[1];
        let mut target = vec![0.0; to[0] * to[1] * channels];
        Resize::new(from, to, mode).apply(source, channels, &mut Vec::new(), &mut target);
        target
    }

    /// Centres at −0.25, 0.25, 0.75, 1.25: 0, a quarter, three quarters, 1 of the way.
    #[test]
    fn bilinear_doubles_by_quarters() {
        let row = resized(&[0.0, 4.0], [1, 2], [1, 4], ResizeMode::Bilinear);
        assert_eq!(row, [0.0, 1.0, 3.0, 4.0]);
        let square = resized(&[0.0, 4.0, 8.0, 12.0], [2, 2], [4, 4], ResizeMode::Bilinear);
        assert_eq!(square[..4], [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(square[4..8], [2.0, 3.0, 5.0, 6.0]);
        assert_eq!(square[12..], [8.0, 9.0, 11.0, 12.0]);
    }

    /// 4 to 2: centres at 0.5 and 2.5. 3 to 2: centres at 0.25 and 1.75.
    #[test]
    fn bilinear_shrinks_between_neighbours() {
        assert_eq!(resized(&[1.0, 3.0, 5.0, 9.0], [4, 1], [2, 1], ResizeMode::Bilinear), [2.0, 7.0]);
        assert_eq!(resized(&[0.0, 4.0, 8.0], [1, 3], [1, 2], ResizeMode::Bilinear), [1.0, 7.0]);
    }

    #[test]
    fn nearest_takes_the_floor() {
        let row = resized(&[1.0, 2.0, 3.0], [1, 3], [1, 5], ResizeMode::Nearest);
        assert_eq!(row, [1.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(resized(&[1.0, 2.0, 3.0, 4.0], [1, 4], [1, 2], ResizeMode::Nearest), [1.0, 3.0]);
    }

    #[test]
    fn channels_stay_apart_and_equal_sizes_change_nothing() {
        let pixels = [1.0, 10.0, 3.0, 30.0];
        let wide = resized(&pixels, [1, 2], [1, 4], ResizeMode::Bilinear);
        assert_eq!(wide, [1.0, 10.0, 1.5, 15.0, 2.5, 25.0, 3.0, 30.0]);
        let three = resized(&[1.0, 10.0, 0.0, 3.0, 30.0, 4.0], [1, 2], [1, 4], ResizeMode::Bilinear);
        assert_eq!(three, [1.0, 10.0, 0.0, 1.5, 15.0, 1.0, 2.5, 25.0, 3.0, 3.0, 30.0, 4.0]);
        assert_eq!(resized(&pixels, [2, 1], [2, 1], ResizeMode::Bilinear), pixels);
        assert_eq!(resized(&[5.0], [1, 1], [3, 3], ResizeMode::Bilinear), [5.0; 9]);
    }
}
