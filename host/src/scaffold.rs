//! `nshot plugin new`: a crate that builds, with the shortest useful example of its kind.

mod sdk;

use std::path::{Path, PathBuf};

use nshot_loader::Kind;

use crate::failure::{Failure, Result};
use crate::plugins::table;
use crate::run_directory::{open_to_all, sync_folder};

/// The longest name of a plugin.
const LONGEST_NAME: usize = 40;
/// Where the SDK lies in a new crate.
const VENDOR: &str = "vendor";

/// What is made.
#[derive(Debug, Clone)]
pub struct New {
    /// The component's kind.
    pub kind: Kind,
    /// Name of the crate, the plugin and its component.
    pub name: String,
    /// The folder that gets the crate's folder.
    pub parent: PathBuf,
    /// The SDK's folder, where the one in this program is not wanted.
    pub sdk: Option<PathBuf>,
}

/// Makes the crate; returns its folder. It appears whole or not at all.
///
/// # Errors
/// The name cannot be a plugin's, the folder is there already, or a file cannot be written.
pub fn create(new: &New) -> Result<PathBuf> {
    check_name(&new.name)?;
    let folder = new.parent.join(&new.name);
    if folder.exists() {
        return Err(Failure::new(format!("`{}` is there already", folder.display()))
            .hint("choose another name, or another folder with --path"));
    }
    std::fs::create_dir_all(&new.parent)
        .map_err(|error| Failure::file("make the folder", &new.parent, &error))?;
    let beside = tempfile::Builder::new().prefix(".new-plugin-").tempdir_in(&new.parent);
    let beside = beside.map_err(|error| Failure::file("make a folder in", &new.parent, &error))?;
    let sdk = if let Some(sdk) = &new.sdk {
        given_sdk(sdk)?
    } else {
        sdk::unpack(&beside.path().join(VENDOR))?;
        format!("{VENDOR}/sdk")
    };
    let words = Words { new, sdk: &sdk };
    for (name, template) in [
        ("Cargo.toml", include_str!("../templates/Cargo.toml.txt")),
        ("README.md", include_str!("../templates/README.md.txt")),
        (".gitignore", include_str!("../templates/gitignore.txt")),
        ("run.toml", include_str!("../templates/run.toml.txt")),
        ("src/lib.rs", source(new.kind)),
    ] {
        write(&beside.path().join(name), words.fill(template).as_bytes())?;
    }
    open_to_all(beside.path());
    std::fs::rename(beside.path(), &folder).map_err(|error| Failure::file("make", &folder, &error))?;
    // It has its name; nothing is left to remove.
    let _ = beside.keep();
    sync_folder(&new.parent)?;
    Ok(folder)
}

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    // What rustc or cargo would not take as a crate's name.
    let taken = ["test", "core", "std", "self", "super", "crate", "nshot-sdk", "serde", "schemars", "vendor"];
    if ends
        && name.len() <= LONGEST_NAME
        && name.chars().all(plain)
        && !name.contains("--")
        && !taken.contains(&name)
    {
        return Ok(());
    }
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    Err(Failure::usage(format!("`{shown}` cannot be a plugin's name")).hint(format!(
        "expected 1 to {LONGEST_NAME} of the characters a-z, 0-9 and `-`, such as `my-sampler`"
    )))
}

fn given_sdk(sdk: &Path) -> Result<String> {
    let path = sdk.canonicalize().map_err(|error| Failure::file("find the SDK", sdk, &error))?;
    let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("name = \"nshot-sdk\"") {
        let text = format!("`{}` is not the folder of the crate `nshot-sdk`", sdk.display());
        return Err(Failure::usage(text));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| Failure::new("the SDK's path is not UTF-8"))
}

fn source(kind: Kind) -> &'static str {
    match kind {
        Kind::SearchSpace => include_str!("../templates/search-space.rs.txt"),
        Kind::Sampler => include_str!("../templates/sampler.rs.txt"),
        Kind::LrScheduler => include_str!("../templates/lr-scheduler.rs.txt"),
        Kind::Optimizer => include_str!("../templates/optimizer.rs.txt"),
        Kind::StateGroups => include_str!("../templates/state-groups.rs.txt"),
        Kind::Searcher => include_str!("../templates/searcher.rs.txt"),
    }
}

/// What stands for the `{{…}}` of the templates.
struct Words<'a> {
    new: &'a New,
    sdk: &'a str,
}

impl Words<'_> {
    fn fill(&self, template: &str) -> String {
        let kind = self.new.kind;
        let own = "use = { path = \".\" }";
        let of = |place: Kind, other: &str| if kind == place { own.to_owned() } else { other.to_owned() };
        let optional = |place: Kind, table: &str| {
            if kind == place { format!("\n[{table}]\n{own}\n") } else { String::new() }
        };
        let pairs = [
            ("{{name}}", self.new.name.clone()),
            ("{{Name}}", type_name(&self.new.name)),
            ("{{about}}", about(kind).to_owned()),
            ("{{table}}", table(kind).to_owned()),
            ("{{sdk}}", self.sdk.to_owned()),
            ("{{space}}", of(Kind::SearchSpace, "use = \"nas-bench-201\"\nchannels = 4\ncells = 1")),
            ("{{sampler}}", of(Kind::Sampler, "use = \"spos\"")),
            ("{{scheduler}}", of(Kind::LrScheduler, "use = \"cosine\"")),
            ("{{optimizer}}", of(Kind::Optimizer, "use = \"sgd\"\nmomentum = 0.9")),
            ("{{state}}", optional(Kind::StateGroups, "state")),
            ("{{search}}", optional(Kind::Searcher, "search")),
        ];
        pairs.iter().fold(template.to_owned(), |text, (mark, word)| text.replace(mark, word))
    }
}

fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::SearchSpace => "A chain of layers, each a skip or a convolution.",
        Kind::Sampler => "Subnets drawn uniformly.",
        Kind::LrScheduler => "A learning rate that falls in a straight line.",
        Kind::Optimizer => "Gradient descent with momentum.",
        Kind::StateGroups => "Optimizer state apart for each option of one choice.",
        Kind::Searcher => "Changes one option of the best subnet so far.",
    }
}

/// `my-sampler` as `MySampler`.
/// Types that a template uses: the SDK's prelude and what else stands in the file.
const USED: &str = "Architecture Ask Attributes BatchNorm Choice ChoiceIndex Conv2d Declare Deserialize Err Error Graph Init \
                    JsonSchema Limits Linear LrScheduler NoSettings None Ok Optimizer Option Outcomes Paths Plan Pool \
                    Progress Random Result Role Run SampleContext Sampler Scored SearchSpace Searcher Self Serialize \
                    Settings Some StateGroups Step String Subnet Task Update Value Vec Wants";

/// The name of a plugin's type: not one that the file has already.
fn type_name(name: &str) -> String {
    let own = camel_case(name);
    if USED.split_whitespace().any(|used| used == own) { format!("My{own}") } else { own }
}

fn camel_case(name: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('-').map(upper).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    }
    std::fs::write(path, bytes).map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, parent: &Path) -> New {
        New { kind: Kind::Sampler, name: name.to_owned(), parent: parent.to_owned(), sdk: None }
    }

    #[test]
    fn names_that_cargo_or_a_manifest_would_refuse_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "A", "1st", "a_b", "a--b", "a-", "test", "ö", "../a", &"a".repeat(41)] {
            let failure = create(&new(name, folder.path())).unwrap_err();
            assert_eq!(failure.exit, 2, "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn types_are_named_after_plugins_but_not_as_traits() {
        let cases =
            [("my-sampler", "MySampler"), ("sampler", "MySampler"), ("lr-scheduler", "MyLrScheduler")];
        for (name, expected) in cases {
            assert_eq!(type_name(name), expected);
        }
    }

    #[test]
    fn templates_are_filled_and_the_sdk_lies_beside() {
        let folder = tempfile::tempdir().unwrap();
        for kind in Kind::ALL {
            let made = create(&New { kind, ..new(&format!("my-{kind}"), folder.path()) }).unwrap();
            for file in ["Cargo.toml", "README.md", "run.toml", "src/lib.rs", ".gitignore"] {
                let text = std::fs::read_to_string(made.join(file)).unwrap();
                assert!(
                    !text.contains("{{") || file == "src/lib.rs" && !text.contains("{{n"),
                    "{file}: {text}"
                );
            }
            let run = std::fs::read_to_string(made.join("run.toml")).unwrap();
            assert_eq!(run.matches("path = \".\"").count(), 1, "{run}");
            assert!(made.join("vendor/sdk/src/lib.rs").is_file());
            assert!(made.join("vendor/sdk/abi/src/lib.rs").is_file());
        }
        let again = create(&new("my-sampler", folder.path())).unwrap_err();
        assert!(again.message.ends_with("is there already"));
    }
}
