//! A dataset as a run uses it: its parts, divided, and how their images become batches.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::augment::{Augmentation, Placement};
use crate::batch::{Batch, Layout, Pixels};
use crate::config::{Augment, DataConfig, Portion, RankFrom, ResizeMode};
use crate::data::Seeds;
use crate::error::{Error, Result};
use crate::images::Images;
use crate::listed::{Listed, Making};
use crate::prepare::{Preparation, Scratch};
use crate::random::Key;
use crate::source::{FileRecord, Part, Source, folder};
use crate::split::{self, Indices};

const DEFAULT_BATCH_SIZE: usize = 64;
const DEFAULT_IMAGE_SIZE: usize = 224;
const DEFAULT_UNDECODABLE: f64 = 0.01;

/// Everything of a run's data but given batches.
#[derive(Debug)]
pub(crate) struct Dataset {
    parts: Parts,
    pub(crate) indices: Indices,
    pub(crate) preparation: Preparation,
    augmentation: Augmentation,
    pub(crate) class_names: Vec<String>,
    /// The order that was asked for last, with its seed and epoch: worked out once an epoch, not once a
    /// batch. Nothing but speed depends on it.
    order: Mutex<Option<KnownOrder>>,
}

type KnownOrder = ((u64, usize), Arc<Vec<usize>>);

/// The training part, and the test part where ranking takes its images from there.
#[derive(Debug)]
enum Parts {
    InMemory { train: Images, test: Option<Images> },
    Listed { train: Listed, test: Option<Listed>, threads: usize },
}

impl Dataset {
    /// Reads what `resolved` names, from `folder`, and fills in its defaults.
    pub(crate) fn open(
        resolved: &mut DataConfig,
        source: Source,
        folder: &Path,
        base: &Path,
        files: &mut Vec<FileRecord>,
    ) -> Result<Self> {
        refuse_unfit(resolved, source)?;
        let (parts, class_names) = match source {
            Source::ImageFolder => Parts::list(resolved, folder, files)?,
            _ => Parts::load(resolved, source, folder, files)?,
        };
        let (shape, full_scale) = parts.images(resolved);
        let [train_images, test_images] = parts.lengths();
        let indices = split::divide(resolved, base, train_images, test_images, files)?;
        let batch_size = resolved.batch_size.unwrap_or(DEFAULT_BATCH_SIZE.min(indices.train.len()));
        if batch_size > indices.train.len() {
            let problem = format!("is {batch_size}, but only {} images train", indices.train.len());
            return Err(Error::setting("data.batch_size", problem));
        }
        let normalise = resolved.normalise.clone().unwrap_or_else(|| source.default_normalise());
        normalise.check(shape[0])?;
        let (flip, crop) = source.default_augmentation();
        let augmentation = Augmentation {
            flip: resolved.augment.flip.unwrap_or(flip),
            crop: resolved.augment.crop.unwrap_or(crop),
            cutout: resolved.augment.cutout.unwrap_or(0),
        };
        let preparation =
            Preparation::new(shape, full_scale, &normalise, resolved.resize, resolved.resize_mode);
        resolved.batch_size = Some(batch_size);
        resolved.normalise = Some(normalise);
        resolved.augment = Augment {
            flip: Some(augmentation.flip),
            crop: Some(augmentation.crop),
            cutout: Some(augmentation.cutout),
        };
        let settle = |portion: &mut Option<Portion>, count| match portion {
            Some(Portion::File(path)) => *path = base.join(&path),
            other => *other = Some(Portion::Count(count)),
        };
        settle(&mut resolved.split.train, indices.train.len());
        settle(&mut resolved.split.rank, indices.rank.len());
        Ok(Self { parts, indices, preparation, augmentation, class_names, order: Mutex::default() })
    }

    /// The training images from place `from` of the epoch's order on, at most `count`.
    pub(crate) fn train_batch(
        &self,
        seeds: Seeds,
        layout: Layout,
        (epoch, index): (usize, usize),
        batch_size: usize,
    ) -> Result<Batch> {
        let order = self.order(seeds.data, epoch);
        let from = index * batch_size;
        let chosen = &order[from..(from + batch_size).min(order.len())];
        let key = Key::new(seeds.augmentation, "augmentation");
        let training = Some((self.augmentation, &key, epoch));
        let (pixels, labels) = match &self.parts {
            Parts::InMemory { train, .. } => self.prepared(train, chosen, layout, training),
            Parts::Listed { train, threads, .. } => {
                train.prepared(chosen, self.making(&self.indices.train, layout, *threads, training))?
            }
        };
        Ok(self.batch(pixels, labels, layout, (epoch, index)))
    }

    /// `count` images for ranking, from place `from` on.
    pub(crate) fn rank_batch(
        &self,
        layout: Layout,
        index: usize,
        from: usize,
        count: usize,
    ) -> Result<Batch> {
        let chosen = &self.indices.rank[from..from + count];
        let (pixels, labels) = match &self.parts {
            Parts::InMemory { train, test } => {
                self.prepared(test.as_ref().unwrap_or(train), chosen, layout, None)
            }
            Parts::Listed { train, test, threads } => {
                let making = self.making(&self.indices.rank, layout, *threads, None);
                test.as_ref().unwrap_or(train).prepared(chosen, making)?
            }
        };
        Ok(self.batch(pixels, labels, layout, (0, index)))
    }

    fn batch(
        &self,
        pixels: Vec<f32>,
        labels: Vec<i64>,
        layout: Layout,
        (epoch, index): (usize, usize),
    ) -> Batch {
        let [channels, height, width] = self.preparation.shape;
        let shape = [labels.len(), channels, height, width];
        Batch { images: Pixels::F32(pixels), shape, layout, labels, epoch, index }
    }

    fn making<'a>(
        &'a self,
        side: &'a [usize],
        layout: Layout,
        threads: usize,
        training: Option<(Augmentation, &'a Key, usize)>,
    ) -> Making<'a> {
        Making { side, preparation: &self.preparation, layout, threads, training }
    }

    /// The training images in the order of `epoch`.
    fn order(&self, seed: u64, epoch: usize) -> Arc<Vec<usize>> {
        let mut known = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, order)) = known.as_ref()
            && *of == (seed, epoch)
        {
            return order.clone();
        }
        let mut order = self.indices.train.clone();
        Key::new(seed, "order").stream((epoch as u64, 0)).shuffle(&mut order);
        let order = Arc::new(order);
        *known = Some(((seed, epoch), order.clone()));
        order
    }

    /// Pixels and labels of images in memory.
    fn prepared(
        &self,
        part: &Images,
        chosen: &[usize],
        layout: Layout,
        training: Option<(Augmentation, &Key, usize)>,
    ) -> (Vec<f32>, Vec<i64>) {
        let [channels, height, width] = self.preparation.shape;
        let size = channels * height * width;
        let mut pixels = vec![0.0; chosen.len() * size];
        let mut scratch = Scratch::default();
        for (&image, target) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            let placement = match training {
                Some((augmentation, key, epoch)) if !augmentation.is_off() => {
                    augmentation.draw(&mut key.stream((epoch as u64, image as u64)), height, width)
                }
                _ => Placement::default(),
            };
            self.preparation.write(part.image(image), &placement, layout, &mut scratch, target);
        }
        let labels = chosen.iter().map(|&image| part.labels[image]).collect();
        (pixels, labels)
    }
}

impl Parts {
    fn load(
        config: &DataConfig,
        source: Source,
        folder: &Path,
        files: &mut Vec<FileRecord>,
    ) -> Result<(Self, Vec<String>)> {
        let mut train = source.load(folder, Part::Train, files)?.padded(config.pad);
        let test = match config.rank_from {
            RankFrom::Train => None,
            RankFrom::Test => Some(source.load(folder, Part::Test, files)?.padded(config.pad)),
        };
        check_same_shape(&train, test.as_ref())?;
        let class_names = std::mem::take(&mut train.class_names);
        Ok((Self::InMemory { train, test }, class_names))
    }

    fn list(
        resolved: &mut DataConfig,
        folder: &Path,
        files: &mut Vec<FileRecord>,
    ) -> Result<(Self, Vec<String>)> {
        let share = *resolved.max_undecodable.get_or_insert(DEFAULT_UNDECODABLE);
        resolved.image_size.get_or_insert(DEFAULT_IMAGE_SIZE);
        // Not resolved: the machine's own number is no part of what a run is.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = resolved.workers.unwrap_or(threads);
        let train = folder::list(folder, Part::Train, threads, files)?;
        let test = match resolved.rank_from {
            RankFrom::Train => None,
            RankFrom::Test => Some(folder::list(folder, Part::Test, threads, files)?),
        };
        if let Some(test) = &test {
            folder::check_same_classes(&train, test)?;
        }
        let class_names = train.classes.clone();
        let listed = |listing| Listed::new(listing, share);
        Ok((Self::Listed { train: listed(train), test: test.map(listed), threads }, class_names))
    }

    /// `[C, H, W]` of the images as they are prepared, and the pixel value that counts as 1.0.
    fn images(&self, config: &DataConfig) -> ([usize; 3], u8) {
        match self {
            Self::InMemory { train, .. } => (train.shape, train.full_scale),
            Self::Listed { .. } => {
                let side = config.image_size.unwrap_or(DEFAULT_IMAGE_SIZE);
                ([3, side, side], 255)
            }
        }
    }

    /// The number of images of the training part and of the test part.
    fn lengths(&self) -> [usize; 2] {
        match self {
            Self::InMemory { train, test } => [train.len(), test.as_ref().map_or(0, Images::len)],
            Self::Listed { train, test, .. } => {
                let test = test.as_ref().map_or(0, |test| test.listing().len());
                [train.listing().len(), test]
            }
        }
    }
}

/// Refuses settings that mean nothing for this dataset.
fn refuse_unfit(config: &DataConfig, source: Source) -> Result<()> {
    let name = source.name();
    let files = [
        ("data.image_size", config.image_size.is_some()),
        ("data.workers", config.workers.is_some()),
        ("data.max_undecodable", config.max_undecodable.is_some()),
    ];
    let sizes = [
        ("data.pad", config.pad != 0),
        ("data.resize", config.resize.is_some()),
        ("data.resize_mode", config.resize_mode != ResizeMode::default()),
        ("data.augment.crop", config.augment.crop.is_some_and(|crop| crop != 0)),
    ];
    let (unfit, why) = match source {
        Source::ImageFolder => (&sizes[..], "crops and resizes its images to `image_size`"),
        _ => (&files[..], "has no image files"),
    };
    if config.classes.is_some() {
        return Err(Error::setting("data.classes", format!("is given, but `{name}` has its own classes")));
    }
    match unfit.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((key, _)) => Err(Error::setting(*key, format!("is given, but `{name}` {why}"))),
    }
}

fn check_same_shape(train: &Images, test: Option<&Images>) -> Result<()> {
    match test.filter(|test| test.shape != train.shape) {
        None => Ok(()),
        Some(test) => Err(Error::setting(
            "data.rank_from",
            format!("is `test`, whose images are {:?}, the training images {:?}", test.shape, train.shape),
        )),
    }
}
