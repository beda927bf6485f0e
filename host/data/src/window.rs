//! Which part of an image becomes the input: a random window in training, the centre otherwise.

use crate::random::Stream;

/// The window's share of the image's area, from and to; and the ratio of its width to its height, likewise
/// (Szegedy et al., arXiv 1409.4842).
const AREA: [f64; 2] = [0.08, 1.0];
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
const TRIES: usize = 10;
/// The side of the centre, as a share of the shorter side: 224 of 256.
const CENTRE: f64 = 0.875;

/// A part of an image, in pixels; not always whole ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Window {
    /// A window of whole pixels at random, as torchvision's `RandomResizedCrop`: up to ten times an area
    /// (uniform) and a ratio (uniform in its logarithm) are drawn, and the first pair that fits into the
    /// image of `height` and `width` gets a uniform place (row, then column); where none fits, the largest
    /// window of the nearest ratio in the centre.
    pub(crate) fn random(stream: &mut Stream, [height, width]: [usize; 2]) -> Self {
        let (whole_height, whole_width) = (height as f64, width as f64);
        for _ in 0..TRIES {
            let area = whole_height * whole_width * between(stream.f64(), AREA);
            let ratio = between(stream.f64(), RATIO.map(f64::ln)).exp();
            let wide = (area * ratio).sqrt().round();
            let high = (area / ratio).sqrt().round();
            if wide >= 1.0 && wide <= whole_width && high >= 1.0 && high <= whole_height {
                let mut place = |free: f64| stream.below(free as u64 + 1) as f64;
                let top = place(whole_height - high);
                let left = place(whole_width - wide);
                return Self { left, top, width: wide, height: high };
            }
        }
        let ratio = (whole_width / whole_height).clamp(RATIO[0], RATIO[1]);
        let wide = (whole_height * ratio).round().min(whole_width);
        let high = (whole_width / ratio).round().min(whole_height);
        let (left, top) = (((whole_width - wide) / 2.0).floor(), ((whole_height - high) / 2.0).floor());
        Self { left, top, width: wide, height: high }
    }

    /// What is left of an image of `height` and `width` whose shorter side was resized to `side / 0.875`
    /// (rounded: 256 for 224) and whose central square of `side` was then cut out, as torchvision's
    /// `Resize` and `CenterCrop`; in pixels of the image as it was.
    pub(crate) fn centre([height, width]: [usize; 2], side: usize) -> Self {
        let shorter = height.min(width) as f64;
        let resized = (side as f64 / CENTRE).round();
        let along = |length: usize| {
            // The longer side is cut to whole pixels.
            let long = (resized * length as f64 / shorter).floor();
            let from = ((long - side as f64) / 2.0).round_ties_even();
            let scale = length as f64 / long;
            (from * scale, (side as f64 * scale).min(length as f64 - from * scale))
        };
        let ((top, height), (left, width)) = (along(height), along(width));
        Self { left, top, width, height }
    }
}

fn between(share: f64, [from, to]: [f64; 2]) -> f64 {
    from + share * (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_windows_lie_within_and_cover_their_range() {
        for size in [[375, 500], [1, 1], [2, 3], [1000, 10], [10, 1000], [224, 224]] {
            let area = (size[0] * size[1]) as f64;
            let mut shares = Vec::new();
            for index in 0..3000 {
                let window = Window::random(&mut Stream::new(1, "test", (0, index)), size);
                assert!(
                    window.left >= 0.0 && window.top >= 0.0 && window.width >= 1.0 && window.height >= 1.0
                );
                assert!(window.left + window.width <= size[1] as f64, "{window:?}");
                assert!(window.top + window.height <= size[0] as f64, "{window:?}");
                assert!([window.left, window.width, window.top].iter().all(|side| side.fract() == 0.0));
                shares.push(window.width * window.height / area);
            }
            if size[0] == 375 {
                let mean = shares.iter().sum::<f64>() / 3000.0;
                // Of the same steps written in Python, 100,000 times: 0.432; the large ones often do not fit.
                assert!((0.42..0.446).contains(&mean), "{mean}");
                assert!(shares.iter().any(|&share| share < 0.09) && shares.iter().any(|&share| share > 0.9));
            }
        }
    }

    #[test]
    fn long_images_fall_back_to_the_centre() {
        let window = Window::random(&mut Stream::new(1, "test", (0, 0)), [10, 1000]);
        assert_eq!(window, Window { left: 493.0, top: 0.0, width: 13.0, height: 10.0 });
        let window = Window::random(&mut Stream::new(1, "test", (0, 0)), [1000, 10]);
        assert_eq!(window, Window { left: 0.0, top: 493.0, width: 10.0, height: 13.0 });
    }

    #[test]
    fn the_centre_is_that_of_the_resized_image() {
        // 256 x 256 with 16 pixels cut off on each side.
        let square = Window::centre([512, 512], 224);
        assert_eq!(square, Window { left: 32.0, top: 32.0, width: 448.0, height: 448.0 });
        // 375 x 500 becomes 256 x 341: 58 cut off at the left of 341.
        let wide = Window::centre([375, 500], 224);
        assert!(
            (wide.left - 58.0 * 500.0 / 341.0).abs() < 1e-9
                && (wide.width - 224.0 * 500.0 / 341.0).abs() < 1e-9
        );
        assert!((wide.top - 16.0 * 375.0 / 256.0).abs() < 1e-9);
        for size in [[1, 1], [1, 5000], [5000, 1], [3, 7]] {
            for side in [1, 2, 7, 224] {
                let window = Window::centre(size, side);
                assert!(
                    window.left >= 0.0 && window.left + window.width <= size[1] as f64,
                    "{size:?} {side}"
                );
                assert!(window.top >= 0.0 && window.width > 0.0 && window.height > 0.0);
            }
        }
    }
}
