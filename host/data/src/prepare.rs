//! From the bytes of an image to the numbers of a batch: resize, mirror, shift, normalise, cut out.

use std::ops::Range;

use crate::augment::Placement;
use crate::batch::Layout;
use crate::config::{Normalise, ResizeMode};
use crate::resize::Resize;

/// How every image of a run is prepared; what differs from image to image is its [`Placement`].
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    /// `[C, H, W]` of the result.
    pub(crate) shape: [usize; 3],
    /// For each channel what a byte becomes: normalised, rounded once to `f32`.
    tables: Vec<[f32; 256]>,
    resize: Option<Resize>,
}

/// Room for one image between the steps, kept from image to image.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    normalised: Vec<f32>,
    wide: Vec<f32>,
    resized: Vec<f32>,
}

impl Preparation {
    /// For images of `shape` `[C, H, W]` whose `full_scale` counts as 1.0.
    pub(crate) fn new(
        shape: [usize; 3],
        full_scale: u8,
        normalise: &Normalise,
        resize: Option<[usize; 2]>,
        mode: ResizeMode,
    ) -> Self {
        let table = |(mean, std): (&f64, &f64)| {
            std::array::from_fn(|value| ((value as f64 / f64::from(full_scale) - mean) / std) as f32)
        };
        let from = [shape[1], shape[2]];
        let to = resize.unwrap_or(from);
        Self {
            shape: [shape[0], to[0], to[1]],
            tables: normalise.mean.iter().zip(&normalise.std).map(table).collect(),
            resize: (to != from).then(|| Resize::new(from, to, mode)),
        }
    }

    /// Writes `image` (bytes `[H, W, C]`) to `target`, `C·H·W` numbers in `layout`.
    ///
    /// Resizing comes after normalising here: as both are linear and a resized pixel's weights add up to
    /// 1, the order changes rounding alone.
    pub(crate) fn write(
        &self,
        image: &[u8],
        placement: &Placement,
        layout: Layout,
        scratch: &mut Scratch,
        target: &mut [f32],
    ) {
        let channels = self.shape[0];
        if let Some(resize) = &self.resize {
            scratch.normalised.resize(image.len(), 0.0);
            for (channel, table) in self.tables.iter().enumerate() {
                let values = scratch.normalised[channel..].iter_mut().step_by(channels);
                let pixels = image[channel..].iter().step_by(channels);
                values.zip(pixels).for_each(|(value, &pixel)| *value = table[usize::from(pixel)]);
            }
            scratch.resized.resize(self.shape.iter().product(), 0.0);
            resize.apply(&scratch.normalised, channels, &mut scratch.wide, &mut scratch.resized);
            self.place(&scratch.resized, placement, layout, target, |_, value| value);
        } else {
            self.place(image, placement, layout, target, |table, value: u8| table[usize::from(value)]);
        }
        if let Some(hole) = placement.hole {
            self.cut(hole, layout, target);
        }
    }

    /// Copies rows of `source` `[H, W, C]` to where `placement` puts them, over a black ground.
    fn place<T: Copy>(
        &self,
        source: &[T],
        placement: &Placement,
        layout: Layout,
        target: &mut [f32],
        number: impl Fn(&[f32; 256], T) -> f32,
    ) {
        let [channels, height, width] = self.shape;
        let (shown, taken) = columns(placement, width);
        for (channel, table) in self.tables.iter().enumerate() {
            let black = table[0];
            let (offset, stride) = layout.plane(channel, self.shape);
            let plane = &mut target[offset..];
            for y in 0..height {
                let row = &mut plane[y * width * stride..];
                let from = y.checked_add_signed(placement.down).filter(|&from| from < height);
                let Some(from) = from.filter(|_| !shown.is_empty()) else {
                    row.iter_mut().step_by(stride).take(width).for_each(|value| *value = black);
                    continue;
                };
                row.iter_mut().step_by(stride).take(shown.start).for_each(|value| *value = black);
                let right = row.iter_mut().step_by(stride).take(width).skip(shown.end);
                right.for_each(|value| *value = black);
                let start = from * width * channels;
                let pixels = start + taken.start * channels + channel..start + taken.end * channels;
                let row = &mut row[shown.start * stride..];
                let number = |pixel| number(table, pixel);
                copy(row, stride, &source[pixels], channels, placement.mirrored, number);
            }
        }
    }

    fn cut(&self, [rows, columns]: [(usize, usize); 2], layout: Layout, target: &mut [f32]) {
        let width = self.shape[2];
        for channel in 0..self.shape[0] {
            let (offset, stride) = layout.plane(channel, self.shape);
            for y in rows.0..rows.1 {
                let row = &mut target[offset + (y * width + columns.0) * stride..];
                row.iter_mut().step_by(stride).take(columns.1 - columns.0).for_each(|value| *value = 0.0);
            }
        }
    }
}

/// The result's columns that show the image, and the image's columns that they show.
fn columns(placement: &Placement, width: usize) -> (Range<usize>, Range<usize>) {
    let clamped = |column: isize| column.clamp(0, width as isize) as usize;
    let shown = clamped(-placement.right)..clamped(width as isize - placement.right);
    let taken = clamped(placement.right)..clamped(width as isize + placement.right);
    if placement.mirrored { (shown, width - taken.end..width - taken.start) } else { (shown, taken) }
}

/// Copies one channel of a row's pixels, every `channels`-th of `pixels`, to every `stride`-th of `row`.
fn copy<T: Copy>(
    row: &mut [f32],
    stride: usize,
    pixels: &[T],
    channels: usize,
    mirrored: bool,
    number: impl Fn(T) -> f32,
) {
    let values = row.iter_mut().step_by(stride);
    if mirrored {
        // Backwards from the last pixel's value of this channel.
        let last = (pixels.len() - 1) / channels * channels;
        let pixels = pixels[..=last].iter().rev().step_by(channels);
        values.zip(pixels).for_each(|(value, &pixel)| *value = number(pixel));
    } else {
        let pixels = pixels.iter().step_by(channels);
        values.zip(pixels).for_each(|(value, &pixel)| *value = number(pixel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 2x3: the first 1 to 6, the second 11 to 16; black is −1, then −2.
    const IMAGE: [u8; 12] = [1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16];

    fn prepared(placement: Placement, layout: Layout) -> Vec<f32> {
        let normalise = Normalise { mean: vec![1.0, 2.0], std: vec![1.0, 1.0] };
        let preparation = Preparation::new([2, 2, 3], 1, &normalise, None, ResizeMode::Bilinear);
        let mut target = vec![f32::NAN; 12];
        preparation.write(&IMAGE, &placement, layout, &mut Scratch::default(), &mut target);
        target
    }

    #[test]
    fn unchanged_images_are_normalised_in_either_layout() {
        let planes = prepared(Placement::default(), Layout::Nchw);
        assert_eq!(planes, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0]);
        let pixels = prepared(Placement::default(), Layout::Nhwc);
        assert_eq!(pixels, [0.0, 9.0, 1.0, 10.0, 2.0, 11.0, 3.0, 12.0, 4.0, 13.0, 5.0, 14.0]);
    }

    #[test]
    fn a_flip_mirrors_columns() {
        let planes = prepared(Placement { mirrored: true, ..Placement::default() }, Layout::Nchw);
        assert_eq!(planes, [2.0, 1.0, 0.0, 5.0, 4.0, 3.0, 11.0, 10.0, 9.0, 14.0, 13.0, 12.0]);
    }

    #[test]
    fn a_crop_shows_black_beyond_the_edge() {
        let down_right = Placement { down: 1, right: 1, ..Placement::default() };
        let planes = prepared(down_right, Layout::Nchw);
        assert_eq!(planes, [4.0, 5.0, -1.0, -1.0, -1.0, -1.0, 13.0, 14.0, -2.0, -2.0, -2.0, -2.0]);
        let up_left = Placement { down: -1, right: -2, ..Placement::default() };
        let planes = prepared(up_left, Layout::Nchw);
        assert_eq!(planes, [-1.0, -1.0, -1.0, -1.0, -1.0, 0.0, -2.0, -2.0, -2.0, -2.0, -2.0, 9.0]);
        for far in [3, -3, 4, -4] {
            for mirrored in [false, true] {
                let outside = Placement { mirrored, right: far, ..Placement::default() };
                assert_eq!(prepared(outside, Layout::Nchw), [[-1.0; 6], [-2.0; 6]].concat());
            }
        }
    }

    /// The flip comes first: the mirrored image is what the window moves over.
    #[test]
    fn a_crop_moves_over_the_mirrored_image() {
        let placement = Placement { mirrored: true, right: 1, ..Placement::default() };
        assert_eq!(prepared(placement, Layout::Nchw)[..6], [1.0, 0.0, -1.0, 4.0, 3.0, -1.0]);
        let placement = Placement { mirrored: true, right: -1, ..Placement::default() };
        assert_eq!(prepared(placement, Layout::Nchw)[..6], [-1.0, 2.0, 1.0, -1.0, 5.0, 4.0]);
    }

    #[test]
    fn a_cutout_is_zero_after_normalising() {
        let placement = Placement { right: 1, hole: Some([(0, 1), (1, 3)]), ..Placement::default() };
        assert_eq!(prepared(placement, Layout::Nchw)[..6], [1.0, 0.0, 0.0, 4.0, 5.0, -1.0]);
    }

    #[test]
    fn both_layouts_hold_the_same_numbers() {
        let hole = Some([(1, 2), (0, 2)]);
        for (mirrored, down, right) in [(false, 0, 1), (true, 1, -2), (true, -1, 1), (false, 0, 0)] {
            let placement = Placement { mirrored, down, right, hole };
            let (planes, pixels) = (prepared(placement, Layout::Nchw), prepared(placement, Layout::Nhwc));
            for (position, value) in pixels.iter().enumerate() {
                let other = planes[position % 2 * 6 + position / 2];
                assert_eq!(value.to_bits(), other.to_bits(), "{placement:?} {position}");
            }
        }
    }

    #[test]
    fn resizing_comes_before_the_shift() {
        let normalise = Normalise { mean: vec![0.0], std: vec![1.0] };
        let preparation = Preparation::new([1, 1, 2], 1, &normalise, Some([1, 4]), ResizeMode::Bilinear);
        let mut target = vec![f32::NAN; 4];
        let placement = Placement { mirrored: true, right: 1, ..Placement::default() };
        preparation.write(&[0, 4], &placement, Layout::Nchw, &mut Scratch::default(), &mut target);
        assert_eq!(target, [3.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn paper_constants_give_the_expected_numbers() {
        let normalise = Normalise { mean: vec![125.3 / 255.0], std: vec![63.0 / 255.0] };
        let preparation = Preparation::new([1, 1, 2], 255, &normalise, None, ResizeMode::Bilinear);
        let mut target = vec![0.0; 2];
        let still = Placement::default();
        preparation.write(&[0, 255], &still, Layout::Nchw, &mut Scratch::default(), &mut target);
        assert!((target[0] + 1.988_889).abs() < 1e-6 && (target[1] - 2.058_73).abs() < 1e-6);
    }
}
