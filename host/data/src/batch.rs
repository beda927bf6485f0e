//! A batch, as the host hands it to the executor.

/// How the numbers of a batch lie in memory; its shape is written `[N, C, H, W]` in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Plane by plane: contiguous.
    #[default]
    Nchw,
    /// Pixel by pixel, the channels beside each other: what `PyTorch` calls channels-last.
    Nhwc,
}

impl Layout {
    /// Where channel `channel` begins in an image `[C, H, W]`, and how far apart its pixels lie.
    pub(crate) fn plane(self, channel: usize, shape: [usize; 3]) -> (usize, usize) {
        match self {
            Self::Nchw => (channel * shape[1] * shape[2], 1),
            Self::Nhwc => (channel, shape[0]),
        }
    }
}

/// The numbers of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// Of every dataset, and of given batches in F32.
    F32(Vec<f32>),
    /// Of given batches in F64.
    F64(Vec<f64>),
}

impl Pixels {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `count` images, given as NCHW, in `layout`.
    pub(crate) fn first(&self, count: usize, shape: [usize; 3], layout: Layout) -> Self {
        match self {
            Self::F32(values) => Self::F32(rearranged(values, count, shape, layout)),
            Self::F64(values) => Self::F64(rearranged(values, count, shape, layout)),
        }
    }
}

/// Images with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The normalised pixels, in `layout`.
    pub images: Pixels,
    /// `[N, C, H, W]`, whatever the layout.
    pub shape: [usize; 4],
    /// How `images` lie in memory.
    pub layout: Layout,
    /// One class an image.
    pub labels: Vec<i64>,
    /// The epoch that the batch belongs to, from 0.
    pub epoch: usize,
    /// Its place within the epoch, from 0.
    pub index: usize,
}

fn rearranged<T: Copy>(values: &[T], count: usize, shape: [usize; 3], layout: Layout) -> Vec<T> {
    let size: usize = shape.iter().product();
    let mut result = values[..count * size].to_vec();
    if layout == Layout::Nhwc {
        let plane = shape[1] * shape[2];
        for (image, source) in result.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
            for (pixel, channels) in image.chunks_exact_mut(shape[0]).enumerate() {
                for (channel, value) in channels.iter_mut().enumerate() {
                    *value = source[channel * plane + pixel];
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_numbers_are_rearranged_to_channels_last() {
        let given = Pixels::F64((0..16).map(f64::from).collect());
        let same = given.first(2, [2, 2, 2], Layout::Nchw);
        assert_eq!(same, given);
        let last = given.first(1, [2, 2, 2], Layout::Nhwc);
        assert_eq!(last, Pixels::F64(vec![0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]));
    }
}
