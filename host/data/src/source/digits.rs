//! The digits of UCI, embedded: 1,797 images of 8x8, so that nshot runs without any file.
//!
//! See `assets/README.md` for the source and the licence (CC BY 4.0).

use std::path::Path;

use super::file::{FileRecord, unpack};
use super::{Images, Part};
use crate::error::{Error, Result};
use crate::images::check_labels;

const PACKED: &[u8] = include_bytes!("../../assets/digits.csv.gz");
const PATH: &str = "embedded:digits.csv.gz";
/// The first images are the training part, the other 360 the test part.
const TRAINING_IMAGES: usize = 1437;
const FULL_SCALE: u8 = 16;

/// Reads one part.
pub(crate) fn load(part: Part, files: &mut Vec<FileRecord>) -> Result<Images> {
    let record = FileRecord::of(PATH, PACKED);
    if !files.contains(&record) {
        files.push(record);
    }
    let text = unpack(Path::new(PATH), PACKED, 1 << 20)?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines();
    let lines: Vec<&str> = match part {
        Part::Train => lines.take(TRAINING_IMAGES).collect(),
        Part::Test => lines.skip(TRAINING_IMAGES).collect(),
    };
    let mut pixels = Vec::with_capacity(lines.len() * 64);
    let mut labels = Vec::with_capacity(lines.len());
    for line in lines {
        let values: Vec<u8> = line.split(',').filter_map(|value| value.trim().parse().ok()).collect();
        match values.split_last() {
            Some((&label, image)) if image.len() == 64 => {
                pixels.extend_from_slice(image);
                labels.push(i64::from(label));
            }
            _ => return Err(Error::content(PATH, "holds a line of other than 65 numbers")),
        }
    }
    check_labels(&labels, 10, Path::new(PATH))?;
    let class_names = (0..10).map(|digit| digit.to_string()).collect();
    Ok(Images { pixels, labels, shape: [1, 8, 8], classes: 10, class_names, full_scale: FULL_SCALE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_images_are_there() {
        let mut files = Vec::new();
        let train = load(Part::Train, &mut files).unwrap();
        let test = load(Part::Test, &mut files).unwrap();
        assert_eq!((train.len(), test.len(), files.len()), (1437, 360, 1));
        assert!(train.pixels.iter().chain(&test.pixels).all(|&pixel| pixel <= FULL_SCALE));
        let mut counts = [0; 10];
        for &label in train.labels.iter().chain(&test.labels) {
            counts[label as usize] += 1;
        }
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(train.image(0)[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
    }
}
