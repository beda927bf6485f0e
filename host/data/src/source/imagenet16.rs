//! ImageNet16-120 (Chrabaszcz et al., arXiv 1707.08819; the 120 classes of NAS-Bench-201, arXiv
//! 2001.00326): `ImageNet` at 16x16 pixels in pickled batches, of which the first 120 labels count.

use std::path::Path;

use super::file::{FileRecord, read};
use super::{Images, Part};
use crate::error::{Error, Result};
use crate::pickle::{self, Array, Dtype, Value};

const CLASSES: i64 = 120;
/// Labels count from 1 to this; only the first [`CLASSES`] are kept.
const ALL_CLASSES: i64 = 1000;
const IMAGE: usize = 3 * 16 * 16;
const TRAINING_FILES: usize = 10;

/// Whether `folder` holds the first training batch.
pub(crate) fn present(folder: &Path) -> bool {
    folder.join("train_data_batch_1").is_file()
}

/// Reads one part: the ten training batches in the order of their numbers, or `val_data`.
pub(crate) fn load(folder: &Path, part: Part, files: &mut Vec<FileRecord>) -> Result<Images> {
    let names: Vec<String> = match part {
        Part::Train => (1..=TRAINING_FILES).map(|number| format!("train_data_batch_{number}")).collect(),
        Part::Test => vec!["val_data".to_owned()],
    };
    let mut images = Images {
        pixels: Vec::new(),
        labels: Vec::new(),
        shape: [3, 16, 16],
        classes: CLASSES as usize,
        class_names: (1..=CLASSES).map(|label| label.to_string()).collect(),
        full_scale: 255,
    };
    for name in names {
        let path = folder.join(name);
        let content = read(&path, files)?;
        let batch = pickle::read(&content).map_err(|error| Error::content(&path, error.to_string()))?;
        drop(content);
        append(&mut images, &path, &batch)?;
    }
    if images.labels.is_empty() {
        return Err(Error::content(folder, format!("holds no image of the labels 1 to {CLASSES}")));
    }
    Ok(images)
}

fn append(images: &mut Images, path: &Path, batch: &Value) -> Result<()> {
    let wrong = |problem: String| Error::content(path, problem);
    let missing = |key: &str| wrong(format!("is no dictionary with `{key}`, but {}", batch.kind()));
    let data = batch.get("data").ok_or_else(|| missing("data"))?;
    let labels = batch.get("labels").ok_or_else(|| missing("labels"))?;
    let Value::Array(Array { dtype: Dtype::Uint(1), shape, data }) = data else {
        let found = match data {
            Value::Array(array) => format!("an array of {:?}", array.dtype),
            other => other.kind().to_owned(),
        };
        return Err(wrong(format!("has {found} as `data`, expected an array of unsigned bytes")));
    };
    let Some(labels) = labels.items() else {
        return Err(wrong(format!("has {} as `labels`, expected a list", labels.kind())));
    };
    if shape[..] != [labels.len(), IMAGE] {
        let expected = [labels.len(), IMAGE];
        return Err(wrong(format!(
            "has `data` of {shape:?}, expected {expected:?}, an image for each label"
        )));
    }
    for (index, (label, image)) in labels.iter().zip(data.chunks_exact(IMAGE)).enumerate() {
        let Value::Int(label @ 1..=ALL_CLASSES) = *label else {
            let found = if let Value::Int(label) = label { label.to_string() } else { label.kind().into() };
            return Err(wrong(format!("gives image {index} the label {found}, expected 1 to {ALL_CLASSES}")));
        };
        if label > CLASSES {
            continue;
        }
        images.labels.push(label - 1);
        images.push_planes(image);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as Python 3 writes it in protocol 4, less the frame and the memo: image i is filled with i.
    fn batch(labels: &[u16], width: usize, dtype: &str) -> Vec<u8> {
        let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
        let side = |side: usize| [&b"M"[..], &(side as u16).to_le_bytes()].concat();
        let data: Vec<u8> = (0..labels.len() * width).map(|at| (at / width) as u8).collect();
        let numbers: Vec<u8> = labels.iter().flat_map(|&label| side(usize::from(label))).collect();
        [
            &b"\x80\x04}("[..],
            &text("data"),
            &[&text("numpy.core.multiarray")[..], &text("_reconstruct"), b"\x93"].concat(),
            &[&text("numpy")[..], &text("ndarray"), b"\x93K\x00\x85C\x01b\x87R(K\x01"].concat(),
            &[&side(labels.len())[..], &side(width), b"\x86"].concat(),
            &[&text("numpy")[..], &text("dtype"), b"\x93", &text(dtype), b"\x89\x88\x87R"].concat(),
            &[&b"(K\x03"[..], &text("|"), b"NNNK\x00K\x00K\x00tb\x89B"].concat(),
            &(data.len() as u32).to_le_bytes(),
            &data,
            b"tb",
            &text("labels"),
            &[&b"]("[..], &numbers, b"eu."].concat(),
        ]
        .concat()
    }

    fn refused(content: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("val_data"), content).unwrap();
        load(folder.path(), Part::Test, &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn the_first_120_labels_are_kept_in_the_order_of_the_files() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=10 {
            let labels = [number, 121, 120, 1000];
            std::fs::write(
                folder.path().join(format!("train_data_batch_{number}")),
                batch(&labels, IMAGE, "u1"),
            )
            .unwrap();
        }
        assert!(present(folder.path()));
        let mut files = Vec::new();
        let images = load(folder.path(), Part::Train, &mut files).unwrap();
        assert_eq!(images.labels[..4], [0, 119, 1, 119]);
        assert_eq!((images.len(), images.classes, files.len()), (20, 120, 10));
        assert_eq!(images.image(1), [2; IMAGE]);
        assert!(load(folder.path(), Part::Test, &mut files).unwrap_err().to_string().contains("val_data"));
    }

    #[test]
    fn faulty_batches_are_told_apart() {
        for (content, problem) in [
            (&batch(&[1, 0], IMAGE, "u1")[..], "gives image 1 the label 0, expected 1 to 1000"),
            (&batch(&[1001], IMAGE, "u1"), "gives image 0 the label 1001, expected 1 to 1000"),
            (&batch(&[1], 3072, "u1"), "has `data` of [1, 3072], expected [1, 768], an image for each label"),
            (
                &batch(&[1], IMAGE, "i1"),
                "has an array of Int(1) as `data`, expected an array of unsigned bytes",
            ),
            (&batch(&[121], IMAGE, "u1"), "holds no image of the labels 1 to 120"),
            (b"].", "is no dictionary with `data`, but a list"),
            (b"}U\x04dataNs.", "is no dictionary with `labels`, but a dictionary"),
            (b"}(U\x04dataNU\x06labels]u.", "has None as `data`, expected an array of unsigned bytes"),
        ] {
            let message = refused(content);
            assert!(message.ends_with(problem), "{message}");
        }
        let message = refused(b"cos\nsystem\n.");
        assert!(
            message
                .contains("val_data` is no pickle that can be read: refused: the pickle names `os.system`")
        );
        let whole = batch(&[1], IMAGE, "u1");
        assert!(refused(&whole[..whole.len() - 1]).contains("it ends after 0 bytes"));
    }
}
