//! Sizes with the batch left open: one description serves every batch size.

use std::fmt;

use crate::limits;

/// Sizes of a value's dimensions. A non-negative number is a size; `-k` stands for `k` times the batch
/// size `N`, so images enter as `[-1, C, H, W]` and their windows may be `[-64, 49, 32]`.
pub type Shape = Vec<i64>;

/// A shape as messages print it: `[N, 16, 8, 8]`, `[64N, 49, 32]`.
#[derive(Debug, Clone, Copy)]
pub struct ShowShape<'a>(pub &'a [i64]);

impl fmt::Display for ShowShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, size) in self.0.iter().enumerate() {
            if i == 16 {
                write!(f, ", … {} more", self.0.len() - i)?;
                break;
            }
            let comma = if i == 0 { "" } else { ", " };
            match size {
                -1 => write!(f, "{comma}N")?,
                k if *k < 0 => write!(f, "{comma}{}N", k.unsigned_abs())?,
                k => write!(f, "{comma}{k}")?,
            }
        }
        f.write_str("]")
    }
}

/// The sizes of `shape` for a batch of `batch` images; `None` where a size leaves the range of `i64`.
pub fn resolve(shape: &[i64], batch: i64) -> Option<Vec<i64>> {
    shape
        .iter()
        .map(|&size| if size < 0 { size.checked_neg()?.checked_mul(batch) } else { Some(size) })
        .collect()
}

/// Elements as `count · N^power`; `None` above [`limits::ELEMENTS`].
pub(crate) fn elements(shape: &[i64]) -> Option<(i64, u32)> {
    let mut product = Some(1i64);
    let mut power = 0;
    let mut empty = false;
    for &size in shape {
        let magnitude = size.checked_abs()?;
        if magnitude > limits::ELEMENTS {
            return None;
        }
        power += u32::from(size < 0);
        empty |= magnitude == 0;
        product = product.and_then(|p| p.checked_mul(magnitude)).filter(|p| *p <= limits::ELEMENTS);
    }
    if empty { Some((0, power)) } else { product.map(|p| (p, power)) }
}

/// Elements per image; shapes inside a graph are within limits, so this is exact there.
pub(crate) fn per_image(shape: &[i64]) -> u64 {
    elements(shape).map_or(u64::MAX, |(count, _)| count.unsigned_abs())
}

/// What keeps `shape` from being a value's, if anything.
pub(crate) fn problem(shape: &[i64]) -> Option<String> {
    if shape.len() > limits::DIMENSIONS {
        return Some(format!("has {} dimensions, at most {} are allowed", shape.len(), limits::DIMENSIONS));
    }
    if elements(shape).is_none() {
        return Some(format!("has too many elements, at most {} are allowed", limits::ELEMENTS));
    }
    None
}

/// The shape that two shapes broadcast to, as libtorch does.
pub(crate) fn broadcast(a: &[i64], b: &[i64]) -> Option<Shape> {
    let rank = a.len().max(b.len());
    let at = |shape: &[i64], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |j| shape[j]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, other) | (other, 1) => Some(other),
            _ => None,
        })
        .collect()
}
