//! Pieces that several operations share: shapes with the batch left open, cuts, means.

use nshot_graph::ValueId;

use super::{proto::Attribute, writer::Writer};
use crate::Result;

impl Writer<'_> {
    /// One number in the shape of `value`.
    pub(super) fn filled(&mut self, value: ValueId, number: f64) -> String {
        let shape = self.graph.node(value).shape.clone();
        let sizes = self.sizes(&shape);
        let fill = Attribute::tensor("value", self.fill(number));
        self.node("ConstantOfShape", &[&sizes], vec![fill])
    }

    /// `x` in the shape of `value`.
    pub(super) fn reshape(&mut self, value: ValueId, x: &str) -> String {
        let shape = self.graph.node(value).shape.clone();
        let open = shape.iter().filter(|size| **size < 0).count();
        let empty = shape.contains(&0);
        let sizes = if open == 1 && !empty {
            let shape: Vec<i64> = shape.iter().map(|size| (*size).max(-1)).collect();
            self.ints(&shape)
        } else {
            self.sizes(&shape)
        };
        // Else a zero would stand for the input's size.
        let attributes = if empty { vec![Attribute::int("allowzero", 1)] } else { vec![] };
        self.node("Reshape", &[x, &sizes], attributes)
    }

    /// A list of the sizes of `shape`, for the batch at hand.
    fn sizes(&mut self, shape: &[i64]) -> String {
        let Some(source) = self.inputs.batch.filter(|_| shape.iter().any(|size| *size < 0)) else {
            let sizes: Vec<i64> = shape.iter().map(|size| size.saturating_abs()).collect();
            return self.ints(&sizes);
        };
        let input = self.graph.inputs()[source.input].0.clone();
        let (from, to) = (source.dim as i64, source.dim as i64 + 1);
        let range = vec![Attribute::int("end", to), Attribute::int("start", from)];
        let mut batch = self.node("Shape", &[&input], range);
        if source.factor > 1 {
            let factor = self.ints(&[source.factor]);
            batch = self.node("Div", &[&batch, &factor], vec![]);
        }
        let mut parts = Vec::with_capacity(shape.len());
        for size in shape {
            let part = match *size {
                -1 => batch.clone(),
                size if size < 0 => {
                    let factor = self.ints(&[size.saturating_neg()]);
                    self.node("Mul", &[&batch, &factor], vec![])
                }
                size => self.ints(&[size]),
            };
            parts.push(part);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, vec![Attribute::int("axis", 0)])
    }

    /// Elements `[start, end)` of `x` along `dim`, by steps.
    pub(super) fn slice(&mut self, x: &str, dim: usize, [start, end, step]: [i64; 3]) -> String {
        let (start, end, step) = (self.ints(&[start]), self.ints(&[end]), self.ints(&[step]));
        let axis = self.ints(&[dim as i64]);
        self.node("Slice", &[x, &start, &end, &axis, &step], vec![])
    }

    pub(super) fn transpose(&mut self, x: &str, rank: usize, dim0: usize, dim1: usize) -> String {
        let mut order: Vec<i64> = (0..rank as i64).collect();
        order.swap(dim0, dim1);
        self.node("Transpose", &[x], vec![Attribute::ints("perm", order)])
    }

    /// The mean over `axes`, which stay with the size 1 if `keep`.
    pub(super) fn mean(&mut self, x: &str, axes: &[i64], keep: bool) -> String {
        let attributes =
            vec![Attribute::ints("axes", axes.to_vec()), Attribute::int("keepdims", i64::from(keep))];
        self.node("ReduceMean", &[x], attributes)
    }

    /// A value `[C]` so that it broadcasts to `[N, C, …]` of `rank` dimensions.
    pub(super) fn per_channel(&mut self, value: ValueId, rank: usize) -> Result<String> {
        let x = self.value(value)?;
        if rank <= 2 {
            return Ok(x);
        }
        let axes: Vec<i64> = (1..rank as i64 - 1).collect();
        let axes = self.ints(&axes);
        Ok(self.node("Unsqueeze", &[&x, &axes], vec![]))
    }

    /// `[N, C, H, W]` with a margin of `number` before and behind height and width.
    pub(super) fn pad(&mut self, x: &str, before: [i64; 2], behind: [i64; 2], number: f64) -> String {
        let pads = self.ints(&[0, 0, before[0], before[1], 0, 0, behind[0], behind[1]]);
        let number = self.number(number);
        self.node("Pad", &[x, &pads, &number], vec![])
    }
}
