//! MNIST and Fashion-MNIST, which come as four IDX files, plain or gzipped.

use std::path::{Path, PathBuf};

use super::file::{FileRecord, read, unpack};
use super::{Images, Part};
use crate::error::{Error, Result};
use crate::images::check_labels;

const CLOTHES: [&str; 10] = [
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];
/// Both datasets have so many classes.
const CLASSES: usize = 10;
/// Unsigned bytes in one dimension (labels) and in three (images).
const LABELS_MAGIC: u32 = 0x0801;
const IMAGES_MAGIC: u32 = 0x0803;
/// More than any dataset of this kind unpacks to.
const LIMIT: u64 = 1 << 30;

/// Whether `folder` holds the training images.
pub(crate) fn present(folder: &Path) -> bool {
    locate(folder, "train-images-idx3-ubyte").is_file()
}

/// The names of Fashion-MNIST's classes.
pub(crate) fn clothes() -> Vec<String> {
    CLOTHES.iter().map(|&name| name.to_owned()).collect()
}

/// The names of MNIST's classes.
pub(crate) fn digits() -> Vec<String> {
    (0..CLASSES).map(|digit| digit.to_string()).collect()
}

/// Reads one part; the classes are called `class_names`.
pub(crate) fn load(
    class_names: Vec<String>,
    folder: &Path,
    part: Part,
    files: &mut Vec<FileRecord>,
) -> Result<Images> {
    let prefix = match part {
        Part::Train => "train",
        Part::Test => "t10k",
    };
    let images_path = locate(folder, &format!("{prefix}-images-idx3-ubyte"));
    let labels_path = locate(folder, &format!("{prefix}-labels-idx1-ubyte"));
    let (dimensions, pixels) = parse(&images_path, IMAGES_MAGIC, files)?;
    let (label_dimensions, labels) = parse(&labels_path, LABELS_MAGIC, files)?;
    let [count, height, width] = [0, 1, 2].map(|index| dimensions.get(index).copied().unwrap_or(0));
    if label_dimensions[0] != count {
        let problem = format!(
            "holds {} labels, expected {count}, the images in `{}`",
            label_dimensions[0],
            images_path.display()
        );
        return Err(Error::content(labels_path, problem));
    }
    if height == 0 || width == 0 || count == 0 {
        return Err(Error::content(images_path, format!("holds {count} images of {height}x{width} pixels")));
    }
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    check_labels(&labels, CLASSES, &labels_path)?;
    Ok(Images { pixels, labels, shape: [1, height, width], classes: CLASSES, class_names, full_scale: 255 })
}

/// The plain file, or the gzipped one where only that exists.
fn locate(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    if !plain.is_file() && packed.is_file() { packed } else { plain }
}

/// The dimensions and the bytes of an IDX file of the given magic number.
fn parse(path: &Path, magic: u32, files: &mut Vec<FileRecord>) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut content = read(path, files)?;
    let unpacked = path.extension().is_some_and(|extension| extension == "gz");
    if unpacked {
        content = unpack(path, &content, LIMIT)?;
    }
    let size = |expected: String| Error::Size {
        path: path.to_owned(),
        found: content.len() as u64,
        expected,
        unpacked,
    };
    let rank = (magic & 0xff) as usize;
    let header = 4 + 4 * rank;
    if content.len() < header {
        return Err(size(format!("a header of {header}")));
    }
    let mut numbers = content[..header]
        .chunks_exact(4)
        .map(|number| number.iter().fold(0, |value: u32, &byte| value << 8 | u32::from(byte)));
    let found = numbers.next().unwrap_or(0);
    if found != magic {
        return Err(Error::content(path, format!("begins with {found:#010x}, expected {magic:#010x}")));
    }
    let dimensions: Vec<usize> = numbers.map(|number| number as usize).collect();
    let expected = dimensions.iter().fold(1_u128, |product, &side| product * side as u128) + header as u128;
    if content.len() as u128 != expected {
        return Err(size(format!("{expected} (its header says {dimensions:?})")));
    }
    content.drain(..header);
    Ok((dimensions, content))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn idx(magic: u32, dimensions: &[u32], values: &[u8]) -> Vec<u8> {
        let mut content = magic.to_be_bytes().to_vec();
        content.extend(dimensions.iter().flat_map(|side| side.to_be_bytes()));
        content.extend(values);
        content
    }

    fn folder(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), images).unwrap();
        std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).unwrap();
        folder
    }

    fn refused(images: &[u8], labels: &[u8]) -> String {
        load(digits(), folder(images, labels).path(), Part::Train, &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn plain_and_packed_files_give_the_same() {
        let images = idx(IMAGES_MAGIC, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let labels = idx(LABELS_MAGIC, &[2], &[7, 9]);
        let plain = folder(&images, &labels);
        let packed = tempfile::tempdir().unwrap();
        for (name, content) in [("images-idx3", &images), ("labels-idx1", &labels)] {
            let file = std::fs::File::create(packed.path().join(format!("train-{name}-ubyte.gz"))).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap();
        }
        let read = load(digits(), plain.path(), Part::Train, &mut Vec::new()).unwrap();
        assert_eq!(read, load(digits(), packed.path(), Part::Train, &mut Vec::new()).unwrap());
        assert_eq!((read.shape, read.image(1), &read.labels[..]), ([1, 1, 3], &[4, 5, 6][..], &[7, 9][..]));

        let path = packed.path().join("train-images-idx3-ubyte.gz");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let message = load(clothes(), packed.path(), Part::Train, &mut Vec::new()).unwrap_err().to_string();
        assert!(message.contains("is cut short or no gzip file"), "{message}");
    }

    #[test]
    fn faulty_files_are_told_apart() {
        let images = idx(IMAGES_MAGIC, &[2, 1, 3], &[0; 6]);
        let labels = idx(LABELS_MAGIC, &[2], &[0, 1]);
        let message = refused(&images[..20], &labels);
        assert!(message.ends_with("has 20 bytes, expected 22 (its header says [2, 1, 3])"), "{message}");
        assert!(refused(&images[..10], &labels).ends_with("has 10 bytes, expected a header of 16"));
        assert!(refused(&[], &labels).ends_with("has 0 bytes, expected a header of 16"));
        assert!(
            refused(&idx(0x0802, &[2, 1, 3], &[0; 6]), &labels)
                .ends_with("begins with 0x00000802, expected 0x00000803")
        );
        assert!(refused(&images, &idx(LABELS_MAGIC, &[1], &[0])).contains("holds 1 labels, expected 2"));
        assert!(refused(&images, &idx(LABELS_MAGIC, &[2], &[0, 10])).contains("image 1 the label 10"));
        let huge = idx(IMAGES_MAGIC, &[u32::MAX; 3], &[0; 6]);
        assert!(refused(&huge, &labels).contains("has 22 bytes, expected 79228162458924105385300197391"));
        assert!(
            refused(&idx(IMAGES_MAGIC, &[0, 1, 3], &[]), &idx(LABELS_MAGIC, &[0], &[]))
                .contains("holds 0 images")
        );
    }
}
