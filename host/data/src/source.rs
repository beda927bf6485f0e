//! The datasets that nshot knows: their facts, where their files are looked for, and how to get them.

use std::path::{Path, PathBuf};

use crate::config::Normalise;
use crate::error::{Error, Result};
use crate::images::Images;

pub(crate) mod batches;
mod cifar;
mod digits;
pub(crate) mod file;
pub(crate) mod folder;
mod idx;
mod imagenet16;

use cifar::Kind;
pub use file::FileRecord;

/// A dataset by its name in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Digits,
    Mnist,
    FashionMnist,
    Cifar10,
    Cifar100,
    ImageNet16,
    ImageFolder,
    Batches,
}

/// The two parts of a dataset, as its makers divided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    Test,
}

/// What `nshot data list` prints of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The name that `[data] name` takes.
    pub name: &'static str,
    /// What it is, one line.
    pub description: &'static str,
    /// Where it is.
    pub state: Availability,
    /// Every place looked at, in order; empty where there is nothing to look for.
    pub looked: Vec<PathBuf>,
    /// How to get it, one line.
    pub how: &'static str,
}

/// Where a dataset is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// In the program itself.
    Embedded,
    /// In this folder.
    Found(PathBuf),
    /// In none of the places looked at.
    Absent,
    /// Given by the manifest's `path`.
    Given,
}

/// Every dataset, with where it was looked for and how to get it.
pub fn available() -> Vec<Available> {
    let home = data_home();
    Source::ALL.iter().map(|source| source.look(home.as_deref())).collect()
}

impl Source {
    const ALL: [Self; 8] = [
        Self::Digits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::ImageNet16,
        Self::ImageFolder,
        Self::Batches,
    ];

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|source| source.name() == name);
        found.ok_or_else(|| {
            let names: Vec<String> = Self::ALL.iter().map(|source| format!("`{}`", source.name())).collect();
            Error::setting("data.name", format!("is `{name}`, expected one of {}", names.join(", ")))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::ImageNet16 => "imagenet16-120",
            Self::ImageFolder => "image-folder",
            Self::Batches => "batches",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Digits => "1,797 grey 8x8 images of handwritten digits, 10 classes (UCI, CC BY 4.0)",
            Self::FashionMnist => "70,000 grey 28x28 images of clothes, 10 classes (Zalando, MIT)",
            Self::Mnist => "70,000 grey 28x28 images of handwritten digits, 10 classes (LeCun et al.)",
            Self::Cifar10 => "60,000 colour 32x32 images, 10 classes (Krizhevsky)",
            Self::Cifar100 => "60,000 colour 32x32 images, 100 classes (Krizhevsky)",
            Self::ImageNet16 => "157,700 colour 16x16 images, 120 classes (ImageNet16-120 of NAS-Bench-201)",
            Self::ImageFolder => {
                "JPEG and PNG images of any size in `train/CLASS/` and `val/CLASS/`, as ImageNet"
            }
            Self::Batches => "given batches from a safetensors file, served in order as they are",
        }
    }

    fn how(self) -> &'static str {
        match self {
            Self::Digits => "part of nshot, nothing to get",
            Self::FashionMnist => {
                "install Debian's package `dataset-fashion-mnist`, or set `path` in `[data]` to a folder \
                 with the four IDX files, plain or .gz"
            }
            Self::Cifar10 => {
                "unpack the binary version (`cifar-10-binary.tar.gz` of cs.toronto.edu/~kriz/cifar.html) \
                 into one of these folders, or set `path` in `[data]`"
            }
            Self::Mnist => {
                "put the four IDX files, plain or .gz, into one of these folders, or set `path` in `[data]` \
                 to theirs"
            }
            Self::Cifar100 => {
                "unpack the binary version (`cifar-100-binary.tar.gz` of cs.toronto.edu/~kriz/cifar.html) \
                 into one of these folders, or set `path` in `[data]`"
            }
            Self::ImageNet16 => {
                "put `train_data_batch_1` to `train_data_batch_10` and `val_data` of ImageNet16 \
                 (patrykchrabaszcz.github.io/Imagenet32) into one of these folders, or set `path` in `[data]`"
            }
            Self::ImageFolder => {
                "set `path` in `[data]` to a folder with `train/CLASS/*.jpg`, and `val/CLASS/*.jpg` where \
                 `rank_from = \"test\"`"
            }
            Self::Batches => {
                "set `path` in `[data]` to a safetensors file with `batch.0.images` [N, C, H, W] (F32 or \
                 F64), `batch.0.labels` [N] (I64), `batch.1.images`, …"
            }
        }
    }

    /// Flip and crop of the usual training on this dataset.
    pub(crate) fn default_augmentation(self) -> (bool, usize) {
        match self {
            Self::Cifar10 | Self::Cifar100 => (true, 4),
            Self::ImageNet16 => (true, 2),
            Self::ImageFolder => (true, 0),
            Self::Digits | Self::Mnist | Self::FashionMnist | Self::Batches => (false, 0),
        }
    }

    /// Mean and deviation of the training part, pixels in 0 to 1. For CIFAR-10 the constants of the
    /// published supernet training, 125.3/123.0/113.9 and 63.0/62.1/66.7 of 255; for CIFAR-100 and
    /// ImageNet16-120 those of NAS-Bench-201; for folders those usual for `ImageNet`.
    pub(crate) fn default_normalise(self) -> Normalise {
        let of_255 = |values: [f64; 3]| values.iter().map(|value| value / 255.0).collect();
        match self {
            Self::Digits => Normalise { mean: vec![0.3054], std: vec![0.3755] },
            Self::FashionMnist => Normalise { mean: vec![0.2860], std: vec![0.3530] },
            Self::Cifar10 => {
                Normalise { mean: of_255([125.3, 123.0, 113.9]), std: of_255([63.0, 62.1, 66.7]) }
            }
            Self::Mnist => Normalise { mean: vec![0.1307], std: vec![0.3081] },
            Self::Cifar100 => {
                Normalise { mean: of_255([129.3, 124.1, 112.4]), std: of_255([68.2, 65.4, 70.4]) }
            }
            Self::ImageNet16 => {
                Normalise { mean: of_255([122.68, 116.66, 104.01]), std: of_255([63.22, 61.26, 65.09]) }
            }
            Self::ImageFolder => {
                Normalise { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
            }
            Self::Batches => Normalise { mean: Vec::new(), std: Vec::new() },
        }
    }

    /// The folders where the files may lie when the manifest gives no path.
    fn search_folders(self, data_home: Option<&Path>) -> Vec<PathBuf> {
        if matches!(self, Self::Digits | Self::ImageFolder | Self::Batches) {
            return Vec::new();
        }
        let mut folders: Vec<PathBuf> =
            data_home.map(|home| home.join("nshot").join(self.name())).into_iter().collect();
        if self == Self::FashionMnist {
            folders.push("/usr/share/datasets/fashion-mnist".into());
        }
        folders
    }

    /// `folder`, or the folder within it that the dataset's usual archive unpacks to, if the files
    /// are there.
    fn settle(self, folder: &Path) -> Option<PathBuf> {
        let (inner, present): (&str, &dyn Fn(&Path) -> bool) = match self {
            Self::Mnist => ("MNIST/raw", &idx::present),
            Self::FashionMnist => ("raw", &idx::present),
            Self::Cifar10 => (Kind::Cifar10.folder(), &|folder| Kind::Cifar10.present(folder)),
            Self::Cifar100 => (Kind::Cifar100.folder(), &|folder| Kind::Cifar100.present(folder)),
            Self::ImageNet16 => ("ImageNet16", &imagenet16::present),
            Self::Digits | Self::ImageFolder | Self::Batches => return None,
        };
        [folder.to_owned(), folder.join(inner)].into_iter().find(|place| present(place))
    }

    fn look(self, data_home: Option<&Path>) -> Available {
        let looked = self.search_folders(data_home);
        let state = match self {
            Self::Digits => Availability::Embedded,
            Self::ImageFolder | Self::Batches => Availability::Given,
            _ => match looked.iter().find_map(|folder| self.settle(folder)) {
                Some(folder) => Availability::Found(folder),
                None => Availability::Absent,
            },
        };
        Available { name: self.name(), description: self.description(), state, looked, how: self.how() }
    }

    /// The folder with the files: of `path` where it is given, else of the places searched.
    /// None for the embedded dataset.
    pub(crate) fn find(self, path: Option<&Path>) -> Result<Option<PathBuf>> {
        match (self, path) {
            (Self::Digits, None) => Ok(None),
            (Self::Digits, Some(path)) => Err(Error::setting(
                "data.path",
                format!("is `{}`, but `digits` is part of nshot and has no path", path.display()),
            )),
            (Self::ImageFolder | Self::Batches, None) => {
                Err(Error::setting("data.path", "is missing").with_hint(self.how()))
            }
            (Self::ImageFolder | Self::Batches, Some(path)) => Ok(Some(path.to_owned())),
            (_, given) => {
                let looked = match given {
                    Some(path) => vec![path.to_owned()],
                    None => self.search_folders(data_home().as_deref()),
                };
                match looked.iter().find_map(|folder| self.settle(folder)) {
                    Some(folder) => Ok(Some(folder)),
                    None => Err(Error::Absent {
                        name: self.name().to_owned(),
                        looked,
                        how: self.how().to_owned(),
                    }),
                }
            }
        }
    }

    /// Reads one part of the dataset from `folder` and notes the files read in `files`.
    pub(crate) fn load(self, folder: &Path, part: Part, files: &mut Vec<FileRecord>) -> Result<Images> {
        match self {
            Self::Mnist => idx::load(idx::digits(), folder, part, files),
            Self::FashionMnist => idx::load(idx::clothes(), folder, part, files),
            Self::Cifar10 => cifar::load(Kind::Cifar10, folder, part, files),
            Self::Cifar100 => cifar::load(Kind::Cifar100, folder, part, files),
            Self::ImageNet16 => imagenet16::load(folder, part, files),
            Self::Digits => digits::load(part, files),
            Self::ImageFolder | Self::Batches => {
                let problem = format!("is `{}`, whose images are not loaded in parts", self.name());
                Err(Error::setting("data.name", problem))
            }
        }
    }
}

/// `$XDG_DATA_HOME`, or `~/.local/share` where it is not set.
fn data_home() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_found_in_the_data_folder() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Source::Cifar10.look(Some(home.path())).state, Availability::Absent);
        let folder = home.path().join("nshot/cifar10/cifar-10-batches-bin");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("data_batch_1.bin"), []).unwrap();
        let found = Source::Cifar10.look(Some(home.path()));
        assert_eq!(found.state, Availability::Found(folder));
        assert_eq!(found.looked, [home.path().join("nshot/cifar10")]);
    }

    #[test]
    fn fashion_mnist_is_also_looked_for_in_the_systems_folder() {
        let looked = Source::FashionMnist.look(Some(Path::new("/nowhere"))).looked;
        assert_eq!(looked[0], Path::new("/nowhere/nshot/fashion-mnist"));
        assert_eq!(looked[1], Path::new("/usr/share/datasets/fashion-mnist"));
    }

    #[test]
    fn an_absent_dataset_is_told_with_places_and_help() {
        let empty = tempfile::tempdir().unwrap();
        let message = Source::Cifar10.find(Some(empty.path())).unwrap_err().to_string();
        assert!(message.contains(&format!("`{}`", empty.path().display())), "{message}");
        assert!(message.contains("hint: unpack the binary version"), "{message}");
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = Source::named("cifar").unwrap_err();
        assert_eq!(error.key(), Some("data.name"));
        assert!(error.to_string().contains("`cifar10`"));
    }
}
