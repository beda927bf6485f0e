//! `nshot data speed`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use nshot::experiment::open_data;
use nshot::failure::{Failure, Result};
use nshot::manifest::{Manifest, parse_override};
use nshot_data::{Data, Layout, Prefetch, Seeds};
use serde_json::json;

use crate::cli::{Outcome, output};

/// Batches that may have been prepared before the clock starts; they do not count.
const FIRST: usize = 4;

/// Measures how many training images a second the data gives.
///
/// Images are read, augmented and put into batches in the background as in a run, but no network is trained on them.
/// Where training alone is faster than this, it waits for its data. The seeds are the manifest's; nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot data speed examples/first-run.toml --seconds 2\n          \
                        nshot data speed examples/imagenet-mobilenet.toml --set data.workers=4")]
pub(in crate::cli) struct Speed {
    /// The manifest whose `[data]` is measured, a TOML file.
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Another value for a key of the manifest: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    overrides: Vec<(String, String)>,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was measured.
struct Measured {
    images: usize,
    seconds: f64,
}

pub(super) fn main(speed: &Speed) -> Outcome {
    let manifest = Manifest::load(&speed.manifest, &speed.overrides)?;
    let data = open_data(&manifest)?;
    let seeds = Seeds { data: manifest.seed.data, augmentation: manifest.seed.augmentation };
    let Measured { images, seconds } = measure(&data, seeds, speed.seconds as f64)?;
    let (name, batch_size, rate) = (&manifest.data.name, data.batch_size(), images as f64 / seconds);
    if speed.json {
        output::print_json(&json!({
            "data": name, "batch_size": batch_size, "images": images, "seconds": seconds, "images_per_second": rate,
        }))?;
    } else {
        output::print(&format!(
            "{name}: {rate:.0} images/s in batches of {batch_size} ({images} images in {seconds:.1} s)\n"
        ))?;
    }
    Ok(0)
}

/// Takes batches as training does, epoch after epoch, for so long, and at least one.
fn measure(data: &Arc<Data>, seeds: Seeds, limit: f64) -> Result<Measured> {
    let mut batches = Prefetch::new(Arc::clone(data), seeds, Layout::Nhwc, (0, 0), usize::MAX, 1);
    let mut next = || match batches.next() {
        Some(batch) => Ok(batch?.labels.len()),
        None => Err(Failure::new("the data ended")),
    };
    for _ in 0..FIRST {
        next()?;
    }
    let (begun, mut images) = (Instant::now(), 0);
    loop {
        images += next()?;
        let seconds = begun.elapsed().as_secs_f64();
        if seconds >= limit {
            return Ok(Measured { images, seconds });
        }
    }
}
