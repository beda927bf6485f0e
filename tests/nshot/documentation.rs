//! What README, docs and examples say comes true.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{self, Bench, Run};

const FIRST_RUN: &str = "examples/first-run.toml";

/// README and docs, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let project = harness::project();
    let mut paths = vec![project.join("README.md"), project.join("host/data/assets/README.md")];
    paths.extend(files(&project.join("docs"), "md"));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn readme() -> String {
    fs::read_to_string(harness::project().join("README.md")).unwrap()
}

/// The files of a folder with this extension, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no .{extension} in {}", folder.display());
    paths
}

/// The part of a document under a heading that begins so, up to the next of its rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(heading).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let rank = format!("\n{} ", "#".repeat(heading.chars().take_while(|c| *c == '#').count()));
    let end = text[start..].find(&rank).map_or(text.len(), |end| start + end);
    &text[start..end]
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_first_run_prints_what_the_readme_shows() {
    let readme = readme();
    assert!(readme.contains(&format!("\ncargo xtask run {FIRST_RUN}\ncargo xtask test\n")));
    let bench = Bench::new();
    let manifest = harness::project().join(FIRST_RUN);
    let short = ["--set", "train.epochs=2", "--set", "rank.subnets=12"];
    let run = bench.nshot(&[&["run", manifest.to_str().unwrap()], &short[..]].concat()).ok();
    assert!(run.stdout.starts_with("the best 10 of 12 ranked subnets:\n\n"), "{}", run.stdout);
    // The same rows and columns, with other numbers.
    let shown = section(&readme, "## Two commands").split("```text\n").nth(1).unwrap();
    let first_words = |text: &str| -> Vec<String> {
        let lines =
            text.split("```").next().unwrap().lines().filter(|line| line.starts_with(char::is_alphabetic));
        lines.skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    assert_eq!(first_words(&run.stdout), first_words(shown));
    let header = |text: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.contains("architecture")).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(header(&run.stdout), header(shown));
    assert!(bench.path("runs/first-run/scores.csv").is_file());
}

#[test]
fn examples_pass_the_dry_run() {
    let bench = Bench::new();
    for example in files(&harness::project().join("examples"), "toml") {
        let name = example.display().to_string();
        let text = std::fs::read_to_string(&example).unwrap();
        let command = match (text.contains("[matrix]"), text.contains("[standalone]")) {
            (true, _) => "sweep",
            (_, true) => "standalone",
            _ => "run",
        };
        let run = bench.nshot(&[command, &name, "--dry-run"]);
        if run.code != Some(0) {
            let error = run.error(1);
            let absent = error.contains("dataset `") && error.contains("` not found in `");
            assert!(absent || error.contains("imagenet"), "{error}");
        }
        // All but the data, also where these are absent.
        let side = if text.contains("mobilenet") { 64 } else { 16 };
        let data = format!("data={{name='digits',resize={side},split={{train=1300,rank=100}}}}");
        let mut arguments = vec![command, &name, "--dry-run", "--set", &data, "--set", "rank.images=100"];
        if text.contains("mobilenet") {
            // The limits are for images of 224x224 pixels.
            arguments.extend(["--set", "sampler={use='spos'}", "--set", "search={use='evolution'}"]);
        }
        bench.nshot(&arguments).ok();
        for made in ["runs", "sweeps"] {
            assert!(!bench.path(made).exists(), "a dry run made `{made}`");
        }
    }
}

#[test]
fn the_readme_plugin_runs_from_outside() {
    let readme = readme();
    let section = section(&readme, "## Your first plugin");
    let bench = Bench::new();
    let mut blocks = section.split("```");
    let mut before = blocks.next().unwrap();
    let mut written = Vec::new();
    while let (Some(block), Some(after)) = (blocks.next(), blocks.next()) {
        // The last thing in backticks before the block is the file's name.
        let name = before.rsplit('`').nth(1).unwrap();
        bench.write(name, block.split_once('\n').unwrap().1);
        written.push(name);
        before = after;
    }
    assert_eq!(written, ["largest-first/Cargo.toml", "largest-first/src/lib.rs", "largest-first.toml"]);
    assert!(section.contains("`nshot/target/release/nshot run largest-first.toml`"));

    let project = harness::project();
    symlink(project, bench.path("nshot")).unwrap();
    // The versions that this build has fetched already.
    fs::copy(project.join("Cargo.lock"), bench.path("largest-first/Cargo.lock")).unwrap();
    let mut command = bench.command(&["run", "largest-first.toml", "--set", "run.threads=1"]);
    // Cargo and rustup find themselves in the user's real home.
    command.env("HOME", std::env::var_os("HOME").unwrap()).env("XDG_DATA_HOME", bench.path("data"));
    command.env("CARGO_TARGET_DIR", harness::release().parent().unwrap().join("outside-plugin"));
    let run = Run::of(command.output().unwrap(), &["run", "largest-first.toml"]).ok();
    assert!(run.stdout.starts_with("the best 10 of 20 ranked subnets:"), "{}", run.stdout);

    let metrics = fs::read_to_string(bench.path("runs/largest-first/metrics.jsonl")).unwrap();
    let largest =
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";
    let mut others = 0;
    for line in metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let is_largest = line["paths"] == serde_json::json!([largest]);
        assert!(is_largest || line["epoch"].as_u64().unwrap() >= 2, "{line}");
        others += u32::from(!is_largest);
    }
    assert!(others > 50, "{others}");
    let lock = fs::read_to_string(bench.path("runs/largest-first/lock.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&lock).unwrap()["components"]["sampler"]["group"], "my-lab");
}

#[test]
fn relative_links_lead_somewhere() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{}: no `{link}`", path.display());
            links += 1;
        }
    }
    assert!(links >= 8, "{links}");
}

/// What stands in backticks, and the lines of fenced blocks.
fn code(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            found.extend(part.lines());
        } else {
            found.extend(part.split('`').skip(1).step_by(2));
        }
    }
    found
}

#[test]
fn commands_in_the_documents_exist() {
    let bench = Bench::new();
    let mut seen = BTreeSet::new();
    for (_, text) in documents() {
        for command in code(&text).into_iter().filter_map(|code| code.strip_prefix("nshot ")) {
            let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
            let words: Vec<_> = command.split(' ').take_while(is_word).take(2).map(str::to_owned).collect();
            seen.insert(words);
        }
    }
    assert!(seen.len() >= 6, "{seen:?}");
    for words in seen {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        bench.nshot(&arguments).ok();
    }
}

#[test]
fn what_is_there_is_told() {
    let bench = Bench::new();
    let doctor = bench.nshot(&["doctor"]).ok().stdout;
    assert!(doctor.contains("libtorch 2.13") && doctor.contains("digits"), "{doctor}");
    let data = bench.nshot(&["data", "list"]).ok().stdout;
    for name in ["digits: ", "fashion-mnist: ", "cifar10: ", "batches: "] {
        assert!(data.contains(name), "{name} in {data}");
    }
    assert!(bench.nshot(&["space", "list"]).ok().stdout.contains("nas-bench-201"));
    let space = bench.nshot(&["space", "show", "nas-bench-201", "--svg", "cell.svg"]).ok().stdout;
    assert!(space.contains("15,625") && space.contains("72,752"), "{space}");
    assert!(fs::read_to_string(bench.path("cell.svg")).unwrap().contains("<svg"));
}

#[test]
fn every_key_of_a_manifest_is_explained() {
    let bench = Bench::new();
    let text = fs::read_to_string(harness::project().join("docs/manifest.md")).unwrap();
    // With the keys that a resolved manifest leaves out while they are not set.
    let mut arguments = vec!["run".to_owned(), harness::project().join(FIRST_RUN).display().to_string()];
    for set in [
        "train.stop_after=1",
        "train.checkpoint_every=5",
        "rank.images=20",
        "rank.subnets=1",
        "data.drop_last=true",
        "state.use=momentum-separation",
    ] {
        arguments.extend(["--set".to_owned(), set.to_owned()]);
    }
    bench.nshot(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    let resolved = fs::read_to_string(bench.path("runs/first-run/manifest.toml")).unwrap();
    let mut table = "";
    let mut keys = 0;
    for line in resolved.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').split('.').next().unwrap();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let host = ["run", "seed", "data", "train", "rank"].contains(&table);
            let heading = if host { format!("## `[{table}]`") } else { "## Tables of components".to_owned() };
            assert!(
                section(&text, &heading).contains(&format!("`{key}")),
                "`{key}` of [{table}]:\n{resolved}"
            );
            keys += 1;
        }
    }
    assert!(keys > 40, "{keys}");
    for key in ["path", "classes", "normalise", "init_from", "steps", "architectures"] {
        assert!(text.contains(&format!("| `{key}` |")), "{key}");
    }
}

#[test]
fn every_built_in_component_is_explained() {
    let text = fs::read_to_string(harness::project().join("docs/manifest.md")).unwrap();
    let built_in = section(&text, "### The built-in components");
    let plugins = json(&Bench::new().nshot(&["plugin", "list", "--json"]).ok());
    let mut components = 0;
    for plugin in plugins.as_array().unwrap().iter().filter(|plugin| plugin["metadata"]["group"] == "nshot") {
        for component in plugin["components"].as_array().unwrap() {
            let name = component["name"].as_str().unwrap();
            let row = built_in.lines().find(|line| line.contains(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("`{name}` is not explained"));
            for setting in component["schema"]["properties"].as_object().into_iter().flatten() {
                assert!(
                    row.contains(&format!("`{}", setting.0)),
                    "`{}` of `{name}` is not explained",
                    setting.0
                );
            }
            components += 1;
        }
    }
    assert!(components >= 5, "{components}");
}

#[test]
fn built_in_plugins_need_nothing_but_the_c_library() {
    let mut plugins = 0;
    for path in files(harness::release(), "so") {
        if !path.file_name().unwrap().to_str().unwrap().starts_with("libnshot_plugin_") {
            continue;
        }
        let output = Command::new("ldd").arg(&path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("libc.so"), "{}: {text}", path.display());
        for needed in text.lines().map(|line| line.split_whitespace().next().unwrap()) {
            let name = needed.rsplit('/').next().unwrap();
            let known = ["linux-vdso.so.1", "libc.so.6", "libgcc_s.so.1", "libm.so.6"].contains(&name);
            assert!(known || name.starts_with("ld-linux"), "{} needs {needed}", path.display());
        }
        plugins += 1;
    }
    assert!(plugins >= 4, "{plugins}");
}
