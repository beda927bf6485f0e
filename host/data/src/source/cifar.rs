//! CIFAR-10 and CIFAR-100 in their binary layout: records of a label byte (CIFAR-100: a coarse and a fine
//! one) and three planes of 32x32 bytes.

use std::path::{Path, PathBuf};

use super::file::{FileRecord, read};
use super::{Images, Part};
use crate::error::{Error, Result};
use crate::images::check_labels;

const PLANE: usize = 32 * 32;
const CLASSES_10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// The fine classes, in the order of their labels.
const CLASSES_100: &str = "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy \
    bridge bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch \
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard \
    lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree \
    orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit \
    raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel \
    streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip \
    turtle wardrobe whale willow_tree wolf woman worm";

/// Which of the two datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cifar10,
    /// Its records begin with a coarse label, which is passed over; the fine one counts.
    Cifar100,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Cifar10 => "CIFAR-10",
            Self::Cifar100 => "CIFAR-100",
        }
    }

    fn classes(self) -> Vec<String> {
        match self {
            Self::Cifar10 => CLASSES_10.iter().map(|&name| name.to_owned()).collect(),
            Self::Cifar100 => CLASSES_100.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// The bytes before the pixels; the last is the label.
    fn label_bytes(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }

    /// The folder that the usual archive unpacks to.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar-10-batches-bin",
            Self::Cifar100 => "cifar-100-binary",
        }
    }

    /// Whether `folder` holds at least one training file.
    pub(crate) fn present(self, folder: &Path) -> bool {
        match self {
            Self::Cifar10 => !training_files(folder).is_empty(),
            Self::Cifar100 => folder.join("train.bin").is_file(),
        }
    }
}

/// Reads one part: of CIFAR-10 all `data_batch_<n>.bin` from 1 in the order of their numbers, or
/// `test_batch.bin`; of CIFAR-100 `train.bin` or `test.bin`.
pub(crate) fn load(kind: Kind, folder: &Path, part: Part, files: &mut Vec<FileRecord>) -> Result<Images> {
    let paths = match (kind, part) {
        (Kind::Cifar10, Part::Train) => training_files(folder),
        (Kind::Cifar10, Part::Test) => vec![folder.join("test_batch.bin")],
        (Kind::Cifar100, Part::Train) => vec![folder.join("train.bin")],
        (Kind::Cifar100, Part::Test) => vec![folder.join("test.bin")],
    };
    let class_names = kind.classes();
    let mut images = Images {
        pixels: Vec::new(),
        labels: Vec::new(),
        shape: [3, 32, 32],
        classes: class_names.len(),
        class_names,
        full_scale: 255,
    };
    for path in paths {
        append(kind, &mut images, &path, &read(&path, files)?)?;
    }
    Ok(images)
}

/// `data_batch_1.bin` to the last one that is there: one missing between them is an error, not a smaller dataset.
fn training_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let last = entries.filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("data_batch_")?.strip_suffix(".bin")?.parse::<u16>().ok()
    });
    let numbers = 1..=last.max().unwrap_or(0);
    numbers.map(|number| folder.join(format!("data_batch_{number}.bin"))).collect()
}

fn append(kind: Kind, images: &mut Images, path: &Path, content: &[u8]) -> Result<()> {
    let label_bytes = kind.label_bytes();
    let size = label_bytes + 3 * PLANE;
    if content.is_empty() || !content.len().is_multiple_of(size) {
        let whole = content.len().div_ceil(size).max(1) * size;
        return Err(Error::Size {
            path: path.to_owned(),
            found: content.len() as u64,
            expected: format!("{whole} or another multiple of {size} (a {} record)", kind.name()),
            unpacked: false,
        });
    }
    let records = content.chunks_exact(size);
    let labels: Vec<i64> = records.clone().map(|record| i64::from(record[label_bytes - 1])).collect();
    check_labels(&labels, images.classes, path)?;
    images.labels.extend(labels);
    images.pixels.reserve(content.len());
    for record in records {
        images.push_planes(&record[label_bytes..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: u8, first: [u8; 3]) -> Vec<u8> {
        let mut record = vec![0; 3073];
        record[0] = label;
        for (channel, value) in first.into_iter().enumerate() {
            record[1 + channel * PLANE] = value;
        }
        record
    }

    #[test]
    fn any_number_of_files_is_read_in_the_order_of_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let batch = |number: u8| folder.path().join(format!("data_batch_{number}.bin"));
        for number in 1..=10 {
            std::fs::write(batch(number), record(number - 1, [number, 8, 9])).unwrap();
        }
        let mut files = Vec::new();
        let images = load(Kind::Cifar10, folder.path(), Part::Train, &mut files).unwrap();
        assert_eq!(images.labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(images.image(9)[..4], [10, 8, 9, 0]);
        assert_eq!(files.len(), 10);
        std::fs::remove_file(batch(3)).unwrap();
        let gap = load(Kind::Cifar10, folder.path(), Part::Train, &mut files).unwrap_err();
        assert!(gap.to_string().contains("data_batch_3.bin"), "{gap}");
        let absent = load(Kind::Cifar10, folder.path(), Part::Test, &mut files).unwrap_err();
        assert!(absent.to_string().contains("test_batch.bin"));
    }

    #[test]
    fn the_fine_label_of_cifar_100_counts() {
        let folder = tempfile::tempdir().unwrap();
        // The second byte of `record` is the label where the first is the coarse one.
        let image = |coarse, fine, first: [u8; 3]| [vec![coarse], record(fine, first)].concat();
        let train = [image(19, 99, [1, 2, 3]), image(0, 4, [5, 6, 7])].concat();
        std::fs::write(folder.path().join("train.bin"), &train).unwrap();
        std::fs::write(folder.path().join("test.bin"), image(3, 100, [0; 3])).unwrap();
        let load = |part| load(Kind::Cifar100, folder.path(), part, &mut Vec::new());
        let images = load(Part::Train).unwrap();
        assert_eq!((&images.labels[..], images.classes), (&[99, 4][..], 100));
        assert_eq!(images.image(1)[..4], [5, 6, 7, 0]);
        assert_eq!((images.class_names[0].as_str(), images.class_names[99].as_str()), ("apple", "worm"));
        let message = load(Part::Test).unwrap_err().to_string();
        assert!(message.ends_with("gives image 0 the label 100, expected 0 to 99"), "{message}");
        std::fs::write(folder.path().join("train.bin"), &train[1..]).unwrap();
        let message = load(Part::Train).unwrap_err().to_string();
        assert!(
            message
                .ends_with("has 6147 bytes, expected 6148 or another multiple of 3074 (a CIFAR-100 record)")
        );
    }

    #[test]
    fn a_truncated_file_is_told_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data_batch_1.bin");
        std::fs::write(&path, &record(0, [0; 3])[..3000]).unwrap();
        let message =
            load(Kind::Cifar10, folder.path(), Part::Train, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "`{}` has 3000 bytes, expected 3073 or another multiple of 3073 (a CIFAR-10 record)",
                path.display()
            )
        );
        std::fs::write(&path, []).unwrap();
        assert!(load(Kind::Cifar10, folder.path(), Part::Train, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_label_out_of_range_is_told_with_its_image() {
        let folder = tempfile::tempdir().unwrap();
        let content = [record(9, [0; 3]), record(10, [0; 3])].concat();
        std::fs::write(folder.path().join("data_batch_1.bin"), content).unwrap();
        let message =
            load(Kind::Cifar10, folder.path(), Part::Train, &mut Vec::new()).unwrap_err().to_string();
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
            let images = load(Kind::Cifar10, &folder, part, &mut files).unwrap();
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
