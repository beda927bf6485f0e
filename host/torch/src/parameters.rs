//! The numbers behind declared parameters: first values, files, warm starts.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use nshot_graph::{Initialisation, ParameterSpec, Parameters, Role};
use safetensors::tensor::TensorView;
use tch::Tensor;

use crate::files::{TensorFile, kind_of, sizes, to_tensor, write_tensors};
use crate::gradients::global_norm;
use crate::random::Stream;
use crate::{Device, NameMap, Precision, Result, TorchError, dispatch, ffi, read_scalars};

/// One tensor per declared parameter, by its index. All but buffers are leaves of the autograd graph; those of
/// four dimensions lie channels-last in memory.
#[derive(Debug)]
pub struct ParameterStore {
    specs: Parameters,
    tensors: Vec<Tensor>,
    device: Device,
    precision: Precision,
}

impl ParameterStore {
    /// All zeros.
    pub fn new(specs: &Parameters, device: Device, precision: Precision) -> Result<ParameterStore> {
        let make = |spec: &ParameterSpec| {
            let tensor = Tensor::f_zeros(&spec.shape[..], (precision.kind(), device.tch()))?;
            let tensor = if spec.shape.len() == 4 { dispatch::channels_last(&tensor)? } else { tensor };
            Ok(tensor.f_set_requires_grad(spec.role != Role::Buffer)?)
        };
        let tensors = specs.iter().map(make).collect::<Result<_>>()?;
        Ok(ParameterStore { specs: specs.clone(), tensors, device, precision })
    }

    /// Draws the first values: a stream per parameter, keyed by `seed` and the parameter's name, in double
    /// precision, then rounded. Other declarations, threads and the device change nothing.
    pub fn initialise(&mut self, seed: u64) -> Result<()> {
        for index in 0..self.len() {
            let Some(spec) = self.specs.get(index) else { continue };
            let tensor = Tensor::f_from_slice(&initial_values(spec, seed))?.f_reshape(&spec.shape[..])?;
            self.assign(index, &tensor)?;
        }
        Ok(())
    }

    /// The declarations.
    pub fn specs(&self) -> &Parameters {
        &self.specs
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Where the tensors lie.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Their element type.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The tensor of a parameter.
    pub fn get(&self, index: usize) -> Option<&Tensor> {
        self.tensors.get(index)
    }

    /// The tensor of the parameter called `name`.
    pub fn by_name(&self, name: &str) -> Option<&Tensor> {
        self.get(self.specs.index(name)?)
    }

    /// Copies `values` (any floating type, any device) into a parameter.
    ///
    /// # Errors
    /// An unknown index or another shape.
    pub fn assign(&mut self, index: usize, values: &Tensor) -> Result<()> {
        let (Some(tensor), Some(spec)) = (self.tensors.get_mut(index), self.specs.get(index)) else {
            return Err(TorchError::invalid(format!("there is no parameter with the index {index}")));
        };
        if values.size() != spec.shape {
            return Err(TorchError::invalid(format!(
                "parameter `{}` has the shape {:?}, found values of shape {:?}",
                spec.name,
                spec.shape,
                values.size()
            )));
        }
        let _guard = tch::no_grad_guard();
        Ok(tensor.f_copy_(values)?)
    }

    /// Copies what `parent` holds under the same name and shape, for a warm start; returns the names of the
    /// parameters that it does not hold, which stay as they are.
    pub fn copy_from(&mut self, parent: &ParameterStore) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for index in 0..self.len() {
            let spec = self.specs.get(index).map(|spec| (spec.name.clone(), spec.shape.clone()));
            let Some((name, shape)) = spec else { continue };
            match parent.by_name(&name) {
                Some(tensor) if tensor.size() == shape => self.assign(index, &tensor.f_detach()?)?,
                _ => missing.push(name),
            }
        }
        Ok(missing)
    }

    /// The same parameters, with buffers of its own.
    pub fn with_own_buffers(&self) -> Result<ParameterStore> {
        let _guard = tch::no_grad_guard();
        let own = |(spec, tensor): (&ParameterSpec, &Tensor)| -> Result<Tensor> {
            if spec.role != Role::Buffer {
                return Ok(tensor.shallow_clone());
            }
            let mut copy = tensor.f_empty_like()?;
            copy.f_copy_(tensor)?;
            Ok(copy)
        };
        let tensors = self.specs.iter().zip(&self.tensors).map(own).collect::<Result<_>>()?;
        Ok(ParameterStore {
            specs: self.specs.clone(),
            tensors,
            device: self.device,
            precision: self.precision,
        })
    }

    /// Whether all values are finite. Waits for the device.
    pub fn is_finite(&self) -> Result<bool> {
        let _guard = tch::no_grad_guard();
        let norm = global_norm(&self.tensors)?;
        Ok(read_scalars(&[norm])?.iter().all(|norm| norm.is_finite()))
    }

    /// Whether all buffers are finite. Waits for the device.
    pub fn are_buffers_finite(&self) -> Result<bool> {
        let buffers = self.specs.iter().zip(&self.tensors).filter(|(spec, _)| spec.role == Role::Buffer);
        let buffers: Vec<Tensor> = buffers.map(|(_, tensor)| tensor.shallow_clone()).collect();
        if buffers.is_empty() {
            return Ok(true);
        }
        let _guard = tch::no_grad_guard();
        Ok(read_scalars(&[global_norm(&buffers)?])?.iter().all(|norm| norm.is_finite()))
    }

    /// Takes the gradients of all parameters away.
    pub fn clear_gradients(&self) -> Result<()> {
        let all: Vec<&Tensor> = self.tensors.iter().collect();
        ffi::clear_gradients(&all).map_err(TorchError::Torch)
    }

    /// Writes all parameters, buffers included, to a safetensors file under their names.
    pub fn save(&self, path: &Path) -> Result<()> {
        let named =
            self.specs.iter().zip(&self.tensors).map(|(spec, t)| (spec.name.clone(), t.shallow_clone()));
        write_tensors(path, &named.collect::<Vec<_>>())
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Names every parameter that is missing, not declared, or of another shape or element type; then nothing
    /// is changed.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let file = TensorFile::open(path)?;
        let views = file.views()?;
        let mut problems = Vec::new();
        for spec in &self.specs {
            match views.get(&spec.name) {
                None => problems.push(format!("parameter `{}` is missing", spec.name)),
                Some(view) => {
                    problems.extend(shape_problem(spec, view));
                    if kind_of(view.dtype()) != Some(self.precision.kind()) {
                        problems.push(format!(
                            "parameter `{}` is of type {:?}, expected {}",
                            spec.name,
                            view.dtype(),
                            self.precision
                        ));
                    }
                }
            }
        }
        let mut surplus: Vec<&String> =
            views.keys().filter(|name| self.specs.index(name).is_none()).collect();
        surplus.sort();
        problems.extend(surplus.iter().map(|name| format!("`{name}` is not a parameter of this space")));
        if !problems.is_empty() {
            return Err(file.error(listed(&problems)));
        }
        let indices: Vec<usize> = (0..self.len()).collect();
        self.assign_views(&file, &indices, |name| views.get(name))
    }

    /// Fills all parameters from a file of another origin: names go through `map`, floating types are
    /// converted, tensors that no parameter takes are ignored. Parameters of the role `architecture` belong to a method
    /// rather than to the network: they keep their values where the file has none.
    ///
    /// # Errors
    /// Names every parameter that gets no value, two values or one of another shape; then nothing is changed.
    pub fn load_from(&mut self, path: &Path, map: &NameMap) -> Result<()> {
        let file = TensorFile::open(path)?;
        let views = file.views()?;
        let mut mapped: BTreeMap<String, (&str, &TensorView<'_>)> = BTreeMap::new();
        let mut twice = HashSet::new();
        let mut names: Vec<&String> = views.keys().collect();
        names.sort();
        for name in names {
            let Some(target) = map.apply(name).filter(|target| self.specs.index(target).is_some()) else {
                continue;
            };
            if let Some((other, _)) = mapped.insert(target.clone(), (name, &views[name])) {
                twice.insert(format!("parameter `{target}` gets both `{other}` and `{name}`"));
            }
        }
        let mut problems: Vec<String> = twice.into_iter().collect();
        problems.sort();
        for spec in &self.specs {
            match mapped.get(&spec.name) {
                None if spec.role == Role::Architecture => {}
                None => problems.push(format!("parameter `{}` gets no value", spec.name)),
                Some((_, view)) => problems.extend(shape_problem(spec, view)),
            }
        }
        if !problems.is_empty() {
            return Err(file.error(listed(&problems)));
        }
        let indices: Vec<usize> = (0..self.len()).collect();
        self.assign_views(&file, &indices, |name| mapped.get(name).map(|(_, view)| *view))
    }

    /// Converts everything before the first parameter is touched.
    fn assign_views<'v>(
        &mut self,
        file: &TensorFile,
        indices: &[usize],
        view: impl Fn(&str) -> Option<&'v TensorView<'v>>,
    ) -> Result<()> {
        let mut ready = Vec::with_capacity(indices.len());
        for &index in indices {
            let Some(spec) = self.specs.get(index) else { continue };
            let Some(view) = view(&spec.name) else { continue };
            let tensor = to_tensor(view)
                .map_err(|e| file.error(format!("parameter `{}`: {}", spec.name, e.inner())))?;
            ready.push((index, tensor));
        }
        ready.iter().try_for_each(|(index, tensor)| self.assign(*index, tensor))
    }
}

fn initial_values(spec: &ParameterSpec, seed: u64) -> Vec<f64> {
    let count = spec.elements() as usize;
    let mut stream = Stream::new("parameter", seed, &spec.name);
    match spec.init {
        Initialisation::Uniform { low, high } => {
            (0..count).map(|_| low + (high - low) * stream.uniform()).collect()
        }
        Initialisation::Normal { mean, std } => (0..count).map(|_| mean + std * stream.normal()).collect(),
        Initialisation::Zeros => vec![0.0; count],
        Initialisation::Ones => vec![1.0; count],
        Initialisation::Constant { value } => vec![value; count],
    }
}

fn shape_problem(spec: &ParameterSpec, view: &TensorView<'_>) -> Option<String> {
    let found = sizes(view);
    (found != spec.shape)
        .then(|| format!("parameter `{}` has the shape {found:?}, expected {:?}", spec.name, spec.shape))
}

/// The problems in one line; the first twenty of them.
pub(crate) fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = problems.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    match problems.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}; and {more} more"),
    }
}
