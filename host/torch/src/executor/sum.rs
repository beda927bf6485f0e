//! Sums of images, their batch norms and their rectifier.

use nshot_graph::{Op, Term, ValueId};
use tch::Tensor;

use super::convolution::images_like;
use super::tape::{Gradients, Part, Saved};
use super::{Run, foreign};
use crate::ffi::fused::{self, Norm, Rectifier};
use crate::{Result, TorchError, operations};

/// What the backward pass of a sum needs.
#[derive(Debug)]
pub(super) struct SavedSum {
    terms: Vec<SavedTerm>,
    sum: Option<ValueId>,
    rectified: Option<(ValueId, Tensor)>,
    rectifier: Rectifier,
}

#[derive(Debug)]
struct SavedTerm {
    id: ValueId,
    norm: Option<SavedNorm>,
}

/// A norm by the batch's statistics.
#[derive(Debug)]
struct SavedNorm {
    x: Tensor,
    /// Mean and inverse deviation, `[2, C]`.
    statistics: Tensor,
    affine: Option<Affine>,
}

#[derive(Debug)]
struct Affine {
    weight: (ValueId, Tensor),
    bias: (ValueId, Tensor),
}

impl Run<'_> {
    pub(super) fn sum(
        &mut self,
        terms: &[Term],
        sum: Option<ValueId>,
        rectified: Option<ValueId>,
    ) -> Result<Saved> {
        let images = terms.iter().map(|term| self.value(*term.inputs().first().ok_or_else(foreign)?));
        if !self.is_fused(&images.collect::<Result<Vec<_>>>()?) {
            return self.sum_by_parts(terms, sum, rectified);
        }
        let rectifier = match rectified.map(|id| &self.graph.node(id).op) {
            None => Rectifier::None,
            Some(Op::Relu6) => Rectifier::Relu6,
            Some(_) => Rectifier::Relu,
        };
        let given = terms.iter().map(|term| self.term(term)).collect::<Result<Vec<_>>>()?;
        let made = fused::sum_forward(&given, rectifier, sum.is_some()).map_err(TorchError::Torch)?;
        let wanted = terms
            .iter()
            .zip(&given)
            .any(|(term, given)| term.inputs().iter().any(|input| self.differentiable(*input, given.x)));
        let saved = if wanted { self.saved(terms, made.statistics)? } else { vec![] };
        if let Some(id) = sum {
            self.put(id, made.value)?;
        }
        if let Some(id) = rectified {
            self.put(id, made.rectified.as_ref().map(Tensor::shallow_clone))?;
        }
        if !wanted {
            return Ok(Saved::Nothing);
        }
        let rectified = rectified.zip(made.rectified);
        Ok(Saved::Sum(SavedSum { terms: saved, sum, rectified, rectifier }))
    }

    fn term<'a>(&'a self, term: &Term) -> Result<fused::Term<'a>> {
        let input = |i: usize| self.value(*term.inputs().get(i).ok_or_else(foreign)?);
        let x = input(0)?;
        let Term::Norm { norm, .. } = term else { return Ok(fused::Term { x, norm: None }) };
        let Op::BatchNorm { affine, running, statistics, momentum, eps } = self.graph.node(*norm).op else {
            return Err(foreign());
        };
        let (pass, at) = (&self.context.pass, 1 + 2 * usize::from(affine));
        let given = !pass.uses_batch(statistics);
        // Statistics of the batch move the running ones only where those are in use.
        let running = running && statistics == nshot_graph::Statistics::Running && !self.context.again;
        let norm = Norm {
            affine: if affine { Some((input(1)?, input(2)?)) } else { None },
            running: if running { Some((input(at)?, input(at + 1)?)) } else { None },
            given,
            momentum: pass.recalibrate.unwrap_or(momentum),
            eps,
        };
        Ok(fused::Term { x, norm: Some(norm) })
    }

    fn saved(&self, terms: &[Term], statistics: Vec<Option<Tensor>>) -> Result<Vec<SavedTerm>> {
        let saved = |(term, statistics): (&Term, Option<Tensor>)| {
            let inputs = term.inputs();
            let (id, given) = (*inputs.first().ok_or_else(foreign)?, self.term(term)?);
            let norm = given.norm.map(|norm| {
                let affine = norm.affine.map(|(weight, bias)| Affine {
                    weight: (inputs[1], weight.shallow_clone()),
                    bias: (inputs[2], bias.shallow_clone()),
                });
                let statistics = statistics
                    .ok_or_else(|| TorchError::invalid("a norm by given statistics has no backward pass"))?;
                Ok::<_, TorchError>(SavedNorm { x: given.x.shallow_clone(), statistics, affine })
            });
            Ok(SavedTerm { id, norm: norm.transpose()? })
        };
        terms.iter().zip(statistics).map(saved).collect()
    }

    /// The same by libtorch's own operations.
    fn sum_by_parts(
        &mut self,
        terms: &[Term],
        sum: Option<ValueId>,
        rectified: Option<ValueId>,
    ) -> Result<Saved> {
        let inputs: Vec<ValueId> = terms.iter().flat_map(Term::inputs).copied().collect();
        self.with_autograd(&inputs, |run, tensors| {
            let (mut rest, mut whole) = (tensors, None::<Tensor>);
            for term in terms {
                let (own, others) = rest.split_at(term.inputs().len());
                rest = others;
                let value = match term {
                    Term::Value(_) => own[0].shallow_clone(),
                    Term::Norm { norm, .. } => {
                        operations::batch_norm(&run.graph.node(*norm).op, own, &run.context)?
                    }
                };
                whole = Some(match whole {
                    None => value,
                    Some(whole) => whole.f_add(&value)?,
                });
            }
            let whole = whole.ok_or_else(foreign)?;
            let mut made = Vec::new();
            if let Some(id) = rectified {
                made.push((id, operations::compute(run.graph.node(id), &[&whole], &run.context)?));
            }
            made.extend(sum.map(|id| (id, whole)));
            Ok(made)
        })
    }
}

impl SavedSum {
    pub(super) fn backward(self, gradients: &mut Gradients<'_>) -> Result<()> {
        let direct = self.sum.map(|id| gradients.take(id)).unwrap_or_default();
        let mut masked = self.rectified.as_ref().map(|(id, _)| gradients.take(*id)).unwrap_or_default();
        let alone = self.terms.len() == 1 && self.terms[0].norm.is_some();
        // A norm by itself finds out again what its rectifier let through.
        let (gradient, rectifier) = if alone && direct.is_empty() && masked.len() == 1 {
            (masked.pop(), self.rectifier)
        } else {
            (self.gathered(direct, &masked)?, Rectifier::None)
        };
        drop(masked);
        let Some(Part { tensor: gradient, owned }) = gradient else { return Ok(()) };
        for SavedTerm { id, norm } in self.terms {
            let Some(norm) = norm else {
                gradients.add(id, gradient.shallow_clone(), false);
                continue;
            };
            let room = match gradients.rooms.of(id, &norm.x)? {
                Some(room) => room,
                // Nothing else needs the gradient, so that its memory may take the next one.
                None if owned && alone && lies_as_images(&gradient) => gradient.shallow_clone(),
                None => images_like(&norm.x, norm.x.size()[1])?,
            };
            norm.backward(id, &gradient, rectifier, room, gradients)?;
        }
        Ok(())
    }

    fn gathered(&self, mut direct: Vec<Part>, masked: &[Part]) -> Result<Option<Part>> {
        if masked.is_empty() && direct.len() < 2 {
            return Ok(direct.pop());
        }
        let tensors =
            |parts: &[Part]| parts.iter().map(|part| part.tensor.shallow_clone()).collect::<Vec<_>>();
        let (direct, masked) = (tensors(&direct), tensors(masked));
        let (direct, masked) = (direct.iter().collect::<Vec<_>>(), masked.iter().collect::<Vec<_>>());
        let mask = self.rectified.as_ref().map(|(_, tensor)| tensor);
        let tensor = fused::gather(&direct, &masked, mask, self.rectifier).map_err(TorchError::Torch)?;
        Ok(Some(Part { tensor, owned: true }))
    }
}

impl SavedNorm {
    /// `room` gets the gradient of the norm's input.
    fn backward(
        self,
        id: ValueId,
        gradient: &Tensor,
        rectifier: Rectifier,
        room: Tensor,
        gradients: &mut Gradients<'_>,
    ) -> Result<()> {
        let affine = self.affine.as_ref().map(|affine| (&affine.weight.1, &affine.bias.1));
        let norm = Norm { affine, running: None, given: false, momentum: 0.0, eps: 0.0 };
        let term = fused::Term { x: &self.x, norm: Some(norm) };
        let [weight, bias] = fused::norm_backward(&term, &self.statistics, gradient, rectifier, &room)
            .map_err(TorchError::Torch)?;
        gradients.add(id, room, true);
        if let Some(affine) = self.affine {
            for (id, gradient) in [(affine.weight.0, weight), (affine.bias.0, bias)] {
                if let Some(gradient) = gradient {
                    gradients.add(id, gradient, true);
                }
            }
        }
        Ok(())
    }
}

/// Whether the memory is `[N, H, W, C]` without gaps.
fn lies_as_images(tensor: &Tensor) -> bool {
    match tensor.size()[..] {
        [_, c, h, w] => tensor.stride() == [h * w * c, 1, w * c, c],
        _ => false,
    }
}
