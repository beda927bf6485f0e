//! Folders of image files in `ImageNet`'s layout: `train/CLASS/*.jpg` and `val/CLASS/*.jpg`.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{DirEntry, Metadata};
use std::path::{Path, PathBuf};

use super::Part;
use super::file::FileRecord;
use crate::error::{Error, Result};
use crate::parallel::each;

const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];
const MOST_CLASSES: usize = 1 << 16;
const MOST_FILES: usize = 1 << 24;

/// The image files of one part, found but not opened.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The part's folder.
    pub(crate) folder: PathBuf,
    /// The names of the class folders, sorted by their bytes; a class is its place here.
    pub(crate) classes: Vec<String>,
    /// The class and the name of each file, sorted by class and name.
    files: Vec<(u32, Box<str>)>,
}

impl Listing {
    /// The number of files.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The class of file `index`.
    pub(crate) fn label(&self, index: usize) -> i64 {
        i64::from(self.files[index].0)
    }

    /// Where file `index` is.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        let (class, name) = &self.files[index];
        self.folder.join(&self.classes[*class as usize]).join(&**name)
    }
}

/// Lists one part of `root` on `threads` threads.
///
/// Images are the files of a class folder that end in `.jpg`, `.jpeg` or `.png`, in any case; links are
/// followed; names that begin with a dot, other files and folders within class folders are passed over.
///
/// `files` gets one record for the whole part: its folder, the SHA-256 of its listing (for each file in
/// order `CLASS/NAME`, a tab, its size in bytes and a newline) and the sum of the sizes. The contents are
/// not hashed: reading all of `ImageNet` would take longer than most runs.
pub(crate) fn list(root: &Path, part: Part, threads: usize, files: &mut Vec<FileRecord>) -> Result<Listing> {
    let folder = root.join(match part {
        Part::Train => "train",
        Part::Test => "val",
    });
    let mut classes = Vec::new();
    for (entry, name) in entries(&folder)? {
        if metadata(&entry)?.is_dir() {
            classes.push(name);
        }
    }
    if classes.is_empty() || classes.len() > MOST_CLASSES {
        let problem = format!("holds {} class folders, expected 1 to {MOST_CLASSES}", classes.len());
        return Err(Error::content(folder, problem));
    }
    classes.sort_unstable();
    let found = each(threads, classes.iter(), |class, (): &mut ()| images(&folder.join(class)));
    let mut listing = Listing { folder, classes: Vec::new(), files: Vec::new() };
    let (mut lines, mut bytes) = (String::new(), 0_u64);
    for (index, (images, class)) in found.into_iter().zip(&classes).enumerate() {
        for (name, size) in images? {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{class}/{name}\t{size}");
            bytes = bytes.saturating_add(size);
            listing.files.push((index as u32, name.into_boxed_str()));
        }
        if listing.files.len() > MOST_FILES {
            let problem = format!("holds more than {MOST_FILES} images");
            return Err(Error::content(listing.folder, problem));
        }
    }
    listing.classes = classes;
    files.push(FileRecord { bytes, ..FileRecord::of(&listing.folder, lines.as_bytes()) });
    Ok(listing)
}

/// Refuses a test part of other classes than the training part's: its labels would mean something else.
pub(crate) fn check_same_classes(train: &Listing, test: &Listing) -> Result<()> {
    let lacking = |from: &Listing, other: &Listing| {
        let class = from.classes.iter().find(|&class| other.classes.binary_search(class).is_err());
        class.map(|class| (class.clone(), other.folder.clone(), from.folder.clone()))
    };
    let Some((class, folder, other)) = lacking(train, test).or_else(|| lacking(test, train)) else {
        return Ok(());
    };
    Err(Error::content(folder, format!("lacks the class folder `{class}` of `{}`", other.display())))
}

/// Name and size of each image of a class folder, sorted by name.
fn images(folder: &Path) -> Result<Vec<(String, u64)>> {
    let (mut images, mut inner) = (Vec::new(), None);
    for (entry, name) in entries(folder)? {
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        let image =
            extension.is_some_and(|own| EXTENSIONS.iter().any(|known| own.eq_ignore_ascii_case(known)));
        if image {
            let metadata = metadata(&entry)?;
            if metadata.is_file() {
                images.push((name, metadata.len()));
            }
        } else if inner.is_none() && entry.path().is_dir() {
            inner = Some(name);
        }
    }
    if images.is_empty() {
        let inner = inner.map_or(String::new(), |inner| {
            format!(
                " (it holds the folder `{inner}`; images are looked for in `{}` itself)",
                folder.display()
            )
        });
        return Err(Error::content(
            folder,
            format!("holds no image, expected .jpg, .jpeg or .png files{inner}"),
        ));
    }
    images.sort_unstable();
    Ok(images)
}

/// The entries of a folder with their names, but for those that begin with a dot.
fn entries(folder: &Path) -> Result<Vec<(DirEntry, String)>> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().into_string().map_err(|name: OsString| {
            Error::content(folder.join(name), "has a name that is not UTF-8, expected a UTF-8 name")
        })?;
        if !name.starts_with('.') {
            entries.push((entry, name));
        }
        if entries.len() > MOST_FILES {
            return Err(Error::content(folder, format!("holds more than {MOST_FILES} entries")));
        }
    }
    Ok(entries)
}

/// Of the entry, or of what it links to.
fn metadata(entry: &DirEntry) -> Result<Metadata> {
    let path = entry.path();
    std::fs::metadata(&path).map_err(|source| Error::Unreadable { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(if file.ends_with('/') { &path } else { path.parent().unwrap() })
                .unwrap();
            if !file.ends_with('/') {
                std::fs::write(path, file).unwrap();
            }
        }
        root
    }

    fn listed(root: &Path) -> Result<(Listing, FileRecord)> {
        let mut files = Vec::new();
        let listing = list(root, Part::Train, 2, &mut files)?;
        Ok((listing, files.remove(0)))
    }

    fn refused(files: &[&str]) -> String {
        listed(tree(files).path()).unwrap_err().to_string()
    }

    #[test]
    fn classes_and_files_are_sorted_and_others_passed_over() {
        let root = tree(&[
            "train/b/2.JPEG",
            "train/b/10.png",
            "train/b/notes.txt",
            "train/b/.hidden.png",
            "train/b/inner/3.jpg",
            "train/B/x.jpg",
            "train/a/z.Jpg",
            "train/.cache/1.jpg",
            "train/README.png",
        ]);
        let (listing, record) = listed(root.path()).unwrap();
        assert_eq!(listing.classes, ["B", "a", "b"]);
        let found: Vec<_> =
            (0..listing.len()).map(|index| (listing.label(index), listing.path(index))).collect();
        let path = |name: &str| root.path().join("train").join(name);
        assert_eq!(
            found,
            [(0, path("B/x.jpg")), (1, path("a/z.Jpg")), (2, path("b/10.png")), (2, path("b/2.JPEG"))]
        );
        let lines = "B/x.jpg\t13\na/z.Jpg\t13\nb/10.png\t14\nb/2.JPEG\t14\n";
        assert_eq!(record.sha256, FileRecord::of("", lines.as_bytes()).sha256);
        assert_eq!((record.bytes, record.path), (54, root.path().join("train")));
    }

    #[test]
    fn the_hash_is_of_names_and_sizes() {
        let root = tree(&["train/a/1.jpg"]);
        let hash = || listed(root.path()).unwrap().1.sha256;
        let first = hash();
        std::fs::write(root.path().join("train/a/1.jpg"), "train/b/1.jpg").unwrap();
        assert_eq!(hash(), first);
        std::fs::write(root.path().join("train/a/1.jpg"), "longer or shorter").unwrap();
        assert_ne!(hash(), first);
    }

    #[test]
    fn folders_without_images_are_told_apart() {
        assert!(refused(&["other/a/1.jpg"]).starts_with("cannot read `"));
        assert!(refused(&["train/"]).ends_with("train` holds 0 class folders, expected 1 to 65536"));
        assert!(refused(&["train/1.jpg"]).contains("holds 0 class folders"));
        let message = refused(&["train/a/1.jpg", "train/b/1.gif"]);
        assert!(
            message.ends_with("train/b` holds no image, expected .jpg, .jpeg or .png files"),
            "{message}"
        );
        let message = refused(&["train/a/images/1.jpg"]);
        assert!(message.contains("train/a` holds no image") && message.contains("holds the folder `images`"));
    }

    #[test]
    fn both_parts_need_the_same_classes() {
        let root = tree(&["train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg"]);
        let list = |part| list(root.path(), part, 1, &mut Vec::new()).unwrap();
        let message = check_same_classes(&list(Part::Train), &list(Part::Test)).unwrap_err().to_string();
        assert!(message.contains("val` lacks the class folder `b` of `"), "{message}");
        assert!(check_same_classes(&list(Part::Test), &list(Part::Train)).is_err());
        assert!(check_same_classes(&list(Part::Train), &list(Part::Train)).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_other_names_refused() {
        use std::os::unix::ffi::OsStrExt;
        let root = tree(&["there/a/1.jpg", "train/b/2.jpg"]);
        std::os::unix::fs::symlink(root.path().join("there/a"), root.path().join("train/a")).unwrap();
        assert_eq!(listed(root.path()).unwrap().0.len(), 2);
        let name = std::ffi::OsStr::from_bytes(b"\xff.jpg");
        std::fs::write(root.path().join("train/b").join(name), "").unwrap();
        assert!(listed(root.path()).unwrap_err().to_string().contains("not UTF-8"));
    }
}
