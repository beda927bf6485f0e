//! Convolutions: those of one input and geometry as one, with their filters side by side.

use std::collections::HashMap;

use nshot_graph::{Filter, Graph, Op, Program, ValueId, Work};
use tch::{Kind, Tensor};

use super::tape::{Gradients, Saved};
use super::{Run, foreign};
use crate::ffi::fused::{self, Window};
use crate::{Result, TorchError};

/// What the backward pass of one or more convolutions needs.
#[derive(Debug)]
pub(super) struct SavedConvolution {
    input: ValueId,
    filters: Vec<Filter>,
    x: Tensor,
    /// All filters' weights, `[O, C, kh, kw]`.
    weight: Tensor,
    window: Window,
    groups: i64,
}

impl Run<'_> {
    pub(super) fn convolution(&mut self, input: ValueId, filters: &[Filter]) -> Result<Saved> {
        let first = filters.first().ok_or_else(foreign)?;
        let Op::Conv2d { stride, padding, dilation, groups } =
            self.graph.nodes().get(first.value as usize).ok_or_else(foreign)?.op
        else {
            return Err(foreign());
        };
        let x = self.context.cast(self.value(input)?)?;
        let weight = self.context.cast(&self.side_by_side(filters.iter().map(|filter| filter.weight))?)?;
        let bias = if first.bias.is_some() {
            let bias = self.side_by_side(filters.iter().filter_map(|filter| filter.bias))?;
            Some(self.context.cast(&bias)?)
        } else {
            None
        };
        let window = Window { stride, padding, other: dilation };
        let made =
            fused::convolution(&x, &weight, bias.as_ref(), window, groups).map_err(TorchError::Torch)?;
        let made = self.context.cast_back(made)?;
        let mut channel = 0;
        for filter in filters {
            let channels = self.value(filter.weight)?.size().first().copied().unwrap_or(0);
            let own =
                if filters.len() == 1 { made.shallow_clone() } else { made.f_narrow(1, channel, channels)? };
            self.put(filter.value, Some(own))?;
            channel += channels;
        }
        if !filters.iter().any(|filter| self.differentiable(filter.value, &made)) {
            return Ok(Saved::Nothing);
        }
        Ok(Saved::Convolution(SavedConvolution {
            input,
            filters: filters.to_vec(),
            x,
            weight,
            window,
            groups,
        }))
    }

    /// Parameters along their first dimension.
    fn side_by_side(&self, ids: impl Iterator<Item = ValueId>) -> Result<Tensor> {
        let all = ids.map(|id| self.value(id)).collect::<Result<Vec<&Tensor>>>()?;
        match all[..] {
            [only] => Ok(only.shallow_clone()),
            _ => Ok(Tensor::f_cat(&all, 0)?),
        }
    }
}

impl SavedConvolution {
    pub(super) fn backward(self, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(gradient) = self.gradient(gradients)? else { return Ok(()) };
        let any = |wanted: &dyn Fn(&Filter) -> bool| self.filters.iter().any(wanted);
        let wanted = [
            gradients.wants(self.input),
            any(&|filter| gradients.wants(filter.weight)),
            any(&|filter| filter.bias.is_some_and(|bias| gradients.wants(bias))),
        ];
        let (precise, cast) = (gradient.f_kind()?, self.x.f_kind()?);
        let gradient = if precise == cast { gradient } else { gradient.f_to_kind(cast)? };
        let back = |found: Option<Tensor>| match found {
            Some(found) if precise != cast => found.f_to_kind(precise).map(Some),
            found => Ok(found),
        };
        let [x, weight, bias] = self.gradients_by(&gradient, wanted)?;
        let (x, weight, bias) = (back(x)?, back(weight)?, back(bias)?);
        if let Some(x) = x {
            gradients.add(self.input, x, true);
        }
        let mut channel = 0;
        for filter in &self.filters {
            let channels = gradients.rooms.channels(filter.value)?;
            let own = |all: &Tensor| {
                if self.filters.len() == 1 {
                    Ok(all.shallow_clone())
                } else {
                    all.f_narrow(0, channel, channels)
                }
            };
            if let Some(weight) = &weight {
                gradients.add(filter.weight, own(weight)?, true);
            }
            if let (Some(bias), Some(id)) = (&bias, filter.bias) {
                gradients.add(id, own(bias)?, true);
            }
            channel += channels;
        }
        Ok(())
    }

    fn gradients_by(&self, gradient: &Tensor, wanted: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        let whole = |wanted| {
            fused::convolution_backward(gradient, &self.x, &self.weight, self.window, self.groups, wanted)
                .map_err(TorchError::Torch)
        };
        match (wanted, self.depthwise_kernel()) {
            // libtorch's own takes several times as long for images that lie as `[N, H, W, C]`.
            ([x, true, bias], Some(kernel)) => {
                let weight = fused::depthwise_weight(gradient, &self.x, kernel, self.window)
                    .map_err(TorchError::Torch)?;
                let [x, _, bias] = if x || bias { whole([x, false, bias])? } else { [None, None, None] };
                Ok([x, Some(weight), bias])
            }
            _ => whole(wanted),
        }
    }

    /// Sizes of the kernel, on the CPU, of a convolution that keeps channels apart.
    fn depthwise_kernel(&self) -> Option<[i64; 2]> {
        match self.weight.size()[..] {
            [channels, 1, height, width] if channels == self.groups && channels > 1 => {
                let precise = matches!(self.x.f_kind(), Ok(Kind::Float | Kind::Double));
                let fused = precise && self.weight.device() == tch::Device::Cpu && self.x.numel() > 0;
                fused.then_some([height, width])
            }
            _ => None,
        }
    }

    /// The gradient of all values side by side; those without one are zero.
    fn gradient(&self, gradients: &mut Gradients<'_>) -> Result<Option<Tensor>> {
        if let [only] = &self.filters[..] {
            return gradients.take_sum(only.value);
        }
        let mut all = None;
        for filter in &self.filters {
            let Some(gradient) = gradients.take_sum(filter.value)? else { continue };
            let room = gradients.rooms.of(filter.value, &gradient)?.ok_or_else(foreign)?;
            if room.data_ptr() != gradient.data_ptr() {
                room.shallow_clone().f_copy_(&gradient)?;
            }
            all = Some(gradient);
        }
        let Some(any) = all else { return Ok(None) };
        for filter in &self.filters {
            if !gradients.rooms.is_used(filter.value) {
                let _ = gradients.rooms.of(filter.value, &any)?.ok_or_else(foreign)?.f_zero_()?;
            }
        }
        Ok(gradients.rooms.take(&self.filters))
    }
}

/// Room for the gradients of convolutions that run as one: each norm behind them writes its own part.
pub(super) struct Rooms<'a> {
    graph: &'a Graph,
    /// Per value its filters, and the channel at which its own begin.
    parts: HashMap<ValueId, (&'a [Filter], i64)>,
    /// By the first value of each.
    made: HashMap<ValueId, Tensor>,
    /// Values whose part was asked for.
    used: Vec<ValueId>,
}

impl<'a> Rooms<'a> {
    pub(super) fn new(graph: &'a Graph, program: &'a Program) -> Self {
        let mut rooms = Self { graph, parts: HashMap::new(), made: HashMap::new(), used: Vec::new() };
        for instruction in &program.instructions {
            let Work::Convolution { filters, .. } = &instruction.work else { continue };
            let mut channel = 0;
            for filter in filters.iter().filter(|_| filters.len() > 1) {
                rooms.parts.insert(filter.value, (&filters[..], channel));
                channel += rooms.channels(filter.value).unwrap_or(0);
            }
        }
        rooms
    }

    /// Channels of a convolution's value.
    pub(super) fn channels(&self, id: ValueId) -> Result<i64> {
        match self.graph.nodes().get(id as usize).map(|node| &node.shape[..]) {
            Some([_, channels, _, _]) => Ok(*channels),
            _ => Err(foreign()),
        }
    }

    /// Room for the gradient of a value, of the type and the image sizes of `like`; none if the value is not of a joined
    /// convolution.
    pub(super) fn of(&mut self, id: ValueId, like: &Tensor) -> Result<Option<Tensor>> {
        let Some(&(filters, start)) = self.parts.get(&id) else { return Ok(None) };
        let first = filters[0].value;
        if !self.made.contains_key(&first) {
            let all = filters.iter().map(|filter| self.channels(filter.value)).sum::<Result<i64>>()?;
            self.made.insert(first, images_like(like, all)?);
        }
        self.used.push(id);
        Ok(Some(self.made[&first].f_narrow(1, start, self.channels(id)?)?))
    }

    fn is_used(&self, id: ValueId) -> bool {
        self.used.contains(&id)
    }

    fn take(&mut self, filters: &[Filter]) -> Option<Tensor> {
        self.used.retain(|id| filters.iter().all(|filter| filter.value != *id));
        self.made.remove(&filters.first()?.value)
    }
}

/// Unwritten images of the type and sizes of `like`, with so many channels, that lie as `[N, H, W, C]`.
pub(super) fn images_like(like: &Tensor, channels: i64) -> Result<Tensor> {
    match like.size()[..] {
        [n, _, h, w] => {
            let room = Tensor::f_empty([n, h, w, channels], (like.f_kind()?, like.device()))?;
            Ok(room.f_permute([0, 3, 1, 2])?)
        }
        _ => Err(TorchError::invalid(format!("has the shape {:?}, expected four dimensions", like.size()))),
    }
}
