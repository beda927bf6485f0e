//! What chance does to a training image: where it is put, mirrored or not, and what is cut out.

use crate::random::Stream;

/// The random changes that are switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Augmentation {
    pub(crate) flip: bool,
    /// Black pixels added on each side before the window is drawn; 0: off.
    pub(crate) crop: usize,
    /// The side of the square; 0: off.
    pub(crate) cutout: usize,
}

/// What happens to one image, in this order: mirror, shift over a black ground, cut out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) mirrored: bool,
    /// The result's pixel (y, x) is the (mirrored) image's (y + down, x + right); black outside.
    pub(crate) down: isize,
    pub(crate) right: isize,
    /// The square that becomes 0: rows and columns, from and to (exclusive).
    pub(crate) hole: Option<[(usize, usize); 2]>,
}

impl Augmentation {
    pub(crate) fn is_off(self) -> bool {
        self == Self::default()
    }

    /// Draws for an image of `height` and `width`. The order of the draws is fixed: flip, row and
    /// column of the window, row and column of the square's centre, each only where it is on.
    pub(crate) fn draw(self, stream: &mut Stream, height: usize, width: usize) -> Placement {
        let mut placement = Placement::default();
        if self.flip {
            placement.mirrored = stream.bool();
        }
        if self.crop > 0 {
            let mut shift = || stream.below(2 * self.crop as u64 + 1) as isize - self.crop as isize;
            placement.down = shift();
            placement.right = shift();
        }
        if self.cutout > 0 {
            placement.hole = Some([height, width].map(|size| {
                let centre = stream.below(size as u64) as usize;
                let from = centre as isize - (self.cutout / 2) as isize;
                (from.max(0) as usize, (from + self.cutout as isize).clamp(0, size as isize) as usize)
            }));
        }
        placement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placement_is_reached_and_none_beyond() {
        let all = Augmentation { flip: true, crop: 2, cutout: 2 };
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..5000 {
            let placement = all.draw(&mut Stream::new(1, "test", (0, index)), 3, 4);
            assert!(placement.down.abs() <= 2 && placement.right.abs() <= 2);
            let [rows, columns] = placement.hole.unwrap();
            assert!(rows.0 < rows.1 && rows.1 <= 3 && columns.0 < columns.1 && columns.1 <= 4);
            seen.insert((placement.mirrored, placement.down, placement.right, rows, columns));
        }
        assert_eq!(seen.len(), 2 * 5 * 5 * 3 * 4);
    }

    #[test]
    fn what_is_off_draws_nothing() {
        let mut stream = Stream::new(1, "test", (0, 0));
        let mut untouched = stream.clone();
        assert_eq!(Augmentation::default().draw(&mut stream, 8, 8), Placement::default());
        assert_eq!(stream.bits(), untouched.bits());
    }
}
