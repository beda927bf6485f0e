//! What a recorded pass keeps of each segment of its program: what the backward pass needs, or the values from which to
//! compute that again.

use std::ops::Range;

use nshot_graph::ValueId;
use tch::Tensor;

use super::tape::Saved;
use super::{Run, foreign};
use crate::Result;

/// A segment of a recorded pass.
#[derive(Debug)]
pub(super) struct Segment {
    instructions: Range<usize>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Tape(Vec<Saved>),
    /// The values that live when the segment begins.
    Values(Vec<(ValueId, Tensor)>),
}

impl Run<'_> {
    /// Runs the whole program. Without [`Pass::recompute`](super::Pass::recompute) it is one segment.
    pub(super) fn record(&mut self) -> Result<Vec<Segment>> {
        let end = self.program.instructions.len();
        let starts = if self.context.pass.recompute { self.program.segments(self.graph) } else { vec![0] };
        let ends = starts.iter().skip(1).copied().chain([end]);
        let mut segments = Vec::with_capacity(starts.len());
        for (index, instructions) in starts.iter().zip(ends).map(|(&from, to)| from..to).enumerate() {
            // The first has parameters alone, and nothing comes between the last and its backward pass.
            let kept = if index == 0 || index + 1 == starts.len() {
                self.tape = Some(Vec::with_capacity(instructions.len()));
                self.execute(instructions.clone())?;
                Kept::Tape(self.tape.take().unwrap_or_default())
            } else {
                let values = self.living();
                self.execute(instructions.clone())?;
                Kept::Values(values)
            };
            segments.push(Segment { instructions, kept });
        }
        Ok(segments)
    }

    fn living(&self) -> Vec<(ValueId, Tensor)> {
        let values = (0..).zip(&self.values);
        values.filter_map(|(id, value)| Some((id, value.as_ref()?.shallow_clone()))).collect()
    }

    /// The segment's instructions, and what each saved.
    pub(super) fn taped(&mut self, segment: Segment) -> Result<Vec<(usize, Saved)>> {
        let tape = match segment.kept {
            Kept::Tape(tape) => tape,
            Kept::Values(values) => {
                for (id, value) in values {
                    *self.values.get_mut(id as usize).ok_or_else(foreign)? = Some(value);
                }
                self.tape = Some(Vec::with_capacity(segment.instructions.len()));
                self.execute(segment.instructions.clone())?;
                self.values.iter_mut().for_each(|value| *value = None);
                self.tape.take().unwrap_or_default()
            }
        };
        Ok(segment.instructions.zip(tape).collect())
    }
}
