//! Norms of each path's gradient, before clipping, where the sampler wants them.

use std::collections::BTreeMap;

use nshot_torch::{Gradients, Tensor};

use crate::boundary::OptionMark;
use crate::failure::Result;
use crate::outcomes::Wants;
use crate::space::Subnet;

/// A path's norms, on the device.
pub(crate) struct PathNorms {
    /// Of its whole gradient.
    all: Tensor,
    /// Of each option's own parameters, if wanted.
    options: Vec<(OptionMark, Tensor)>,
}

impl PathNorms {
    /// Those of the gradients that the path alone left.
    pub(super) fn new(wants: Wants, subnet: &Subnet, gradients: &Gradients) -> Result<Self> {
        let mut by_option: BTreeMap<OptionMark, Vec<usize>> = BTreeMap::new();
        if wants.option_gradient_norm {
            for (mark, parameter) in &subnet.owned {
                by_option.entry(*mark).or_default().push(*parameter);
            }
        }
        let norm = |(mark, indices): (OptionMark, Vec<usize>)| Ok((mark, gradients.norm_of(&indices)?));
        let options = by_option.into_iter().map(norm).collect::<Result<_>>()?;
        Ok(Self { all: gradients.norm()?, options })
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        [&self.all].into_iter().chain(self.options.iter().map(|(_, norm)| norm))
    }

    /// The figures, one `take` for each of [`tensors`](Self::tensors): of the path, and choice, option, norm.
    pub(super) fn read(&self, take: &mut impl FnMut() -> f64) -> (f64, Vec<(u32, u32, f64)>) {
        let all = take();
        (all, self.options.iter().map(|((choice, option), _)| (*choice, *option, take())).collect())
    }
}
