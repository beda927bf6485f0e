//! Given batches: a safetensors file whose batches are served as they are, for runs that are compared
//! number by number with another program's.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::file::{FileRecord, read};
use crate::batch::Pixels;
use crate::error::{Error, Result};
use crate::images::check_labels;

/// A greater label is taken for a damaged one: a classifier of so many outputs is not wanted.
const MOST_CLASSES: i64 = 1 << 20;

/// All batches of a file.
#[derive(Clone, Debug)]
pub(crate) struct GivenBatches {
    pub(crate) batches: Vec<GivenBatch>,
    /// `[C, H, W]`, of all batches.
    pub(crate) shape: [usize; 3],
    pub(crate) classes: usize,
}

/// One batch, NCHW.
#[derive(Clone, Debug)]
pub(crate) struct GivenBatch {
    pub(crate) images: Pixels,
    pub(crate) labels: Vec<i64>,
}

/// Reads `batch.0.images`, `batch.0.labels`, `batch.1.images`, … until one is missing; other tensors of the
/// file do not count.
pub(crate) fn load(path: &Path, classes: Option<usize>, files: &mut Vec<FileRecord>) -> Result<GivenBatches> {
    let content = read(path, files)?;
    let tensors = SafeTensors::deserialize(&content).map_err(|error| {
        let size = content.len();
        Error::content(path, format!("({size} bytes) is cut short or no safetensors file: {error}"))
    })?;
    let mut batches = Vec::new();
    let mut first: Option<(Dtype, Vec<usize>)> = None;
    loop {
        let name = format!("batch.{}.images", batches.len());
        let Ok(images) = tensors.tensor(&name) else { break };
        let (dtype, shape) =
            first.get_or_insert_with(|| (images.dtype(), images.shape().iter().skip(1).copied().collect()));
        let found = (images.dtype(), images.shape());
        if found.0 != *dtype || found.1.len() != 4 || found.1[1..] != shape[..] || found.1.contains(&0) {
            let problem = format!(
                "holds `{name}` of {:?} {:?}, expected {dtype:?} [N, C, H, W], all but N as in `batch.0.images`",
                found.0, found.1
            );
            return Err(Error::content(path, problem));
        }
        let labels = labels(path, &tensors, batches.len(), found.1[0])?;
        batches.push(GivenBatch { images: pixels(path, &name, &images)?, labels });
    }
    check_complete(path, &tensors, batches.len())?;
    let greatest = batches.iter().flat_map(|batch| &batch.labels).max().copied().unwrap_or(0);
    if greatest >= MOST_CLASSES {
        return Err(Error::content(
            path,
            format!("holds the label {greatest}, expected below {MOST_CLASSES}"),
        ));
    }
    let classes = classes.unwrap_or((greatest + 1).max(1) as usize);
    for batch in &batches {
        check_labels(&batch.labels, classes, path)?;
    }
    let shape = first.map_or(Vec::new(), |(_, shape)| shape);
    let shape = [0, 1, 2].map(|index| shape.get(index).copied().unwrap_or(0));
    Ok(GivenBatches { batches, shape, classes })
}

/// Refuses a file without batches, or with a gap in their numbers.
fn check_complete(path: &Path, tensors: &SafeTensors, count: usize) -> Result<()> {
    let given = tensors.names().iter().filter(|name| is_images(name)).count();
    if count == 0 || given != count {
        let problem =
            format!("lacks `batch.{count}.images` (it holds {given} tensors `batch.<number>.images`)");
        return Err(Error::content(path, problem));
    }
    Ok(())
}

fn is_images(name: &str) -> bool {
    let number = name.strip_prefix("batch.").and_then(|rest| rest.strip_suffix(".images"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn pixels(path: &Path, name: &str, images: &TensorView) -> Result<Pixels> {
    match images.dtype() {
        Dtype::F32 => Ok(Pixels::F32(numbers(images.data(), f32::from_le_bytes))),
        Dtype::F64 => Ok(Pixels::F64(numbers(images.data(), f64::from_le_bytes))),
        other => Err(Error::content(path, format!("holds `{name}` of {other:?}, expected F32 or F64"))),
    }
}

fn labels(path: &Path, tensors: &SafeTensors, index: usize, count: usize) -> Result<Vec<i64>> {
    let name = format!("batch.{index}.labels");
    let Ok(labels) = tensors.tensor(&name) else {
        return Err(Error::content(path, format!("lacks `{name}`")));
    };
    if labels.dtype() != Dtype::I64 || labels.shape() != [count] {
        let found = format!("{:?} {:?}", labels.dtype(), labels.shape());
        return Err(Error::content(path, format!("holds `{name}` of {found}, expected I64 [{count}]")));
    }
    Ok(numbers(labels.data(), i64::from_le_bytes))
}

fn numbers<T, const SIZE: usize>(bytes: &[u8], of: fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| of(chunk)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes a file of tensors: name, type, shape, bytes.
    pub(crate) fn write(path: &Path, tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) {
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                (*name, TensorView::new(*dtype, shape.to_vec(), bytes).unwrap())
            })
            .collect::<Vec<_>>();
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    pub(crate) fn f64_bytes(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
        values.into_iter().flat_map(f64::to_le_bytes).collect()
    }

    pub(crate) fn i64_bytes(values: &[i64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn refused(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.safetensors");
        write(&path, tensors);
        load(&path, None, &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn faults_name_the_tensor() {
        let images = |name| (name, Dtype::F64, &[1, 1, 1, 2][..], f64_bytes([0.0, 1.0]));
        let labels = |name| (name, Dtype::I64, &[1][..], i64_bytes(&[3]));
        assert!(refused(&[labels("other")]).contains("lacks `batch.0.images`"));
        assert!(refused(&[images("batch.0.images")]).contains("lacks `batch.0.labels`"));
        let gap = [images("batch.0.images"), labels("batch.0.labels"), images("batch.2.images")];
        assert!(refused(&gap).contains("lacks `batch.1.images` (it holds 2 tensors"));
        let flat = ("batch.0.images", Dtype::F64, &[2][..], f64_bytes([0.0, 1.0]));
        assert!(refused(&[flat, labels("batch.0.labels")]).contains("`batch.0.images` of F64 [2], expected"));
        let two = ("batch.0.labels", Dtype::I64, &[2][..], i64_bytes(&[3, 4]));
        assert!(refused(&[images("batch.0.images"), two]).contains("of I64 [2], expected I64 [1]"));
        let negative = ("batch.0.labels", Dtype::I64, &[1][..], i64_bytes(&[-1]));
        assert!(refused(&[images("batch.0.images"), negative]).contains("the label -1"));
        let huge = ("batch.0.labels", Dtype::I64, &[1][..], i64_bytes(&[i64::MAX]));
        assert!(refused(&[images("batch.0.images"), huge]).contains("expected below 1048576"));
        let integers = ("batch.0.images", Dtype::I64, &[1, 1, 1, 1][..], i64_bytes(&[3]));
        assert!(refused(&[integers, labels("batch.0.labels")]).contains("expected F32 or F64"));
    }

    #[test]
    fn a_truncated_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("given.safetensors");
        write(&path, &[("batch.0.images", Dtype::F64, &[1, 1, 1, 2], f64_bytes([0.0, 1.0]))]);
        let whole = std::fs::read(&path).unwrap();
        for size in [0, 5, whole.len() - 1] {
            std::fs::write(&path, &whole[..size]).unwrap();
            let message = load(&path, None, &mut Vec::new()).unwrap_err().to_string();
            assert!(message.contains(&format!("({size} bytes) is cut short")), "{message}");
        }
    }
}
