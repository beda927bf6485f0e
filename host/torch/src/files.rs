//! Tensors in safetensors files: values in logical order, whatever the memory layout.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use tch::{Kind, Tensor};

use crate::reads::read_bytes;
use crate::{Result, TorchError, ffi};

/// Writes named tensors (float32, float64, int64, int32, uint8) to `path`; the file appears whole or not at all.
///
/// # Errors
/// A type that the format is not used for, or what the file system refuses.
pub fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let file_error = |message: String| TorchError::File { path: path.to_owned(), message };
    let blocks = tensors
        .iter()
        .map(|(name, tensor)| {
            let block =
                Block::new(tensor).map_err(|e| file_error(format!("tensor `{name}`: {}", e.inner())))?;
            Ok((name.as_str(), block))
        })
        .collect::<Result<Vec<_>>>()?;
    let partial = partial_name(path);
    safetensors::serialize_to_file(blocks, None, &partial).map_err(|e| file_error(e.to_string()))?;
    put(&partial, path).map_err(|e| file_error(e.to_string()))
}

/// Saves a TorchScript module: `source` holds its methods, each attribute is a name, its tensor, and whether it is a
/// buffer. The file appears whole or not at all.
///
/// # Errors
/// libtorch does not compile the source, or what the file system refuses.
pub fn write_script(path: &Path, source: &str, attributes: &[(&str, &Tensor, bool)]) -> Result<()> {
    let file_error = |message: String| TorchError::File { path: path.to_owned(), message };
    let partial = partial_name(path);
    let shown = partial.to_str().ok_or_else(|| file_error("the path is not UTF-8".to_owned()))?;
    ffi::save_script(shown, source, attributes).map_err(file_error)?;
    put(&partial, path).map_err(|e| file_error(e.to_string()))
}

/// Reads all tensors of a file, on the CPU, sorted by name.
///
/// # Errors
/// A file that cannot be read or is not whole, or an element type that is not known here.
pub fn read_tensors(path: &Path) -> Result<Vec<(String, Tensor)>> {
    TensorFile::open(path)?.read_all()
}

/// Whether something is there that is no file, such as a pipe.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Where a file is written before it has its name: beside it, or, for what is no file, in the folder for such.
fn partial_name(path: &Path) -> PathBuf {
    if is_special(path) {
        return std::env::temp_dir().join(format!("nshot-{}.partial", std::process::id()));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Gives a whole file its name. A link is followed, and what is no file is written into.
fn put(partial: &Path, path: &Path) -> std::io::Result<()> {
    if is_special(path) {
        let mut to = File::options().write(true).open(path)?;
        std::io::copy(&mut File::open(partial)?, &mut to)?;
        return std::fs::remove_file(partial);
    }
    let file = File::open(partial)?;
    // It may have been written as a temporary file, which is its maker's alone; these are as open as any file.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()?;
    std::fs::rename(partial, path.canonicalize().as_deref().unwrap_or(path))
}

/// A tensor's bytes on the way to a file.
struct Block {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Block {
    fn new(tensor: &Tensor) -> Result<Block> {
        let kind = tensor.f_kind()?;
        let dtype = match kind {
            Kind::Float => Dtype::F32,
            Kind::Double => Dtype::F64,
            Kind::Int64 => Dtype::I64,
            Kind::Int => Dtype::I32,
            Kind::Uint8 => Dtype::U8,
            other => return Err(TorchError::invalid(format!("element type {other:?} cannot be saved"))),
        };
        let shape = tensor.size().iter().map(|&size| size as usize).collect();
        Ok(Block { dtype, shape, bytes: read_bytes(tensor)? })
    }
}

impl View for Block {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A file read whole; its bytes must outlive the views into it.
pub(crate) struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    pub(crate) fn open(path: &Path) -> Result<TensorFile> {
        let bytes = std::fs::read(path).map_err(|error| TorchError::File {
            path: path.to_owned(),
            message: format!("cannot be read: {error}"),
        })?;
        Ok(TensorFile { path: path.to_owned(), bytes })
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> TorchError {
        TorchError::File { path: self.path.clone(), message: message.into() }
    }

    /// The tensors by name.
    pub(crate) fn views(&self) -> Result<HashMap<String, TensorView<'_>>> {
        let parsed = SafeTensors::deserialize(&self.bytes)
            .map_err(|error| self.error(format!("is not a whole safetensors file: {error}")))?;
        Ok(parsed.tensors().into_iter().collect())
    }

    fn read_all(&self) -> Result<Vec<(String, Tensor)>> {
        let mut named = self
            .views()?
            .into_iter()
            .map(|(name, view)| {
                let tensor =
                    to_tensor(&view).map_err(|e| self.error(format!("tensor `{name}`: {}", e.inner())))?;
                Ok((name, tensor))
            })
            .collect::<Result<Vec<_>>>()?;
        named.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(named)
    }
}

/// The sizes as libtorch counts them.
pub(crate) fn sizes(view: &TensorView<'_>) -> Vec<i64> {
    view.shape().iter().map(|&size| size as i64).collect()
}

pub(crate) fn to_tensor(view: &TensorView<'_>) -> Result<Tensor> {
    let kind = kind_of(view.dtype())
        .ok_or_else(|| TorchError::invalid(format!("element type {:?} is not supported", view.dtype())))?;
    let shape = sizes(view);
    let elements = shape.iter().product::<i64>() as usize;
    // The format's own check; f_from_data_size copies this many bytes without looking.
    if view.data().len() != elements * kind.elt_size_in_bytes() {
        return Err(TorchError::invalid("its data does not have the length that its shape says"));
    }
    if elements == 0 {
        return Ok(Tensor::f_zeros(shape, (kind, tch::Device::Cpu))?);
    }
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?)
}

pub(crate) fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::U8 => Kind::Uint8,
        _ => return None,
    })
}
