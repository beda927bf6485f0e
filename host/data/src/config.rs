//! The manifest's `[data]` table. Every key has a default: an empty table means `digits`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config_values::{deserialize_portion, deserialize_size};
use crate::error::{Error, Result};

/// Pixels; a typing error beyond it would only fill the memory.
const LARGEST_SIDE: usize = 2048;
/// Threads; more would only wait for each other.
const MOST_WORKERS: usize = 256;
/// Pixels; padded images are kept in memory.
const LARGEST_PAD: usize = 64;

/// The `[data]` table of a manifest.
///
/// ```
/// let config: nshot_data::DataConfig = toml::from_str(r#"
///     name = "cifar10"
///     split = { train = 25000, rank = 25000 }
///     augment = { cutout = 16 }
/// "#).unwrap();
/// assert_eq!(config.name, "cifar10");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// `digits`, `mnist`, `fashion-mnist`, `cifar10`, `cifar100`, `imagenet16-120`, `image-folder` (JPEG and
    /// PNG images in `train/CLASS/` and `val/CLASS/`), or `batches` (given batches from a safetensors file).
    pub name: String,
    /// Where the files lie: a folder, for `batches` the file; relative to the manifest. Without it the
    /// user's data folder and the system's are searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Images in a training batch; 64. The last batch of an epoch may be smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Leaves out an epoch's last batch where it would be smaller.
    pub drop_last: bool,
    /// Which images train and which rank.
    pub split: Split,
    /// The seed of the permutation from which counts in `split` are drawn. Of its own, so that a run's
    /// seed never moves the split.
    pub split_seed: u64,
    /// Which part of the dataset the images for ranking come from.
    pub rank_from: RankFrom,
    /// Black pixels added on each side, before anything else; at most 64.
    pub pad: usize,
    /// Height and width to resize to, after `pad`; one number for a square; at most 2048.
    #[serde(deserialize_with = "deserialize_size", skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// How `resize` interpolates.
    pub resize_mode: ResizeMode,
    /// Random changes of training images.
    pub augment: Augment,
    /// What pixels become; the dataset's own constants by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalise: Option<Normalise>,
    /// The number of classes, for `batches` only; by default the greatest label plus one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Height and width that images are cropped and resized to, for `image-folder` only; 224; at most 2048.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Threads that decode the images of a batch, for `image-folder` only; by default one a processor; at
    /// most 256. No number depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// The share of a part's images that may turn out not to decode, for `image-folder` only; 0.01; at most
    /// 0.5. Each is named in a warning, and another image takes its place; beyond the share the run ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_undecodable: Option<f64>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            name: "digits".to_owned(),
            path: None,
            batch_size: None,
            drop_last: false,
            split: Split::default(),
            split_seed: 0,
            rank_from: RankFrom::default(),
            pad: 0,
            resize: None,
            resize_mode: ResizeMode::default(),
            augment: Augment::default(),
            normalise: None,
            classes: None,
            image_size: None,
            workers: None,
            max_undecodable: None,
        }
    }
}

/// Which images train and which rank; they never overlap.
///
/// Of one permutation (of `split_seed`) training takes the first, ranking the last, so that another
/// training count leaves the ranking images alone. What is not given is the rest; where neither is given, ranking takes a
/// fifth of the training part (all of the test part with `rank_from = "test"`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// The images that train, of the dataset's training part.
    #[serde(deserialize_with = "deserialize_portion", skip_serializing_if = "Option::is_none")]
    pub train: Option<Portion>,
    /// The images that rank, of the part that `rank_from` names. 0: none, for a run that does not rank.
    #[serde(deserialize_with = "deserialize_portion", skip_serializing_if = "Option::is_none")]
    pub rank: Option<Portion>,
}

/// A number of images, or an index file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Portion {
    /// So many, drawn by the fixed permutation.
    Count(usize),
    /// Those whose indices (from 0) the file lists, one integer a line, in its order; empty lines and what
    /// follows a `#` do not count. Relative to the manifest.
    File(PathBuf),
}

/// Where the images for ranking come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankFrom {
    /// Held out of the dataset's training part.
    #[default]
    Train,
    /// The dataset's test part.
    Test,
}

/// How images are resized; both as `torch.nn.functional.interpolate` does without antialiasing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeMode {
    /// Linear between the four nearest pixels, corners not aligned.
    #[default]
    Bilinear,
    /// The pixel at `floor(target · source_size / target_size)`.
    Nearest,
}

/// Random changes of training images, in this order. A key that is not given keeps the dataset's default:
/// `flip = true`, `crop = 4` for `cifar10` and `cifar100`, `flip = true`, `crop = 2` for `imagenet16-120`,
/// `flip = true` for `image-folder` (where a random window, resized, takes the place of `crop`), nothing for
/// the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Mirrors left and right with probability one half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip: Option<bool>,
    /// Takes a window of the image's own size at a random place after so many black pixels were added on
    /// each side (black before normalising). 0: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<usize>,
    /// Sets a square of this side to 0 (the mean colour: after normalising), its centre anywhere in the
    /// image (`DeVries` and Taylor, arXiv 1708.04552). 0: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutout: Option<usize>,
}

/// `(pixel / full scale − mean) / std` for each channel, where the full scale is 255 (`digits`: 16).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// One a channel, of pixels in 0 to 1.
    pub mean: Vec<f64>,
    /// One a channel, above 0.
    pub std: Vec<f64>,
}

impl DataConfig {
    /// Checks what can be checked without the data.
    pub(crate) fn check(&self) -> Result<()> {
        if self.batch_size == Some(0) {
            return Err(Error::setting("data.batch_size", "is 0, expected at least 1"));
        }
        if self.split.train == Some(Portion::Count(0)) {
            return Err(Error::setting("data.split.train", "is 0, expected at least 1"));
        }
        if self.classes == Some(0) {
            return Err(Error::setting("data.classes", "is 0, expected at least 1"));
        }
        for (key, value, most) in
            [("data.image_size", self.image_size, LARGEST_SIDE), ("data.workers", self.workers, MOST_WORKERS)]
        {
            if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                return Err(Error::setting(key, format!("is {value}, expected 1 to {most}")));
            }
        }
        if let Some(share) = self.max_undecodable.filter(|share| !(0.0..=0.5).contains(share)) {
            return Err(Error::setting("data.max_undecodable", format!("is {share}, expected 0 to 0.5")));
        }
        if let Some(size) = self.resize
            && size.iter().any(|&side| side == 0 || side > LARGEST_SIDE)
        {
            let problem = format!("is {} by {}, expected 1 to {LARGEST_SIDE}", size[0], size[1]);
            return Err(Error::setting("data.resize", problem));
        }
        for (key, value, most) in [
            ("data.pad", self.pad, LARGEST_PAD),
            ("data.augment.crop", self.augment.crop.unwrap_or(0), LARGEST_SIDE),
            ("data.augment.cutout", self.augment.cutout.unwrap_or(0), LARGEST_SIDE),
        ] {
            if value > most {
                return Err(Error::setting(key, format!("is {value}, expected at most {most}")));
            }
        }
        Ok(())
    }
}

impl Normalise {
    /// Checks the constants against the number of `channels`.
    pub(crate) fn check(&self, channels: usize) -> Result<()> {
        for (key, values) in [("data.normalise.mean", &self.mean), ("data.normalise.std", &self.std)] {
            if values.len() != channels {
                return Err(Error::setting(
                    key,
                    format!("has {} numbers, expected one for each of the {channels} channels", values.len()),
                ));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::setting(key, format!("holds {value}, expected finite numbers")));
            }
        }
        match self.std.iter().find(|&&value| value <= 0.0) {
            Some(value) => {
                Err(Error::setting("data.normalise.std", format!("holds {value}, expected numbers above 0")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        toml::from_str::<DataConfig>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn an_empty_table_is_digits() {
        assert_eq!(toml::from_str::<DataConfig>("").unwrap(), DataConfig::default());
    }

    #[test]
    fn every_key_survives_writing_and_reading() {
        let text = r#"
            name = "cifar10"
            path = "images"
            batch_size = 8
            drop_last = true
            split = { train = 10, rank = "rank.txt" }
            split_seed = 5
            rank_from = "test"
            pad = 2
            resize = 16
            resize_mode = "nearest"
            augment = { flip = false, crop = 1, cutout = 3 }
            normalise = { mean = [0.5, 0.5, 0.5], std = [1.0, 1.0, 1.0] }
            image_size = 96
            workers = 3
            max_undecodable = 0.25
        "#;
        let config: DataConfig = toml::from_str(text).unwrap();
        assert_eq!(config.resize, Some([16, 16]));
        assert_eq!(config.split.rank, Some(Portion::File("rank.txt".into())));
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<DataConfig>(&written).unwrap(), config);
    }

    #[test]
    fn wrong_keys_and_types_are_refused() {
        assert!(refused("nam = 'digits'").contains("unknown field `nam`"));
        assert!(refused("augment = { mirror = true }").contains("unknown field `mirror`"));
        assert!(refused("batch_size = -1").contains("-1"));
        assert!(refused("split = { train = 0.5 }").contains("expected a number of images or the path"));
        assert!(refused("split = { train = -3 }").contains("-3"));
        assert!(refused("resize = [1, 2, 3]").contains("expected"));
        assert!(refused("resize = 'big'").contains("expected one side or [height, width] in pixels"));
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        for (text, key) in [
            ("batch_size = 0", "data.batch_size"),
            ("split = { train = 0 }", "data.split.train"),
            ("resize = [4, 0]", "data.resize"),
            ("pad = 65", "data.pad"),
            ("classes = 0", "data.classes"),
            ("augment = { crop = 100000 }", "data.augment.crop"),
            ("image_size = 0", "data.image_size"),
            ("image_size = 2049", "data.image_size"),
            ("workers = 0", "data.workers"),
            ("workers = 257", "data.workers"),
            ("max_undecodable = 0.6", "data.max_undecodable"),
            ("max_undecodable = nan", "data.max_undecodable"),
        ] {
            let error = toml::from_str::<DataConfig>(text).unwrap().check().unwrap_err();
            assert_eq!(error.key(), Some(key));
        }
    }

    #[test]
    fn normalising_constants_are_checked() {
        let check = |mean: &[f64], std: &[f64]| Normalise { mean: mean.into(), std: std.into() }.check(1);
        assert!(check(&[0.5], &[0.5]).is_ok());
        assert_eq!(check(&[0.5, 0.5], &[0.5]).unwrap_err().key(), Some("data.normalise.mean"));
        assert_eq!(check(&[0.5], &[0.0]).unwrap_err().key(), Some("data.normalise.std"));
        assert_eq!(check(&[f64::NAN], &[1.0]).unwrap_err().key(), Some("data.normalise.mean"));
    }
}
