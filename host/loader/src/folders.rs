//! Where plugin files are looked for. Beside the program, then in the user's data folder; the manifest's lock says
//! by hash which were taken.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Start of the names of the plugins that are built with the program.
const PREFIX: &str = "libnshot_plugin_";

/// Folders that are searched for plugin files, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders(Vec<Folder>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    /// Start of the file names that count.
    prefix: &'static str,
}

impl Folders {
    /// The folder of the running program, then [`default_plugin_folder`].
    pub fn standard() -> Self {
        let program = std::env::current_exe().ok();
        let beside = program.and_then(|program| Some(program.parent()?.to_owned()));
        Self::default().and_prefixed(beside, PREFIX).and_prefixed(default_plugin_folder(), "")
    }

    /// One more folder, all of whose `.so` files count.
    #[must_use]
    pub fn and(self, path: impl Into<PathBuf>) -> Self {
        self.and_prefixed(Some(path.into()), "")
    }

    fn and_prefixed(mut self, path: Option<PathBuf>, prefix: &'static str) -> Self {
        self.0.extend(path.map(|path| Folder { path, prefix }));
        self
    }

    /// The folders, whether they are there or not.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|folder| folder.path.as_path())
    }

    /// The files in them that may be plugins, by name within each folder. A folder that is not there has none.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.iter().flat_map(Folder::files).collect()
    }
}

impl Folder {
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = paths.filter(|path| self.counts(path)).collect();
        files.sort_unstable();
        files
    }

    fn counts(&self, path: &Path) -> bool {
        let named = path.file_name().and_then(OsStr::to_str).is_some_and(|name| {
            name.starts_with(self.prefix)
                && !name.starts_with('.')
                && Path::new(name).extension() == Some("so".as_ref())
        });
        named && path.is_file()
    }
}

/// The user's plugins: `nshot/plugins` in the data folder.
pub fn default_plugin_folder() -> Option<PathBuf> {
    Some(data_folder()?.join("plugins"))
}

/// The user's plugin store: `nshot/store` in the data folder.
pub fn default_store() -> Option<PathBuf> {
    Some(data_folder()?.join("store"))
}

/// `$XDG_DATA_HOME/nshot`, else `~/.local/share/nshot`.
fn data_folder() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(std::env::home_dir()?.join(".local/share")))?;
    Some(base.join("nshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plugin_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["libnshot_plugin_b.so", "libnshot_plugin_a.so", "x.so", ".y.so", "libnshot_plugin_c.d"] {
            std::fs::write(path.join(name), "").unwrap();
        }
        std::fs::create_dir(path.join("libnshot_plugin_d.so")).unwrap();
        let names = |folders: Folders| -> Vec<String> {
            let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            folders.files().iter().map(name).collect()
        };
        let beside = Folders::default().and_prefixed(Some(path.to_owned()), PREFIX);
        assert_eq!(names(beside), ["libnshot_plugin_a.so", "libnshot_plugin_b.so"]);
        let users = Folders::default().and(path.join("absent")).and(path);
        assert_eq!(names(users), ["libnshot_plugin_a.so", "libnshot_plugin_b.so", "x.so"]);
    }

    #[test]
    fn the_standard_folders_start_beside_the_program() {
        let folders = Folders::standard();
        let program = std::env::current_exe().unwrap();
        assert_eq!(folders.paths().next(), program.parent());
    }
}
