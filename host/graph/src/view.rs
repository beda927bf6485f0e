//! The elements of a parameter that a value shows: a parameter sliced, transposed or reshaped before an
//! operation takes it counts with the elements that are left.

/// Elements of one parameter, as offset and strides into its elements in row-major order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) parameter: usize,
    offset: u64,
    /// Size and stride of each dimension; stride 0 where the view was broadcast.
    dims: Vec<(u64, u64)>,
    /// Set where a reshape has no strides: later cuts no longer narrow the view.
    frozen: bool,
}

impl View {
    /// All elements of a parameter.
    pub(crate) fn whole(parameter: usize, shape: &[i64]) -> View {
        let mut stride = 1;
        let mut dims: Vec<_> = shape
            .iter()
            .rev()
            .map(|size| {
                let dim = (size.unsigned_abs(), stride);
                stride *= size.unsigned_abs().max(1);
                dim
            })
            .collect();
        dims.reverse();
        View { parameter, offset: 0, dims, frozen: false }
    }

    /// Elements `start, start + step, …` along `dim`, `count` of them.
    pub(crate) fn slice(mut self, dim: usize, start: u64, step: u64, count: u64) -> View {
        if !self.frozen {
            let (size, stride) = &mut self.dims[dim];
            self.offset += start * *stride;
            *size = count;
            // A single element has no next one, however far away.
            *stride = stride.checked_mul(step).unwrap_or(0);
        }
        self
    }

    pub(crate) fn transpose(mut self, dim0: usize, dim1: usize) -> View {
        if !self.frozen {
            self.dims.swap(dim0, dim1);
        }
        self
    }

    /// As broadcast to `shape`.
    pub(crate) fn broadcast(mut self, shape: &[i64]) -> View {
        if !self.frozen {
            let missing = shape.len().saturating_sub(self.dims.len());
            self.dims.splice(0..0, std::iter::repeat_n((1, 0), missing));
            for (dim, size) in self.dims.iter_mut().zip(shape) {
                if dim.0 == 1 && size.unsigned_abs() != 1 {
                    *dim = (size.unsigned_abs(), 0);
                }
            }
        }
        self
    }

    /// In `shape`, whose sizes have the same product.
    pub(crate) fn reshape(mut self, shape: &[i64]) -> View {
        if self.frozen {
            return self;
        }
        match self.restride(shape) {
            Some(dims) => self.dims = dims,
            None => self.frozen = true,
        }
        self
    }

    /// Dimensions of `shape` if strides can express it: each run of dimensions that lie one after the
    /// other in memory has to split into whole dimensions of the new shape.
    fn restride(&self, shape: &[i64]) -> Option<Vec<(u64, u64)>> {
        let mut chunks = merge(self.dims.iter().copied().filter(|(size, _)| *size != 1));
        let mut dims: Vec<_> = Vec::with_capacity(shape.len());
        let mut chunk = chunks.pop();
        for size in shape.iter().rev().map(|size| size.unsigned_abs()) {
            if size == 1 {
                dims.push((1, 0));
                continue;
            }
            let (left, stride) = chunk?;
            if size == 0 || left % size != 0 {
                return None;
            }
            dims.push((size, stride));
            chunk = if left == size { chunks.pop() } else { Some((left / size, stride.checked_mul(size)?)) };
        }
        dims.reverse();
        chunk.is_none().then_some(dims)
    }

    /// The same elements in the one form that equal views share: no broadcast, larger strides first, runs
    /// merged.
    pub(crate) fn canonical(mut self) -> View {
        if self.dims.iter().any(|(size, _)| *size == 0) {
            self.dims = vec![(0, 1)];
        } else {
            self.dims.retain(|(size, stride)| *size > 1 && *stride > 0);
            self.dims.sort_by_key(|(_, stride)| std::cmp::Reverse(*stride));
            self.dims = merge(self.dims.iter().copied());
        }
        self.frozen = false;
        self
    }

    /// How many elements a canonical view has; they are all different.
    pub(crate) fn count(&self) -> u64 {
        self.dims.iter().map(|(size, _)| size).product()
    }

    /// Calls `mark(start, length)` for each run of neighbours in a canonical view.
    pub(crate) fn runs(&self, mark: &mut impl FnMut(u64, u64)) {
        let (outer, length) = self.split();
        visit(outer, self.offset, length, mark);
    }

    /// How many runs that are, each weighted with its length in words of a bitmap.
    pub(crate) fn work(&self) -> u64 {
        let (outer, length) = self.split();
        outer.iter().map(|(size, _)| size).product::<u64>().saturating_mul(length / 64 + 1)
    }

    fn split(&self) -> (&[(u64, u64)], u64) {
        match self.dims.split_last() {
            Some(((size, 1), outer)) => (outer, *size),
            _ => (&self.dims, 1),
        }
    }
}

fn visit(dims: &[(u64, u64)], offset: u64, length: u64, mark: &mut impl FnMut(u64, u64)) {
    let Some(((size, stride), inner)) = dims.split_first() else { return mark(offset, length) };
    for i in 0..*size {
        visit(inner, offset + i * stride, length, mark);
    }
}

/// Joins neighbours of which the second runs through what one step of the first skips.
fn merge(dims: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut merged: Vec<(u64, u64)> = vec![];
    for (size, stride) in dims {
        match merged.last_mut() {
            Some(last) if stride.checked_mul(size) == Some(last.1) => *last = (last.0 * size, stride),
            _ => merged.push((size, stride)),
        }
    }
    merged
}
