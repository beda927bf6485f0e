//! What a manifest can set of the space, and which images it takes.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MOST_CHANNELS: u64 = 1024;
const MOST_CELLS: u64 = 100;

/// Settings of `nas-bench-201`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Channels of the first stage; the second has twice, the third four times as many.
    #[schemars(range(min = 1, max = MOST_CHANNELS))]
    pub(crate) channels: u64,
    /// Cells of each of the three stages.
    #[schemars(range(min = 1, max = MOST_CELLS))]
    pub(crate) cells: u64,
    /// `batch` for a supernet, `affine` for the benchmark's own networks.
    pub(crate) batch_norm: Norm,
}

/// Which batch norm the networks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Norm {
    /// No parameters, the batch's own statistics, also in evaluation; convolutions of cells and reductions have a
    /// bias.
    Batch,
    /// Scale, shift and running statistics; no convolution has a bias.
    Affine,
}

impl Default for Settings {
    fn default() -> Self {
        Self { channels: 16, cells: 5, batch_norm: Norm::Batch }
    }
}

impl Settings {
    /// # Errors
    /// A setting out of its range, or images whose sides cannot be halved twice.
    pub(crate) fn check(&self, task: &Task) -> Result<()> {
        within("channels", self.channels, MOST_CHANNELS)?;
        within("cells", self.cells, MOST_CELLS)?;
        let [_, height, width] = task.input_shape;
        // The shortcut's pooling gives ⌊side / 2⌋, the strided convolution beside it ⌈side / 2⌉.
        if [height, width].iter().any(|side| *side == 0 || side % 4 != 0) {
            return Err(Error::new(format!(
                "images are {height}x{width}, expected sides divisible by 4, as two reductions halve them"
            )));
        }
        Ok(())
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
    fn takes_images_that_halve_twice() {
        let settings = Settings::default();
        for (height, width) in [(32, 32), (16, 16), (4, 4), (28, 8)] {
            assert!(settings.check(&images(height, width)).is_ok(), "{height}x{width}");
        }
        for (height, width) in [(0, 0), (2, 2), (30, 32), (32, 33), (32, 0)] {
            let error = settings.check(&images(height, width)).expect_err("a refusal");
            assert!(error.text().starts_with(&format!("images are {height}x{width}, ")), "{error}");
        }
    }

    #[test]
    fn names_the_setting_that_is_out_of_range() {
        let with = |channels, cells| Settings { channels, cells, ..Settings::default() };
        for (settings, text) in [
            (with(0, 5), "setting `channels` is 0, expected 1 to 1024"),
            (with(1025, 5), "setting `channels` is 1025, expected 1 to 1024"),
            (with(16, 0), "setting `cells` is 0, expected 1 to 100"),
            (with(16, u64::MAX), "setting `cells` is 18446744073709551615, expected 1 to 100"),
        ] {
            assert_eq!(settings.check(&images(32, 32)).expect_err("a refusal").text(), text);
        }
        assert!(with(1024, 100).check(&images(32, 32)).is_ok());
    }
}
