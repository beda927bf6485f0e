//! One part of a dataset, in memory as bytes.

use std::path::Path;

use crate::error::{Error, Result};

/// Images of one size with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Images {
    /// `[N, H, W, C]`, row by row, the channels of a pixel beside each other.
    pub(crate) pixels: Vec<u8>,
    /// One class an image, in `0..classes`.
    pub(crate) labels: Vec<i64>,
    /// `[C, H, W]`.
    pub(crate) shape: [usize; 3],
    /// The number of classes.
    pub(crate) classes: usize,
    /// The name of each class, in order.
    pub(crate) class_names: Vec<String>,
    /// The pixel value that counts as 1.0: 255, or 16 for `digits`.
    pub(crate) full_scale: u8,
}

impl Images {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The bytes of one image.
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product()
    }

    /// The pixels `[H, W, C]` of image `index`.
    pub(crate) fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.bytes()..][..self.bytes()]
    }

    /// Adds the pixels of an image given as three planes, one after the other.
    pub(crate) fn push_planes(&mut self, image: &[u8]) {
        let plane = image.len() / 3;
        let (red, others) = image.split_at(plane);
        let (green, blue) = others.split_at(plane);
        for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
            self.pixels.extend([red, green, blue]);
        }
    }

    /// Surrounds each image with `border` black pixels on each side.
    pub(crate) fn padded(self, border: usize) -> Self {
        if border == 0 {
            return self;
        }
        let [channels, height, width] = self.shape;
        let shape = [channels, height + 2 * border, width + 2 * border];
        let row = width * channels;
        let wide_row = shape[2] * channels;
        let mut pixels = vec![0; self.len() * shape.iter().product::<usize>()];
        for index in 0..self.len() {
            for y in 0..height {
                let from = (index * height + y) * row;
                let to = (index * shape[1] + y + border) * wide_row + border * channels;
                pixels[to..to + row].copy_from_slice(&self.pixels[from..from + row]);
            }
        }
        Self { pixels, shape, ..self }
    }
}

/// Refuses the first label that is not below `classes`, naming `path` and the image.
pub(crate) fn check_labels(labels: &[i64], classes: usize, path: &Path) -> Result<()> {
    let bad = labels.iter().enumerate().find(|&(_, &label)| label < 0 || label >= classes as i64);
    match bad {
        None => Ok(()),
        Some((image, label)) => Err(Error::content(
            path,
            format!("gives image {image} the label {label}, expected 0 to {}", classes.saturating_sub(1)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_puts_black_around() {
        let images = Images {
            pixels: vec![1, 2, 3, 4, 5, 6, 7, 8],
            labels: vec![0, 1],
            shape: [1, 2, 2],
            classes: 2,
            class_names: Vec::new(),
            full_scale: 255,
        };
        let padded = images.padded(1);
        assert_eq!(padded.shape, [1, 4, 4]);
        assert_eq!(padded.image(1), [0, 0, 0, 0, 0, 5, 6, 0, 0, 7, 8, 0, 0, 0, 0, 0]);
    }
}
