//! A run's data: what `[data]` names, read, checked, divided, and served in batches.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::augment::{Augmentation, Placement};
use crate::batch::{Batch, Layout, Pixels};
use crate::config::{Augment, DataConfig, Portion, RankFrom};
use crate::error::{Error, Result};
use crate::images::Images;
use crate::prepare::{Preparation, Scratch};
use crate::random::Key;
use crate::source::batches::{self, GivenBatches};
use crate::source::{FileRecord, Part, Source};
use crate::split::{self, Indices};

const DEFAULT_BATCH_SIZE: usize = 64;

/// The seeds that the order and the augmentation of training images depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Of the order of the images in each epoch.
    pub data: u64,
    /// Of flips, crops and cutouts.
    pub augmentation: u64,
}

/// All data of a run, in memory. Share it between threads in an [`Arc`].
#[derive(Debug)]
pub struct Data {
    resolved: DataConfig,
    files: Vec<FileRecord>,
    batch_size: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Dataset(Box<Dataset>),
    Given(GivenBatches),
}

#[derive(Debug)]
struct Dataset {
    train: Images,
    /// Where ranking takes its images from another part than training.
    test: Option<Images>,
    indices: Indices,
    preparation: Preparation,
    augmentation: Augmentation,
    /// The order that was asked for last, with its seed and epoch: worked out once an epoch, not once a
    /// batch. Nothing but speed depends on it.
    order: Mutex<Option<KnownOrder>>,
}

type KnownOrder = ((u64, usize), Arc<Vec<usize>>);

impl Data {
    /// Reads and checks everything that `config` names; `base` is the folder that its relative paths start
    /// from, the manifest's.
    ///
    /// # Errors
    /// A setting out of range or unfit for the dataset (with its key), a dataset that is not found, a file
    /// that is absent, cut short or wrong inside.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self> {
        config.check()?;
        let source = Source::named(&config.name)?;
        // Absolute, so that the resolved settings mean the same from any folder.
        let base = &std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
        let path = config.path.as_ref().map(|path| base.join(path));
        let folder = source.find(path.as_deref())?;
        let mut resolved = config.clone();
        resolved.path.clone_from(&folder);
        match (source, folder) {
            (Source::Batches, Some(path)) => Self::open_given(resolved, &path),
            (_, folder) => Self::open_dataset(resolved, source, &folder.unwrap_or_default(), base),
        }
    }

    fn open_given(mut resolved: DataConfig, path: &Path) -> Result<Self> {
        refuse_changes(&resolved)?;
        let mut files = Vec::new();
        let given = batches::load(path, resolved.classes, &mut files)?;
        let found = given.batches[0].labels.len();
        if let Some(wanted) = resolved.batch_size.filter(|&wanted| wanted != found) {
            let problem =
                format!("is {wanted}, but the first batch of `{}` has {found} images", path.display());
            return Err(Error::setting("data.batch_size", problem));
        }
        resolved.batch_size = Some(found);
        resolved.classes = Some(given.classes);
        Ok(Self { resolved, files, batch_size: found, content: Content::Given(given) })
    }

    fn open_dataset(mut resolved: DataConfig, source: Source, folder: &Path, base: &Path) -> Result<Self> {
        if resolved.classes.is_some() {
            let problem = format!("is given, but `{}` has its own classes", source.name());
            return Err(Error::setting("data.classes", problem));
        }
        let mut files = Vec::new();
        let train = source.load(folder, Part::Train, &mut files)?.padded(resolved.pad);
        let test = match resolved.rank_from {
            RankFrom::Train => None,
            RankFrom::Test => Some(source.load(folder, Part::Test, &mut files)?.padded(resolved.pad)),
        };
        check_same_shape(&train, test.as_ref())?;
        let test_images = test.as_ref().map_or(0, Images::len);
        let indices = split::divide(&resolved, base, train.len(), test_images, &mut files)?;
        let batch_size = resolved.batch_size.unwrap_or(DEFAULT_BATCH_SIZE.min(indices.train.len()));
        if batch_size > indices.train.len() {
            let problem = format!("is {batch_size}, but only {} images train", indices.train.len());
            return Err(Error::setting("data.batch_size", problem));
        }
        let normalise = resolved.normalise.clone().unwrap_or_else(|| source.default_normalise());
        normalise.check(train.shape[0])?;
        let (flip, crop) = source.default_augmentation();
        let augmentation = Augmentation {
            flip: resolved.augment.flip.unwrap_or(flip),
            crop: resolved.augment.crop.unwrap_or(crop),
            cutout: resolved.augment.cutout.unwrap_or(0),
        };
        let preparation = Preparation::new(
            train.shape,
            train.full_scale,
            &normalise,
            resolved.resize,
            resolved.resize_mode,
        );
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
        let dataset = Dataset { train, test, indices, preparation, augmentation, order: Mutex::default() };
        Ok(Self { resolved, files, batch_size, content: Content::Dataset(Box::new(dataset)) })
    }

    /// The settings with every default filled in and every path found; opening them gives the same data.
    pub fn resolved(&self) -> &DataConfig {
        &self.resolved
    }

    /// Every file read, with its hash, for the run's lock.
    pub fn files(&self) -> &[FileRecord] {
        &self.files
    }

    /// `[C, H, W]` of the images as batches hold them.
    pub fn input_shape(&self) -> [usize; 3] {
        match &self.content {
            Content::Dataset(dataset) => dataset.preparation.shape,
            Content::Given(given) => given.shape,
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        match &self.content {
            Content::Dataset(dataset) => dataset.train.classes,
            Content::Given(given) => given.classes,
        }
    }

    /// The name of each class; empty for given batches.
    pub fn class_names(&self) -> &[String] {
        match &self.content {
            Content::Dataset(dataset) => &dataset.train.class_names,
            Content::Given(_) => &[],
        }
    }

    /// Images in a training batch (of given batches: in the first).
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The number of images that train.
    pub fn train_len(&self) -> usize {
        match &self.content {
            Content::Dataset(dataset) => dataset.indices.train.len(),
            Content::Given(given) => given.images(),
        }
    }

    /// The number of images that rank.
    pub fn rank_len(&self) -> usize {
        match &self.content {
            Content::Dataset(dataset) => dataset.indices.rank.len(),
            Content::Given(given) => given.images(),
        }
    }

    /// The number of batches in an epoch, at least 1.
    pub fn batches_per_epoch(&self) -> usize {
        match &self.content {
            Content::Dataset(_) if self.resolved.drop_last => self.train_len() / self.batch_size,
            Content::Dataset(_) => self.train_len().div_ceil(self.batch_size),
            Content::Given(given) => given.batches.len(),
        }
    }

    /// Batch `index` of `epoch`, both from 0: a pure function of its arguments.
    ///
    /// Each epoch has its own order, in which every image comes once; an image's augmentation depends on the seed, the epoch and
    /// the image. Given batches come as they are, the same in every epoch.
    ///
    /// # Errors
    /// An index beyond the epoch.
    pub fn batch(&self, seeds: Seeds, layout: Layout, epoch: usize, index: usize) -> Result<Batch> {
        let count = self.batches_per_epoch();
        if index >= count {
            return Err(Error::OutOfRange { what: "batch", index, count });
        }
        match &self.content {
            Content::Given(given) => Ok(given.batch(index, usize::MAX, layout, epoch)),
            Content::Dataset(dataset) => {
                let order = dataset.order(seeds.data, epoch);
                let from = index * self.batch_size;
                let chosen = &order[from..(from + self.batch_size).min(order.len())];
                let key = Key::new(seeds.augmentation, "augmentation");
                let [_, height, width] = dataset.preparation.shape;
                let place = |image: usize| match dataset.augmentation {
                    augmentation if augmentation.is_off() => Placement::default(),
                    augmentation => {
                        augmentation.draw(&mut key.stream((epoch as u64, image as u64)), height, width)
                    }
                };
                let (images, shape, labels) = dataset.prepared(&dataset.train, chosen, layout, place);
                Ok(Batch { images, shape, layout, labels, epoch, index })
            }
        }
    }

    /// The batches for ranking: the same images in the same order every time, without augmentation.
    ///
    /// `images` takes only the first so many; the last batch may be smaller. Given batches keep their own
    /// sizes.
    ///
    /// # Errors
    /// No image to rank on, a batch size of 0, more images than there are.
    pub fn rank_batches(
        &self,
        batch_size: usize,
        images: Option<usize>,
        layout: Layout,
    ) -> Result<RankBatches<'_>> {
        if batch_size == 0 {
            return Err(Error::setting("rank.batch_size", "is 0, expected at least 1"));
        }
        let available = self.rank_len();
        let images = images.unwrap_or(available);
        if images > available || images == 0 {
            let problem = format!("is {images}, expected 1 to {available}, the images held for ranking");
            return Err(Error::setting("rank.images", problem).with_hint("see `split` in `[data]`"));
        }
        Ok(RankBatches { data: self, batch_size, left: images, next: 0, layout })
    }
}

/// The batches for ranking, in order; made by [`Data::rank_batches`].
#[derive(Clone, Debug)]
pub struct RankBatches<'a> {
    data: &'a Data,
    batch_size: usize,
    /// Images still to come.
    left: usize,
    next: usize,
    layout: Layout,
}

impl Iterator for RankBatches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.left == 0 {
            return None;
        }
        let (index, layout) = (self.next, self.layout);
        let batch = match &self.data.content {
            Content::Given(given) => given.batch(index, self.left, layout, 0),
            Content::Dataset(dataset) => {
                let from = index * self.batch_size;
                let chosen = &dataset.indices.rank[from..from + self.left.min(self.batch_size)];
                let part = dataset.test.as_ref().unwrap_or(&dataset.train);
                let (images, shape, labels) =
                    dataset.prepared(part, chosen, layout, |_| Placement::default());
                Batch { images, shape, layout, labels, epoch: 0, index }
            }
        };
        self.left -= batch.labels.len();
        self.next += 1;
        Some(batch)
    }
}

impl Dataset {
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

    fn prepared(
        &self,
        part: &Images,
        chosen: &[usize],
        layout: Layout,
        place: impl Fn(usize) -> Placement,
    ) -> (Pixels, [usize; 4], Vec<i64>) {
        let [channels, height, width] = self.preparation.shape;
        let size = channels * height * width;
        let mut pixels = vec![0.0; chosen.len() * size];
        let mut scratch = Scratch::default();
        for (&image, target) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            self.preparation.write(part.image(image), &place(image), layout, &mut scratch, target);
        }
        let labels = chosen.iter().map(|&image| part.labels[image]).collect();
        (Pixels::F32(pixels), [chosen.len(), channels, height, width], labels)
    }
}

impl GivenBatches {
    fn images(&self) -> usize {
        self.batches.iter().map(|batch| batch.labels.len()).sum()
    }

    /// Batch `index`, at most its first `limit` images.
    fn batch(&self, index: usize, limit: usize, layout: Layout, epoch: usize) -> Batch {
        let given = &self.batches[index];
        let count = given.labels.len().min(limit);
        let [channels, height, width] = self.shape;
        Batch {
            images: given.images.first(count, self.shape, layout),
            shape: [count, channels, height, width],
            layout,
            labels: given.labels[..count].to_vec(),
            epoch,
            index,
        }
    }
}

/// Given batches are served as they are: a setting that would change them is a mistake.
fn refuse_changes(config: &DataConfig) -> Result<()> {
    let plain = DataConfig::default();
    let changed = [
        ("data.split", config.split != plain.split),
        ("data.split_seed", config.split_seed != plain.split_seed),
        ("data.rank_from", config.rank_from != plain.rank_from),
        ("data.pad", config.pad != plain.pad),
        ("data.resize", config.resize.is_some()),
        ("data.augment", config.augment != plain.augment),
        ("data.normalise", config.normalise.is_some()),
        ("data.drop_last", config.drop_last),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((key, _)) => Err(Error::setting(*key, "is given, but `batches` are served as they are")),
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

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
