//! A run's data: what `[data]` names, read, checked, divided, and served in batches.

use std::path::Path;

use crate::batch::{Batch, Layout};
use crate::config::DataConfig;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::source::batches::{self, GivenBatches};
use crate::source::{FileRecord, Source};

/// The seeds that the order and the augmentation of training images depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Of the order of the images in each epoch.
    pub data: u64,
    /// Of flips, crops and cutouts.
    pub augmentation: u64,
}

/// All data of a run: in memory, but for `image-folder`, whose images are read when a batch asks for them.
/// Share it between threads in an [`Arc`](std::sync::Arc).
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
        let mut files = Vec::new();
        let dataset = Dataset::open(&mut resolved, source, folder, base, &mut files)?;
        let batch_size = resolved.batch_size.unwrap_or(1);
        Ok(Self { resolved, files, batch_size, content: Content::Dataset(Box::new(dataset)) })
    }

    /// The settings with every default filled in and every path found; opening them gives the same data.
    pub fn resolved(&self) -> &DataConfig {
        &self.resolved
    }

    /// Every file read, with its hash, for the run's lock. Of `image-folder` one record for each part: its
    /// folder, the hash of the list of its files and their sizes, and the sum of the sizes.
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
            Content::Dataset(dataset) => dataset.class_names.len(),
            Content::Given(given) => given.classes,
        }
    }

    /// The name of each class; empty for given batches.
    pub fn class_names(&self) -> &[String] {
        match &self.content {
            Content::Dataset(dataset) => &dataset.class_names,
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
    /// An index beyond the epoch; of `image-folder` also a file that cannot be read, or too many that do not
    /// decode.
    pub fn batch(&self, seeds: Seeds, layout: Layout, epoch: usize, index: usize) -> Result<Batch> {
        let count = self.batches_per_epoch();
        if index >= count {
            return Err(Error::OutOfRange { what: "batch", index, count });
        }
        match &self.content {
            Content::Given(given) => Ok(given.batch(index, usize::MAX, layout, epoch)),
            Content::Dataset(dataset) => dataset.train_batch(seeds, layout, (epoch, index), self.batch_size),
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

/// The batches for ranking, in order; made by [`Data::rank_batches`]. After an error it ends.
///
/// # Errors
/// Of `image-folder`: a file that cannot be read, or too many that do not decode.
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
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.left == 0 {
            return None;
        }
        let (index, layout) = (self.next, self.layout);
        let batch = match &self.data.content {
            Content::Given(given) => Ok(given.batch(index, self.left, layout, 0)),
            Content::Dataset(dataset) => {
                let (from, count) = (index * self.batch_size, self.left.min(self.batch_size));
                dataset.rank_batch(layout, index, from, count)
            }
        };
        self.left -= batch.as_ref().map_or(self.left, |batch| batch.labels.len());
        self.next += 1;
        Some(batch)
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
        ("data.image_size", config.image_size.is_some()),
        ("data.workers", config.workers.is_some()),
        ("data.max_undecodable", config.max_undecodable.is_some()),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((key, _)) => Err(Error::setting(*key, "is given, but `batches` are served as they are")),
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
