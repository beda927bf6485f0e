//! CIFAR-10 in its binary layout: records of a label byte and three planes of 32x32 bytes.

use std::path::{Path, PathBuf};

use super::file::{FileRecord, read};
use super::{Images, Part};
use crate::error::{Error, Result};
use crate::images::check_labels;

const PLANE: usize = 32 * 32;
const RECORD: usize = 1 + 3 * PLANE;
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Whether `folder` holds at least one training file.
pub(crate) fn present(folder: &Path) -> bool {
    !training_files(folder).is_empty()
}

/// Reads one part: all `data_batch_<n>.bin` in the order of their numbers, or `test_batch.bin`.
pub(crate) fn load(folder: &Path, part: Part, files: &mut Vec<FileRecord>) -> Result<Images> {
    let paths = match part {
        Part::Train => training_files(folder),
        Part::Test => vec![folder.join("test_batch.bin")],
    };
    let mut images = Images {
        pixels: Vec::new(),
        labels: Vec::new(),
        shape: [3, 32, 32],
        classes: CLASSES.len(),
        class_names: CLASSES.iter().map(|&name| name.to_owned()).collect(),
        full_scale: 255,
    };
    for path in paths {
        append(&mut images, &path, &read(&path, files)?)?;
    }
    Ok(images)
}

fn training_files(folder: &Path) -> Vec<PathBuf> {
    let mut numbered: Vec<(u64, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("data_batch_")?.strip_suffix(".bin")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

fn append(images: &mut Images, path: &Path, content: &[u8]) -> Result<()> {
    if content.is_empty() || !content.len().is_multiple_of(RECORD) {
        let whole = content.len().div_ceil(RECORD).max(1) * RECORD;
        return Err(Error::Size {
            path: path.to_owned(),
            found: content.len() as u64,
            expected: format!("{whole} or another multiple of {RECORD} (a CIFAR-10 record)"),
            unpacked: false,
        });
    }
    let records = content.chunks_exact(RECORD);
    let labels: Vec<i64> = records.clone().map(|record| i64::from(record[0])).collect();
    check_labels(&labels, CLASSES.len(), path)?;
    images.labels.extend(labels);
    images.pixels.reserve(content.len());
    for record in records {
        let (red, others) = record[1..].split_at(PLANE);
        let (green, blue) = others.split_at(PLANE);
        for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
            images.pixels.extend([red, green, blue]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: u8, first: [u8; 3]) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[0] = label;
        for (channel, value) in first.into_iter().enumerate() {
            record[1 + channel * PLANE] = value;
        }
        record
    }

    #[test]
    fn any_number_of_files_is_read_in_the_order_of_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for (number, label) in [(1, 3), (2, 4), (10, 5)] {
            let name = format!("data_batch_{number}.bin");
            std::fs::write(folder.path().join(name), record(label, [label, 8, 9])).unwrap();
        }
        let mut files = Vec::new();
        let images = load(folder.path(), Part::Train, &mut files).unwrap();
        assert_eq!(images.labels, [3, 4, 5]);
        assert_eq!(images.image(2)[..4], [5, 8, 9, 0]);
        assert_eq!(files.len(), 3);
        let absent = load(folder.path(), Part::Test, &mut files).unwrap_err();
        assert!(absent.to_string().contains("test_batch.bin"));
    }

    #[test]
    fn a_truncated_file_is_told_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data_batch_1.bin");
        std::fs::write(&path, &record(0, [0; 3])[..3000]).unwrap();
        let message = load(folder.path(), Part::Train, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "`{}` has 3000 bytes, expected 3073 or another multiple of 3073 (a CIFAR-10 record)",
                path.display()
            )
        );
        std::fs::write(&path, []).unwrap();
        assert!(load(folder.path(), Part::Train, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_label_out_of_range_is_told_with_its_image() {
        let folder = tempfile::tempdir().unwrap();
        let content = [record(9, [0; 3]), record(10, [0; 3])].concat();
        std::fs::write(folder.path().join("data_batch_1.bin"), content).unwrap();
        let message = load(folder.path(), Part::Train, &mut Vec::new()).unwrap_err().to_string();
        assert!(message.ends_with("gives image 1 the label 10, expected 0 to 9"), "{message}");
    }

    #[test]
    fn real_files_are_read_where_there_are_any() {
        let Some(folder) = std::env::var_os("NSHOT_TEST_CIFAR10").map(PathBuf::from) else {
            println!("skipped: NSHOT_TEST_CIFAR10 names no folder with CIFAR-10");
            return;
        };
        let mut files = Vec::new();
        for part in [Part::Train, Part::Test] {
            let images = load(&folder, part, &mut files).unwrap();
            let mean = |channel: usize| {
                let values = images.pixels.iter().skip(channel).step_by(3);
                values.map(|&value| f64::from(value)).sum::<f64>() / (images.len() * PLANE) as f64
            };
            for (channel, expected) in [125.3, 123.0, 113.9].into_iter().enumerate() {
                assert!((mean(channel) - expected).abs() < 3.0, "channel {channel}: {}", mean(channel));
            }
            assert!((0..10).all(|class| images.labels.contains(&class)));
        }
    }
}
