//! Tests of [`Data`] as a whole, on the embedded digits and on small files made here.

use safetensors::tensor::Dtype;

use super::*;
use crate::batch::Pixels;
use crate::config::Portion;
use crate::source::batches::tests::{f64_bytes, i64_bytes, write};

const SEEDS: Seeds = Seeds { data: 1, augmentation: 2 };

fn open(text: &str) -> Result<Data> {
    Data::open(&toml::from_str(text).unwrap(), Path::new("."))
}

fn numbers(batch: &Batch) -> &[f32] {
    match &batch.images {
        Pixels::F32(values) => values,
        Pixels::F64(_) => panic!("expected f32"),
    }
}

#[test]
fn the_name_alone_is_enough() {
    let data = open("name = 'digits'").unwrap();
    assert_eq!((data.input_shape(), data.classes(), data.batch_size()), ([1, 8, 8], 10, 64));
    assert_eq!((data.train_len(), data.rank_len(), data.batches_per_epoch()), (1150, 287, 18));
    assert_eq!(data.files().len(), 1);
    assert_eq!(data.files()[0].sha256, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
}

#[test]
fn resolved_settings_open_the_same_data() {
    let data = open("rank_from = 'test'\nresize = 12\naugment = { crop = 1 }").unwrap();
    let written = toml::to_string(data.resolved()).unwrap();
    let again = open(&written).unwrap();
    assert_eq!(again.resolved(), data.resolved());
    let batch = |data: &Data| data.batch(SEEDS, Layout::Nhwc, 2, 3).unwrap();
    assert_eq!(batch(&data), batch(&again));
    assert_eq!(data.rank_len(), 360);
}

/// Each image is told from the others by its numbers, so an epoch can be checked from outside.
#[test]
fn every_image_comes_once_an_epoch_in_a_new_order() {
    let data = open("batch_size = 100").unwrap();
    let epoch = |epoch| {
        let mut images = Vec::new();
        for index in 0..data.batches_per_epoch() {
            let batch = data.batch(SEEDS, Layout::Nchw, epoch, index).unwrap();
            assert_eq!(batch.shape[0], if index < 11 { 100 } else { 50 });
            for (image, label) in numbers(&batch).chunks(64).zip(&batch.labels) {
                images.push((image.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), *label));
            }
        }
        images
    };
    let (mut first, mut second) = (epoch(0), epoch(1));
    assert_ne!(first, second);
    first.sort();
    second.sort();
    assert_eq!(first, second);
    let distinct = first.len();
    first.dedup();
    assert_eq!((distinct, first.len()), (1150, 1150));
}

#[test]
fn a_batch_depends_on_its_arguments_alone() {
    let text = "augment = { flip = true, crop = 2, cutout = 3 }";
    let (data, other) = (open(text).unwrap(), open(text).unwrap());
    let batch = |data: &Data, seeds, epoch| data.batch(seeds, Layout::Nchw, epoch, 4).unwrap();
    let expected = batch(&data, SEEDS, 3);
    batch(&other, SEEDS, 0);
    assert_eq!(batch(&other, SEEDS, 3), expected);
    assert_ne!(batch(&data, SEEDS, 2).images, expected.images);
    let reaugmented = batch(&data, Seeds { augmentation: 9, ..SEEDS }, 3);
    assert_eq!(reaugmented.labels, expected.labels);
    assert_ne!(reaugmented.images, expected.images);
    assert_ne!(batch(&data, Seeds { data: 9, ..SEEDS }, 3).labels, expected.labels);
}

/// Another batch size regroups the same images: their augmentation goes by image, not by place.
#[test]
fn augmentation_does_not_depend_on_the_batch_size() {
    let text = "augment = { flip = true, crop = 2 }\nbatch_size = ";
    let large = open(&format!("{text}10")).unwrap().batch(SEEDS, Layout::Nchw, 0, 0).unwrap();
    let small = open(&format!("{text}5")).unwrap().batch(SEEDS, Layout::Nchw, 0, 1).unwrap();
    assert_eq!(numbers(&large)[5 * 64..], *numbers(&small));
}

#[test]
fn the_last_batch_can_be_dropped() {
    let data = open("batch_size = 100\ndrop_last = true").unwrap();
    assert_eq!(data.batches_per_epoch(), 11);
    let error = data.batch(SEEDS, Layout::Nchw, 0, 11).unwrap_err();
    assert_eq!(error.to_string(), "batch 11 was asked for, there are 11");
}

#[test]
fn padding_and_resizing_change_the_input_shape() {
    assert_eq!(open("pad = 2").unwrap().input_shape(), [1, 12, 12]);
    let data = open("pad = 2\nresize = [16, 24]").unwrap();
    assert_eq!(data.input_shape(), [1, 16, 24]);
    let batch = data.batch(SEEDS, Layout::Nhwc, 0, 0).unwrap();
    assert_eq!((batch.shape, batch.images.len()), ([64, 1, 16, 24], 64 * 16 * 24));
    let black = ((0.0 - 0.3054) / 0.3755) as f32;
    assert!((numbers(&batch)[0] - black).abs() < 1e-6);
}

#[test]
fn ranking_batches_are_fixed_and_limited() {
    let data = open("augment = { flip = true }").unwrap();
    let batches = |images| {
        let batches = data.rank_batches(100, images, Layout::Nchw).unwrap();
        batches.map(Result::unwrap).map(|b| (b.labels.clone(), numbers(&b).to_vec())).collect::<Vec<_>>()
    };
    let all = batches(None);
    assert_eq!(all.iter().map(|batch| batch.0.len()).collect::<Vec<_>>(), [100, 100, 87]);
    assert_eq!(batches(None), all);
    let some = batches(Some(150));
    assert_eq!((some.len(), some[1].0.len()), (2, 50));
    assert_eq!(some[1].1, all[1].1[..50 * 64]);
    for (size, images, key) in [(0, None, "rank.batch_size"), (1, Some(288), "rank.images")] {
        assert_eq!(data.rank_batches(size, images, Layout::Nchw).unwrap_err().key(), Some(key));
    }
}

#[test]
fn settings_that_do_not_fit_name_their_key() {
    for (text, key) in [
        ("name = 'minst'", "data.name"),
        ("path = 'x'", "data.path"),
        ("classes = 3", "data.classes"),
        ("image_size = 32", "data.image_size"),
        ("workers = 2", "data.workers"),
        ("max_undecodable = 0.1", "data.max_undecodable"),
        ("name = 'image-folder'", "data.path"),
        ("name = 'image-folder'\npath = 'x'\npad = 2", "data.pad"),
        ("name = 'image-folder'\npath = 'x'\nresize = 2", "data.resize"),
        ("name = 'image-folder'\npath = 'x'\nresize_mode = 'nearest'", "data.resize_mode"),
        ("name = 'image-folder'\npath = 'x'\naugment = { crop = 2 }", "data.augment.crop"),
        ("batch_size = 1151", "data.batch_size"),
        ("split = { train = 2000 }", "data.split.train"),
        ("normalise = { mean = [0.0, 0.0], std = [1.0, 1.0] }", "data.normalise.mean"),
        ("name = 'batches'", "data.path"),
    ] {
        assert_eq!(open(text).unwrap_err().key(), Some(key), "{text}");
    }
    let message = open("batch_size = 1151").unwrap_err().to_string();
    assert_eq!(message, "`data.batch_size` is 1151, but only 1150 images train");
}

#[test]
fn index_files_are_among_the_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.txt"), "3\n1\n2\n").unwrap();
    let config = toml::from_str("split = { train = 'train.txt' }").unwrap();
    let data = Data::open(&config, folder.path()).unwrap();
    assert_eq!((data.train_len(), data.rank_len(), data.batch_size()), (3, 1434, 3));
    assert_eq!(data.files()[1].path, folder.path().join("train.txt"));
    assert_eq!(data.resolved().split.train, Some(Portion::File(folder.path().join("train.txt"))));
}

#[test]
fn given_batches_come_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let first: Vec<f64> = (0..12).map(|value| f64::from(value) / 3.0).collect();
    write(
        &folder.path().join("given.safetensors"),
        &[
            ("batch.0.images", Dtype::F64, &[2, 2, 1, 3], f64_bytes(first.clone())),
            ("batch.0.labels", Dtype::I64, &[2], i64_bytes(&[4, 0])),
            ("batch.1.images", Dtype::F64, &[1, 2, 1, 3], f64_bytes([0.5; 6])),
            ("batch.1.labels", Dtype::I64, &[1], i64_bytes(&[2])),
            ("weight", Dtype::F64, &[1], f64_bytes([7.0])),
        ],
    );
    let open = |text: &str| {
        let text = format!("name = 'batches'\npath = 'given.safetensors'\n{text}");
        Data::open(&toml::from_str(&text).unwrap(), folder.path())
    };
    let data = open("").unwrap();
    assert_eq!((data.input_shape(), data.classes(), data.train_len()), ([2, 1, 3], 5, 3));
    assert_eq!((data.batches_per_epoch(), data.batch_size()), (2, 2));
    let batch = data.batch(SEEDS, Layout::Nchw, 5, 0).unwrap();
    assert_eq!((batch.images, batch.labels), (Pixels::F64(first), vec![4, 0]));
    let ranked: Vec<_> =
        data.rank_batches(256, None, Layout::Nchw).unwrap().map(|b| b.unwrap().labels).collect();
    assert_eq!(ranked, [vec![4, 0], vec![2]]);
    let limited: Vec<_> =
        data.rank_batches(256, Some(1), Layout::Nchw).unwrap().map(|b| b.unwrap().shape).collect();
    assert_eq!(limited, [[1, 2, 1, 3]]);

    assert_eq!(open("classes = 10").unwrap().classes(), 10);
    assert!(open("classes = 3").unwrap_err().to_string().contains("the label 4, expected 0 to 2"));
    assert_eq!(open("batch_size = 3").unwrap_err().key(), Some("data.batch_size"));
    assert_eq!(open("augment = { flip = true }").unwrap_err().key(), Some("data.augment"));
    assert_eq!(open("split = { train = 1 }").unwrap_err().key(), Some("data.split"));
    let resolved = open("").unwrap().resolved().clone();
    assert_eq!(Data::open(&resolved, Path::new("/nowhere")).unwrap().resolved(), &resolved);
}
