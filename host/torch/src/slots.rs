//! An optimizer's state: named tensors per parameter, separate for each group of steps.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tch::{Kind, Tensor};

use crate::files::{TensorFile, kind_of, sizes, to_tensor, write_tensors};
use crate::gradients::global_norm;
use crate::parameters::listed;
use crate::reads::read_counts;
use crate::{ParameterStore, Result, TorchError, dispatch, read_scalars};

/// Slots of one group; each is as large as the parameters.
const SLOTS: usize = 64;

/// What a slot holds at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotInit {
    /// Zeros.
    Zeros,
    /// A copy of the gradient of the step that makes it.
    Gradient,
    /// A copy of the parameter.
    Parameter,
}

impl SlotInit {
    /// `zeros`, `gradient` or `parameter`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<SlotInit> {
        match text {
            "zeros" => Ok(SlotInit::Zeros),
            "gradient" => Ok(SlotInit::Gradient),
            "parameter" => Ok(SlotInit::Parameter),
            _ => Err(TorchError::invalid(format!(
                "unknown initialisation of a slot `{text}`, expected `zeros`, `gradient` or `parameter`"
            ))),
        }
    }
}

/// One slot: per parameter its tensor, once it was used, and in how many updates it was.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) tensors: Vec<Option<Tensor>>,
    pub(crate) counts: Vec<u64>,
}

impl Slot {
    fn new(parameters: usize) -> Slot {
        Slot {
            tensors: std::iter::repeat_with(|| None).take(parameters).collect(),
            counts: vec![0; parameters],
        }
    }
}

/// The slots of all groups. In a file a tensor is called `group.3/momentum/stem.weight`, the updates per
/// parameter `group.3/#updates/momentum`.
#[derive(Debug, Default)]
pub struct Slots {
    groups: BTreeMap<u32, BTreeMap<String, Slot>>,
}

const UPDATES: &str = "#updates";

impl Slots {
    /// No slots.
    pub fn new() -> Slots {
        Slots::default()
    }

    /// The groups that have slots, with the slots' names.
    pub fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        self.groups.iter().flat_map(|(group, slots)| slots.keys().map(|name| (*group, name.as_str())))
    }

    /// The tensor of a parameter in a slot, if it was made.
    pub fn get(&self, group: u32, name: &str, parameter: usize) -> Option<&Tensor> {
        self.groups.get(&group)?.get(name)?.tensors.get(parameter)?.as_ref()
    }

    /// In how many updates the slot of a parameter was used.
    pub fn updates(&self, group: u32, name: &str, parameter: usize) -> u64 {
        let slot = self.groups.get(&group).and_then(|slots| slots.get(name));
        slot.and_then(|slot| slot.counts.get(parameter)).copied().unwrap_or(0)
    }

    /// Whether all values are finite. Waits for the device.
    pub fn is_finite(&self) -> Result<bool> {
        let _guard = tch::no_grad_guard();
        let slots = self.groups.values().flat_map(BTreeMap::values);
        let tensors: Vec<Tensor> =
            slots.flat_map(|slot| slot.tensors.iter().flatten()).map(Tensor::shallow_clone).collect();
        let norm = global_norm(&tensors)?;
        Ok(read_scalars(&[norm])?.iter().all(|norm| norm.is_finite()))
    }

    /// Memory that the tensors take, in bytes.
    pub fn bytes(&self) -> u64 {
        let tensors =
            self.groups.values().flat_map(BTreeMap::values).flat_map(|slot| slot.tensors.iter().flatten());
        let bytes = |t: &Tensor| t.numel() * t.f_kind().map_or(0, Kind::elt_size_in_bytes);
        tensors.map(|tensor| bytes(tensor) as u64).sum()
    }

    pub(crate) fn slot(&mut self, group: u32, name: &str, parameters: usize) -> Result<&mut Slot> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let start: String = name.chars().take(64).collect();
            return Err(TorchError::invalid(format!(
                "a slot is named `{start}`, {} bytes, expected 1 to 64 ASCII letters, digits, `_`, `-` or `.`",
                name.len()
            )));
        }
        let slots = self.groups.entry(group).or_default();
        if slots.len() >= SLOTS && !slots.contains_key(name) {
            return Err(TorchError::invalid(format!("`{name}` would be one slot more than {SLOTS}")));
        }
        Ok(slots.entry(name.to_owned()).or_insert_with(|| Slot::new(parameters)))
    }

    /// Writes all slots; parameters go by their names in `store`.
    pub fn save(&self, path: &Path, store: &ParameterStore) -> Result<()> {
        let mut named = Vec::new();
        for (group, slots) in &self.groups {
            for (name, slot) in slots {
                for (spec, tensor) in store.specs().iter().zip(&slot.tensors) {
                    if let Some(tensor) = tensor {
                        named.push((format!("group.{group}/{name}/{}", spec.name), tensor.shallow_clone()));
                    }
                }
                let counts: Vec<i64> = slot.counts.iter().map(|&count| count as i64).collect();
                named.push((format!("group.{group}/{UPDATES}/{name}"), Tensor::f_from_slice(&counts)?));
            }
        }
        write_tensors(path, &named)
    }

    /// Reads what [`save`](Self::save) wrote for the same parameters.
    ///
    /// # Errors
    /// Names every tensor that belongs to no parameter or has another shape or element type.
    pub fn load(path: &Path, store: &ParameterStore) -> Result<Slots> {
        let file = TensorFile::open(path)?;
        let views: BTreeMap<_, _> = file.views()?.into_iter().collect();
        let mut slots = Slots::new();
        let mut problems = Vec::new();
        for (name, view) in &views {
            match slots.take(name, view, store) {
                Ok(()) => {}
                Err(error) => problems.push(format!("`{name}`: {}", error.inner())),
            }
        }
        // A tensor without a count would look as if it had never been used.
        for (group, slot, at) in slots.uneven() {
            let parameter = store.specs().get(at).map_or("", |spec| spec.name.as_str());
            problems.push(format!(
                "`group.{group}/{slot}/{parameter}`: its tensor and its count of updates disagree"
            ));
        }
        if problems.is_empty() { Ok(slots) } else { Err(file.error(listed(&problems))) }
    }

    fn take(
        &mut self,
        name: &str,
        view: &safetensors::tensor::TensorView<'_>,
        store: &ParameterStore,
    ) -> Result<()> {
        let unknown = || TorchError::invalid("is not a slot of an optimizer");
        let rest = name.strip_prefix("group.").ok_or_else(unknown)?;
        let mut parts = rest.splitn(3, '/');
        let (Some(group), Some(slot), Some(parameter)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unknown());
        };
        let group: u32 = group.parse().map_err(|_| unknown())?;
        if slot == UPDATES {
            let tensor = to_tensor(view)?;
            if sizes(view) != [store.len() as i64] || kind_of(view.dtype()) != Some(Kind::Int64) {
                return Err(TorchError::invalid(format!("expected {} counts of type int64", store.len())));
            }
            self.slot(group, parameter, store.len())?.counts = read_counts(&tensor)?;
            return Ok(());
        }
        let index = store
            .specs()
            .index(parameter)
            .ok_or_else(|| TorchError::invalid(format!("there is no parameter `{parameter}`")))?;
        let like = store.get(index).ok_or_else(unknown)?;
        if sizes(view) != like.size() || kind_of(view.dtype()) != Some(store.precision().kind()) {
            return Err(TorchError::invalid(format!(
                "has the shape {:?} and type {:?}, expected {:?} and {}",
                sizes(view),
                view.dtype(),
                like.size(),
                store.precision()
            )));
        }
        let tensor = to_tensor(view)?.f_to_device(store.device().tch())?;
        let tensor = if like.dim() == 4 { dispatch::channels_last(&tensor)? } else { tensor };
        self.slot(group, slot, store.len())?.tensors[index] = Some(tensor);
        Ok(())
    }

    fn uneven(&self) -> Vec<(u32, &str, usize)> {
        let mut found = Vec::new();
        for (group, slots) in &self.groups {
            for (name, slot) in slots {
                let pairs = slot.tensors.iter().zip(&slot.counts).enumerate();
                found.extend(
                    pairs
                        .filter(|(_, (tensor, count))| tensor.is_some() != (**count > 0))
                        .map(|(at, _)| (*group, name.as_str(), at)),
                );
            }
        }
        found
    }
}

/// Counts of updates as one tensor each: libtorch's fused Adam wants tensors. Equal counts share one.
pub(crate) fn count_tensors(counts: &[u64], device: tch::Device) -> Result<Vec<Tensor>> {
    let mut made: HashMap<u64, Tensor> = HashMap::new();
    counts
        .iter()
        .map(|&count| {
            if let Some(tensor) = made.get(&count) {
                return Ok(tensor.shallow_clone());
            }
            let tensor = Tensor::f_full([], count as f64, (Kind::Float, device))?;
            made.insert(count, tensor.shallow_clone());
            Ok(tensor)
        })
        .collect()
}
