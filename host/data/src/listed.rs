//! One part of a dataset whose images are files, decoded when a batch asks for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fast_image_resize::Resizer;

use crate::augment::{Augmentation, Placement};
use crate::batch::Layout;
use crate::decode::{decode, resize};
use crate::error::{Error, Result};
use crate::parallel::each;
use crate::prepare::{Preparation, Scratch};
use crate::random::Key;
use crate::source::folder::Listing;
use crate::window::Window;

/// Bytes; a larger file is no image for training.
const LARGEST_FILE: u64 = 1 << 28;
/// Draws of another image before a part counts as beyond use.
const MOST_DRAWS: usize = 1000;

/// A part's files, with what was found out about them.
#[derive(Debug)]
pub(crate) struct Listed {
    listing: Listing,
    /// The share of images that may turn out not to decode.
    share: f64,
    /// Those that did.
    undecodable: Mutex<BTreeSet<usize>>,
}

/// How the images of a batch are made: of what, and by which draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    /// The images that train or those that rank; one of these takes the place of one that does not decode.
    pub(crate) side: &'a [usize],
    pub(crate) preparation: &'a Preparation,
    pub(crate) layout: Layout,
    pub(crate) threads: usize,
    /// In training the changes, the family of their streams, and the epoch.
    pub(crate) training: Option<(Augmentation, &'a Key, usize)>,
}

/// What a thread keeps from image to image.
#[derive(Default)]
struct Kept {
    content: Vec<u8>,
    decoded: Vec<u8>,
    resized: Vec<u8>,
    resizer: Resizer,
    scratch: Scratch,
}

impl Listed {
    pub(crate) fn new(listing: Listing, share: f64) -> Self {
        Self { listing, share, undecodable: Mutex::default() }
    }

    pub(crate) fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Pixels and labels of the `chosen` images, the same on any number of threads.
    ///
    /// Where image i does not decode, images of the same side are drawn by the stream `substitute` of
    /// seed 0 at (i, 0) until one decodes; it brings its own label, and gets the augmentation of the place
    /// that it takes. The same one comes in every epoch.
    pub(crate) fn prepared(&self, chosen: &[usize], making: Making) -> Result<(Vec<f32>, Vec<i64>)> {
        let size: usize = making.preparation.shape.iter().product();
        let mut pixels = vec![0.0; chosen.len() * size];
        let items = chosen.iter().zip(pixels.chunks_exact_mut(size));
        let threads = making.threads.min(chosen.len());
        let labels = each(threads, items, |(&image, target), kept: &mut Kept| {
            self.write(image, &making, kept, target).map(|shown| self.listing.label(shown))
        });
        Ok((pixels, labels.into_iter().collect::<Result<_>>()?))
    }

    /// Writes `image`, or what takes its place, to `target`; gives which it was.
    fn write(&self, image: usize, making: &Making, kept: &mut Kept, target: &mut [f32]) -> Result<usize> {
        let mut others = None;
        let mut shown = image;
        for _ in 0..MOST_DRAWS {
            if !self.known(shown) {
                let path = self.listing.path(shown);
                read(&path, &mut kept.content)?;
                match making.show(image, kept, target) {
                    Ok(()) => return Ok(shown),
                    Err(problem) => self.note(shown, &path, &problem)?,
                }
            }
            let others = others.get_or_insert_with(|| Key::new(0, "substitute").stream((image as u64, 0)));
            shown = making.side[others.below(making.side.len() as u64) as usize];
        }
        let problem = format!("holds no image that decodes among {MOST_DRAWS} drawn");
        Err(Error::content(&self.listing.folder, problem))
    }

    fn known(&self, image: usize) -> bool {
        self.undecodable.lock().unwrap_or_else(PoisonError::into_inner).contains(&image)
    }

    /// Warns of a file that does not decode, once; an error where there are too many of them.
    fn note(&self, image: usize, path: &Path, problem: &str) -> Result<()> {
        let mut undecodable = self.undecodable.lock().unwrap_or_else(PoisonError::into_inner);
        let new = undecodable.insert(image);
        let (found, all) = (undecodable.len(), self.listing.len());
        drop(undecodable);
        if found as f64 > self.share * all as f64 {
            let problem = format!(
                "is {}, but {found} of the {all} images in `{}` did not decode so far, the last `{}`: {problem}",
                self.share,
                self.listing.folder.display(),
                path.display()
            );
            return Err(Error::setting("data.max_undecodable", problem)
                .with_hint("remove or restore such files, or allow more of them"));
        }
        if new {
            tracing::warn!("`{}` does not decode, another image takes its place: {problem}", path.display());
        }
        Ok(())
    }
}

impl Making<'_> {
    /// Decodes what was read and writes it to `target`, changed as the place of `image` asks for.
    fn show(&self, image: usize, kept: &mut Kept, target: &mut [f32]) -> std::result::Result<(), String> {
        let size = decode(&kept.content, &mut kept.decoded)?;
        let [_, side, _] = self.preparation.shape;
        let (placement, window) = match self.training {
            Some((augmentation, key, epoch)) => {
                let mut stream = key.stream((epoch as u64, image as u64));
                let placement = augmentation.draw(&mut stream, side, side);
                (placement, Window::random(&mut stream, size))
            }
            None => (Placement::default(), Window::centre(size, side)),
        };
        resize(&mut kept.resizer, &kept.decoded, size, &window, side, &mut kept.resized)?;
        self.preparation.write(&kept.resized, &placement, self.layout, &mut kept.scratch, target);
        Ok(())
    }
}

/// Reads a file into `content`. That it cannot be read at all is no matter of decoding.
fn read(path: &Path, content: &mut Vec<u8>) -> Result<()> {
    content.clear();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(LARGEST_FILE).read_to_end(content));
    read.map(|_| ()).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
#[path = "listed_tests.rs"]
mod tests;
