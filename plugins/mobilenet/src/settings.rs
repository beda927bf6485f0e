//! What a manifest can set of the space, and which images it takes.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MOST_CHANNELS: u64 = 8192;
const MOST_LAYERS: u64 = 32;
const MOST_STAGES: usize = 16;

/// Settings of `mobilenet`. The defaults are for images of 224x224 pixels and many classes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Channels after the first convolution.
    #[schemars(range(min = 1, max = MOST_CHANNELS))]
    pub(crate) stem: u64,
    /// Stride of the first convolution, 1 or 2; 1 is for small images.
    #[schemars(range(min = 1, max = 2))]
    pub(crate) stem_stride: u64,
    /// Channels after the fixed block that follows.
    #[schemars(range(min = 1, max = MOST_CHANNELS))]
    pub(crate) first: u64,
    /// Channels of each stage.
    #[schemars(inner(range(min = 1, max = MOST_CHANNELS)))]
    pub(crate) widths: Vec<u64>,
    /// Choice layers of each stage.
    #[schemars(inner(range(min = 1, max = MOST_LAYERS)))]
    pub(crate) layers: Vec<u64>,
    /// Stride of each stage's first layer, 1 or 2.
    #[schemars(inner(range(min = 1, max = 2)))]
    pub(crate) strides: Vec<u64>,
    /// Channels that the classifier sees.
    #[schemars(range(min = 1, max = MOST_CHANNELS))]
    pub(crate) last: u64,
    /// `batch` for a supernet, `affine` for networks trained alone.
    pub(crate) batch_norm: Norm,
}

/// Which batch norm the networks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Norm {
    /// No parameters, the batch's own statistics, also in evaluation.
    Batch,
    /// Scale, shift and running statistics.
    Affine,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stem: 32,
            stem_stride: 2,
            first: 16,
            widths: vec![24, 40, 80, 96, 192, 320],
            layers: vec![4, 4, 4, 4, 4, 1],
            strides: vec![2, 2, 2, 1, 2, 1],
            last: 1280,
            batch_norm: Norm::Batch,
        }
    }
}

impl Settings {
    /// # Errors
    /// A setting out of its range, lists that do not fit together, or images smaller than the strides reduce them.
    pub(crate) fn check(&self, task: &Task) -> Result<()> {
        for (setting, found) in [("stem", self.stem), ("first", self.first), ("last", self.last)] {
            within(setting, found, MOST_CHANNELS)?;
        }
        within("stem_stride", self.stem_stride, 2)?;
        let stages = self.widths.len();
        if !(1..=MOST_STAGES).contains(&stages) {
            return Err(Error::new(format!(
                "setting `widths` has {stages} stages, expected 1 to {MOST_STAGES}"
            )));
        }
        for (setting, list, most) in [
            ("widths", &self.widths, MOST_CHANNELS),
            ("layers", &self.layers, MOST_LAYERS),
            ("strides", &self.strides, 2),
        ] {
            let found = list.len();
            if found != stages {
                return Err(Error::new(format!(
                    "setting `{setting}` has {found} stages, expected {stages} as in `widths`"
                )));
            }
            for (stage, found) in list.iter().enumerate() {
                within(&format!("{setting}[{stage}]"), *found, most)?;
            }
        }
        self.check_images(task.input_shape)
    }

    fn check_images(&self, [_, height, width]: [u64; 3]) -> Result<()> {
        let reduction = self.stem_stride * self.strides.iter().product::<u64>();
        if height.min(width) >= reduction {
            return Ok(());
        }
        Err(Error::new(format!(
            "images are {height}x{width}, expected sides of at least {reduction}, by which `stem_stride` and \
             `strides` reduce them"
        )))
    }
}

impl Norm {
    pub(crate) fn layer(self, name: &str, channels: u64) -> BatchNorm {
        match self {
            Self::Batch => BatchNorm::batch(name, channels),
            Self::Affine => BatchNorm::affine(name, channels),
        }
    }
}

fn within(setting: &str, found: u64, most: u64) -> Result<()> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(Error::new(format!("setting `{setting}` is {found}, expected 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(height: u64, width: u64) -> Task {
        Task { input_shape: [3, height, width], classes: 10 }
    }

    #[test]
    fn takes_images_that_are_large_enough() {
        let small = Settings { stem_stride: 1, strides: vec![1, 2, 1, 1, 2, 1], ..Settings::default() };
        for (settings, side) in [(Settings::default(), 32), (small, 4)] {
            for (height, width) in [(side, side), (side + 1, 224), (224, side + 3)] {
                assert!(settings.check(&images(height, width)).is_ok(), "{height}x{width}");
            }
            for (height, width) in [(0, 0), (side - 1, 224), (224, side - 1)] {
                let error = settings.check(&images(height, width)).expect_err("a refusal");
                let text = format!("images are {height}x{width}, expected sides of at least {side}, ");
                assert!(error.text().starts_with(&text), "{error}");
            }
        }
    }

    #[test]
    fn names_the_setting_that_is_wrong() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check(&images(224, 224)).expect_err("a refusal").text().to_owned()
        };
        assert_eq!(with(|s| s.stem = 0), "setting `stem` is 0, expected 1 to 8192");
        assert_eq!(with(|s| s.first = 8193), "setting `first` is 8193, expected 1 to 8192");
        assert_eq!(with(|s| s.last = 0), "setting `last` is 0, expected 1 to 8192");
        assert_eq!(with(|s| s.stem_stride = 3), "setting `stem_stride` is 3, expected 1 to 2");
        assert_eq!(with(|s| s.widths[2] = 0), "setting `widths[2]` is 0, expected 1 to 8192");
        assert_eq!(with(|s| s.layers[5] = 33), "setting `layers[5]` is 33, expected 1 to 32");
        assert_eq!(with(|s| s.strides[0] = u64::MAX), {
            "setting `strides[0]` is 18446744073709551615, expected 1 to 2"
        });
        assert_eq!(with(|s| s.widths.clear()), "setting `widths` has 0 stages, expected 1 to 16");
        assert_eq!(with(|s| s.widths = vec![8; 17]), "setting `widths` has 17 stages, expected 1 to 16");
        assert_eq!(with(|s| s.layers.push(1)), {
            "setting `layers` has 7 stages, expected 6 as in `widths`"
        });
        assert_eq!(with(|s| s.strides.truncate(1)), {
            "setting `strides` has 1 stages, expected 6 as in `widths`"
        });
    }
}
