//! Which images train and which rank: by count from a fixed permutation, or by index files.

use std::path::{Path, PathBuf};

use crate::config::{DataConfig, Portion, RankFrom};
use crate::error::{Error, Result};
use crate::random::Stream;
use crate::source::FileRecord;
use crate::source::file::read;

const TRAIN_KEY: &str = "data.split.train";
const RANK_KEY: &str = "data.split.rank";

/// Indices into the training part, and into the part that ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Indices {
    pub(crate) train: Vec<usize>,
    pub(crate) rank: Vec<usize>,
}

/// Divides a training part of `train_images` and a test part of `test_images` as `config` says.
pub(crate) fn divide(
    config: &DataConfig,
    base: &Path,
    train_images: usize,
    test_images: usize,
    files: &mut Vec<FileRecord>,
) -> Result<Indices> {
    let from_test = config.rank_from == RankFrom::Test;
    let rank_images = if from_test { test_images } else { train_images };
    let train = Wish::of(config.split.train.as_ref(), TRAIN_KEY, base, train_images, files)?;
    let rank = Wish::of(config.split.rank.as_ref(), RANK_KEY, base, rank_images, files)?;
    if !from_test {
        check_overlap(&train, &rank, train_images)?;
    }
    let free = |part: u64, images: usize, taken: &[&Wish]| -> Vec<usize> {
        let mut used = vec![false; images];
        taken.iter().flat_map(|wish| wish.listed()).for_each(|&index| used[index] = true);
        let order = Stream::new(config.split_seed, "split", (part, 0)).permutation(images);
        order.into_iter().filter(|&index| !used[index]).collect()
    };
    let indices = if from_test {
        let (trains, ranks) = (free(0, train_images, &[&train]), free(1, test_images, &[&rank]));
        Indices { train: first(train, trains), rank: last(rank, ranks) }
    } else {
        let free = free(0, train_images, &[&train, &rank]);
        let (train_count, rank_count) = counts(&train, &rank, free.len(), train_images)?;
        let (front, back) = (free[..train_count].to_vec(), free[free.len() - rank_count..].to_vec());
        Indices { train: train.listed_or(front), rank: rank.listed_or(back) }
    };
    check_not_empty(config, indices)
}

/// What one side of the split asks for.
enum Wish {
    Rest,
    Count(usize),
    Listed(Vec<usize>),
}

impl Wish {
    fn of(
        portion: Option<&Portion>,
        key: &str,
        base: &Path,
        images: usize,
        files: &mut Vec<FileRecord>,
    ) -> Result<Self> {
        match portion {
            None => Ok(Self::Rest),
            Some(&Portion::Count(count)) if count > images => Err(too_many(key, count, images)),
            Some(&Portion::Count(count)) => Ok(Self::Count(count)),
            Some(Portion::File(path)) => index_file(&base.join(path), images, files).map(Self::Listed),
        }
    }

    fn listed(&self) -> &[usize] {
        match self {
            Self::Listed(indices) => indices,
            Self::Rest | Self::Count(_) => &[],
        }
    }

    fn listed_or(self, drawn: Vec<usize>) -> Vec<usize> {
        match self {
            Self::Listed(indices) => indices,
            Self::Rest | Self::Count(_) => drawn,
        }
    }
}

fn too_many(key: &str, count: usize, images: usize) -> Error {
    Error::setting(key, format!("is {count}, but only {images} images are there to draw from"))
}

fn first(wish: Wish, mut free: Vec<usize>) -> Vec<usize> {
    if let Wish::Count(count) = wish {
        free.truncate(count);
    }
    wish.listed_or(free)
}

fn last(wish: Wish, mut free: Vec<usize>) -> Vec<usize> {
    if let Wish::Count(count) = wish {
        free.drain(..free.len() - count);
    }
    wish.listed_or(free)
}

/// How many of the `free` images are drawn for training and for ranking.
fn counts(train: &Wish, rank: &Wish, free: usize, images: usize) -> Result<(usize, usize)> {
    let (train_count, rank_count) = match (train, rank) {
        (Wish::Listed(_), Wish::Listed(_)) => (0, 0),
        (Wish::Listed(_), Wish::Count(rank)) => (0, *rank),
        (Wish::Count(train), Wish::Listed(_)) => (*train, 0),
        (Wish::Listed(_), Wish::Rest) => (0, free),
        (Wish::Rest, Wish::Listed(_)) => (free, 0),
        (Wish::Count(train), Wish::Count(rank)) => (*train, *rank),
        (Wish::Count(train), Wish::Rest) => (*train, free.saturating_sub(*train)),
        (Wish::Rest, Wish::Count(rank)) => (free.saturating_sub(*rank), *rank),
        (Wish::Rest, Wish::Rest) => (free - images / 5, images / 5),
    };
    if train_count > free {
        return Err(too_many(TRAIN_KEY, train_count, free));
    }
    if rank_count > free - train_count {
        return Err(too_many(RANK_KEY, rank_count, free - train_count));
    }
    Ok((train_count, rank_count))
}

fn check_overlap(train: &Wish, rank: &Wish, images: usize) -> Result<()> {
    let mut trains = vec![false; images];
    train.listed().iter().for_each(|&index| trains[index] = true);
    match rank.listed().iter().find(|&&index| trains[index]) {
        None => Ok(()),
        Some(index) => {
            Err(Error::setting(RANK_KEY, format!("lists image {index}, which `{TRAIN_KEY}` lists too")))
        }
    }
}

/// An empty side is a mistake, unless it was asked for by `rank = 0`.
fn check_not_empty(config: &DataConfig, indices: Indices) -> Result<Indices> {
    if indices.train.is_empty() {
        return Err(Error::setting(RANK_KEY, "leaves no image for training"));
    }
    if indices.rank.is_empty() && config.split.rank != Some(Portion::Count(0)) {
        let hint =
            "set `rank_from = \"test\"` in `[data]`, or `rank = 0` in `split` for a run that does not rank";
        return Err(Error::setting(TRAIN_KEY, "leaves no image for ranking").with_hint(hint));
    }
    Ok(indices)
}

/// Reads an index file, checking range and repetition.
fn index_file(path: &PathBuf, images: usize, files: &mut Vec<FileRecord>) -> Result<Vec<usize>> {
    let content = read(path, files)?;
    let text = String::from_utf8_lossy(&content);
    let mut line_of = vec![0; images];
    let mut indices = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line)) {
        let value = line.split('#').next().unwrap_or("").trim();
        if value.is_empty() {
            continue;
        }
        let index = value.parse().ok().filter(|&index: &usize| index < images).ok_or_else(|| {
            let shown: String = value.chars().take(40).collect();
            let range = format!("an image from 0 to {}", images.saturating_sub(1));
            Error::content(path, format!("has `{shown}` in line {number}, expected {range}"))
        })?;
        if line_of[index] != 0 {
            let problem = format!("repeats image {index} in line {number}, first in line {}", line_of[index]);
            return Err(Error::content(path, problem));
        }
        line_of[index] = number;
        indices.push(index);
    }
    if indices.is_empty() {
        return Err(Error::content(path, "lists no image"));
    }
    Ok(indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Split;

    fn divided(split: Split, rank_from: RankFrom, base: &Path) -> Result<Indices> {
        let config = DataConfig { split, rank_from, ..DataConfig::default() };
        divide(&config, base, 100, 30, &mut Vec::new())
    }

    fn by_count(train: Option<usize>, rank: Option<usize>, rank_from: RankFrom) -> Result<Indices> {
        let split = Split { train: train.map(Portion::Count), rank: rank.map(Portion::Count) };
        divided(split, rank_from, Path::new("."))
    }

    fn assert_disjoint(indices: &Indices) {
        let mut all = [indices.train.clone(), indices.rank.clone()].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), indices.train.len() + indices.rank.len());
    }

    #[test]
    fn counts_never_overlap_and_the_rest_is_used() {
        for (train, rank, sizes) in [
            (None, None, (80, 20)),
            (Some(70), None, (70, 30)),
            (None, Some(10), (90, 10)),
            (Some(60), Some(25), (60, 25)),
            (Some(100), Some(0), (100, 0)),
        ] {
            let indices = by_count(train, rank, RankFrom::Train).unwrap();
            assert_eq!((indices.train.len(), indices.rank.len()), sizes);
            assert_disjoint(&indices);
        }
    }

    #[test]
    fn another_training_count_leaves_the_ranking_images_alone() {
        let one = by_count(Some(60), Some(25), RankFrom::Train).unwrap();
        let other = by_count(Some(10), Some(25), RankFrom::Train).unwrap();
        assert_eq!(one.rank, other.rank);
        assert_eq!(one.train[..10], other.train);
    }

    #[test]
    fn ranking_on_the_test_part_leaves_the_training_part_whole() {
        let indices = by_count(None, None, RankFrom::Test).unwrap();
        assert_eq!((indices.train.len(), indices.rank.len()), (100, 30));
        assert!(indices.rank.iter().all(|&index| index < 30));
        assert_eq!(by_count(None, Some(7), RankFrom::Test).unwrap().rank, indices.rank[23..]);
        assert_eq!(by_count(None, Some(31), RankFrom::Test).unwrap_err().key(), Some(RANK_KEY));
    }

    #[test]
    fn impossible_counts_name_their_key() {
        for (train, rank, key) in [
            (Some(101), None, TRAIN_KEY),
            (Some(60), Some(41), RANK_KEY),
            (None, Some(100), RANK_KEY),
            (Some(100), None, TRAIN_KEY),
        ] {
            assert_eq!(by_count(train, rank, RankFrom::Train).unwrap_err().key(), Some(key));
        }
        let message = by_count(Some(60), Some(41), RankFrom::Train).unwrap_err().to_string();
        assert_eq!(message, "`data.split.rank` is 41, but only 40 images are there to draw from");
    }

    #[test]
    fn index_files_keep_their_order_and_counts_avoid_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.txt"), "# chosen\n5\n\n3 # a note\n99\n").unwrap();
        let split = Split { train: Some(Portion::File("train.txt".into())), rank: Some(Portion::Count(97)) };
        let indices = divided(split, RankFrom::Train, folder.path()).unwrap();
        assert_eq!(indices.train, [5, 3, 99]);
        assert_eq!(indices.rank.len(), 97);
        assert_disjoint(&indices);
    }

    #[test]
    fn faulty_index_files_are_told_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |train: &str, rank: &str| {
            std::fs::write(folder.path().join("train.txt"), train).unwrap();
            std::fs::write(folder.path().join("rank.txt"), rank).unwrap();
            let file = |name: &str| Some(Portion::File(name.into()));
            let split = Split { train: file("train.txt"), rank: file("rank.txt") };
            divided(split, RankFrom::Train, folder.path()).unwrap_err().to_string()
        };
        assert!(refused("1\n100", "2").ends_with("has `100` in line 2, expected an image from 0 to 99"));
        assert!(refused("-1", "2").contains("has `-1` in line 1"));
        assert!(refused("1\n2\n1", "3").ends_with("repeats image 1 in line 3, first in line 1"));
        assert!(refused("# none", "3").ends_with("lists no image"));
        let message = refused("1\n2", "4\n2");
        assert_eq!(message, "`data.split.rank` lists image 2, which `data.split.train` lists too");
    }
}
