use std::path::Path;

use crate::decode::tests::png_of;
use crate::{Batch, Data, DataConfig, Error, Layout, Pixels, Result, Seeds};

const SEEDS: Seeds = Seeds { data: 1, augmentation: 2 };

/// Two classes of ten images each in `train`, two of three in `val`. Image i of a part is 12 by 9 + i
/// pixels, its red 10 i at the left and 10 i + 5 at the right.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (part, each) in [("train", 10), ("val", 3)] {
        for index in 0..2 * each {
            let class = folder.path().join(part).join(["ant", "bee"][index / each]);
            std::fs::create_dir_all(&class).unwrap();
            std::fs::write(class.join(format!("{:02}.png", index % each)), image(index)).unwrap();
        }
    }
    folder
}

fn image(index: usize) -> Vec<u8> {
    let width = 9 + index;
    let red = |at: usize| 10 * index as u8 + 5 * u8::from(at % width >= width / 2);
    let pixels: Vec<u8> = (0..12 * width).flat_map(|at| [red(at), 0, 255]).collect();
    png_of(&pixels, [12, width as u32], png::ColorType::Rgb, png::BitDepth::Eight)
}

fn open(folder: &Path, text: &str) -> Result<Data> {
    let plain = "normalise = { mean = [0.0, 0.0, 0.0], std = [0.00392156862745098, 1.0, 1.0] }";
    let text = format!("name = 'image-folder'\npath = '.'\nimage_size = 6\n{plain}\n{text}");
    let config: DataConfig = toml::from_str(&text).unwrap();
    Data::open(&config, folder)
}

/// The red of the upper left and of the upper right corner of each image, rounded.
fn corners(batch: &Batch) -> Vec<[u8; 2]> {
    let Pixels::F32(values) = &batch.images else { panic!("expected f32") };
    assert_eq!((batch.layout, &batch.shape[1..]), (Layout::Nchw, &[3, 6, 6][..]));
    values.chunks(108).map(|image| [image[0].round() as u8, image[5].round() as u8]).collect()
}

fn epoch(data: &Data, epoch: usize) -> Vec<Batch> {
    let batch = |index| data.batch(SEEDS, Layout::Nchw, epoch, index).unwrap();
    (0..data.batches_per_epoch()).map(batch).collect()
}

fn ranking(data: &Data) -> Vec<Batch> {
    data.rank_batches(4, None, Layout::Nchw).unwrap().map(Result::unwrap).collect()
}

#[test]
fn nothing_depends_on_the_number_of_workers() {
    let folder = folder();
    std::fs::write(folder.path().join("train/bee/03.png"), b"\x89PNG no more").unwrap();
    let text = "batch_size = 7\nmax_undecodable = 0.1\naugment = { cutout = 2 }\nworkers = ";
    let one = open(folder.path(), &format!("{text}1")).unwrap();
    let expected = (epoch(&one, 0), epoch(&one, 1), ranking(&one));
    for workers in [2, 3, 8] {
        let data = open(folder.path(), &format!("{text}{workers}")).unwrap();
        // Another order of asking, too.
        let (second, ranked) = (epoch(&data, 1), ranking(&data));
        assert!((epoch(&data, 0), second, ranked) == expected, "{workers} workers");
        assert_eq!(data.files(), one.files());
    }
    assert_ne!(corners(&expected.0[0]), corners(&expected.1[0]));
}

#[test]
fn every_image_comes_once_an_epoch_with_its_label() {
    let folder = folder();
    let data = open(folder.path(), "split = { rank = 0 }\nbatch_size = 8").unwrap();
    assert_eq!((data.input_shape(), data.classes(), data.train_len()), ([3, 6, 6], 2, 20));
    assert_eq!(data.class_names(), ["ant", "bee"]);
    let mut seen = Vec::new();
    for batch in epoch(&data, 3) {
        for (corners, label) in corners(&batch).into_iter().zip(&batch.labels) {
            let index = corners[0].min(corners[1]) / 10;
            assert_eq!(i64::from(index / 10), *label);
            seen.push(index);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[test]
fn training_mirrors_and_moves_and_ranking_shows_the_centre() {
    let folder = folder();
    let data = open(folder.path(), "rank_from = 'test'\nbatch_size = 20").unwrap();
    assert_eq!((data.train_len(), data.rank_len()), (20, 6));
    let (mut mirrored, mut moved) = (0, 0);
    for round in 0..20 {
        for [left, right] in corners(&epoch(&data, round)[0]) {
            mirrored += u32::from(left > right);
            moved += u32::from(left == right);
        }
    }
    // Half of those that show both halves.
    assert!(mirrored > 80 && mirrored < 200 && moved > 40, "{mirrored} {moved}");
    let mut ranked: Vec<[u8; 2]> = ranking(&data).iter().flat_map(corners).collect();
    ranked.sort_unstable();
    assert_eq!(ranked, (0..6).map(|index| [10 * index, 10 * index + 5]).collect::<Vec<_>>());
    assert!(ranking(&data) == ranking(&data));
    let still = open(folder.path(), "batch_size = 16\naugment = { flip = false }").unwrap();
    assert!(corners(&epoch(&still, 0)[0]).iter().all(|[left, right]| left <= right));
}

#[test]
fn another_image_of_the_same_side_takes_the_place_of_one_that_does_not_decode() {
    let folder = folder();
    std::fs::write(folder.path().join("train/ant/04.png"), b"").unwrap();
    std::fs::write(folder.path().join("train/ant/05.png"), b"GIF89a").unwrap();
    std::fs::write(folder.path().join("rank.txt"), "4\n12\n13\n").unwrap();
    let text = "split = { rank = 'rank.txt' }\nbatch_size = 17\nmax_undecodable = ";
    let data = open(folder.path(), &format!("{text}0.1")).unwrap();
    let images =
        |batch: &Batch| corners(batch).iter().map(|c| u32::from(c[0].min(c[1]) / 10)).collect::<Vec<_>>();
    let shown = images(&epoch(&data, 0)[0]);
    let repeated: Vec<u32> =
        (0..20).filter(|own| shown.iter().filter(|other| *other == own).count() == 2).collect();
    assert_eq!((shown.len(), repeated.len(), shown.contains(&5)), (17, 1, false));
    assert!(![4, 12, 13].contains(&repeated[0]));
    let later = images(&epoch(&data, 1)[0]);
    assert_eq!(later.iter().filter(|&other| *other == repeated[0]).count(), 2);
    let ranked = &ranking(&data)[0];
    let ranked_images = images(ranked);
    assert!([12, 13].contains(&ranked_images[0]) && ranked_images[1..] == [12, 13]);
    assert_eq!(ranked.labels, [1, 1, 1]);

    let strict = open(folder.path(), &format!("{text}0.05")).unwrap();
    assert!(strict.rank_batches(3, None, Layout::Nchw).unwrap().all(|batch| batch.is_ok()));
    let error = strict.batch(SEEDS, Layout::Nchw, 0, 0).unwrap_err();
    assert_eq!(error.key(), Some("data.max_undecodable"));
    let message = error.to_string();
    assert!(message.contains("is 0.05, but 2 of the 20 images in"), "{message}");
    assert!(message.contains("05.png`: it begins neither as a JPEG nor as a PNG"), "{message}");
    let none = open(folder.path(), &format!("{text}0.0")).unwrap();
    let mut batches = none.rank_batches(1, None, Layout::Nchw).unwrap();
    assert_eq!(batches.next().unwrap().unwrap_err().key(), Some("data.max_undecodable"));
    assert!(batches.next().is_none());
}

#[test]
fn a_file_that_is_gone_is_an_error() {
    let folder = folder();
    let data = open(folder.path(), "split = { rank = 0 }\nbatch_size = 20\nmax_undecodable = 0.5").unwrap();
    std::fs::remove_file(folder.path().join("train/bee/00.png")).unwrap();
    match data.batch(SEEDS, Layout::Nchw, 0, 0) {
        Err(Error::Unreadable { path, .. }) => assert!(path.ends_with("train/bee/00.png")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn resolved_settings_open_the_same_data() {
    let folder = folder();
    let data = open(folder.path(), "").unwrap();
    let resolved = data.resolved();
    assert_eq!(
        (resolved.image_size, resolved.max_undecodable, resolved.workers),
        (Some(6), Some(0.01), None)
    );
    let written = toml::to_string(resolved).unwrap();
    let again = Data::open(&toml::from_str(&written).unwrap(), Path::new("/nowhere")).unwrap();
    assert_eq!(again.resolved(), resolved);
    assert!(epoch(&again, 2) == epoch(&data, 2));
    let config = DataConfig { name: "image-folder".into(), path: Some(".".into()), ..DataConfig::default() };
    let plain = Data::open(&config, folder.path()).unwrap();
    assert_eq!(plain.input_shape(), [3, 224, 224]);
}
