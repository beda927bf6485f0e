//! Manifests that are refused, with the exact words, and manifests that are not.

use std::path::Path;

use serde_json::json;

use super::*;

const WHOLE: &str = r#"[run]
seed = 7
device = "cpu"

[space]
use = "nas-bench-201"
channels = 4

[sampler]
use = "spos"

[scheduler]
use = "nshot/schedules:cosine@^0.1"

[optimizer]
use = "sgd"
momentum = 0.9
groups = [{ role = "norm", weight_decay = 0.0 }]

[train]
epochs = 2
lr = 0.025

[rank]
"#;

fn parse(text: &str, overrides: &[&str]) -> Result<Manifest> {
    let overrides: Vec<_> = overrides.iter().map(|text| parse_override(text).unwrap()).collect();
    Manifest::parse(text.to_owned(), Path::new("examples/x.toml"), &overrides)
}

/// The failure's text, for the whole manifest with one text in place of another.
fn refused(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from));
    let failure = parse(&WHOLE.replacen(from, to, 1), &[]).unwrap_err();
    assert_eq!(failure.exit, 2);
    failure.to_string()
}

fn refused_with(overrides: &[&str]) -> String {
    parse(WHOLE, overrides).unwrap_err().to_string()
}

#[test]
fn a_manifest_is_read_with_its_defaults() {
    let manifest = parse(WHOLE, &[]).unwrap();
    assert_eq!((manifest.run.name.as_str(), manifest.run.seed), ("x", 7));
    assert_eq!(manifest.run.directory, Path::new("runs/x"));
    assert!((1..=1024).contains(&manifest.run.threads));
    assert_eq!(manifest.seed, SeedConfig { data: 7, init: 7, sampling: 7, augmentation: 7 });
    assert_eq!(manifest.data, DataConfig::default());
    assert_eq!(manifest.train.length(), Length::Epochs(2));
    assert_eq!((manifest.train.log_every, manifest.train.inactive), (1, Inactive::Skip));
    let rank = manifest.rank.as_ref().unwrap();
    assert_eq!((rank.subnets, rank.every, rank.batch_size, rank.top), (None, 0, 256, 10));
    assert_eq!(manifest.optimizer.settings["groups"], json!([{ "role": "norm", "weight_decay": 0.0 }]));
    assert_eq!(manifest.scheduler.uses.to_string(), "nshot/schedules:cosine@^0.1");
}

#[test]
fn the_resolved_form_is_the_same_manifest() {
    let text = r#"
        seed = { init = 3 }
        run = { name = "a.b", dtype = "float64", threads = 3, directory = "d" }
        data = { name = "cifar10", path = "images", split = { train = "i.txt", rank = 5 } }
        space = { use = { path = "../plugin", component = "cells" }, widths = [1, 2], deep = { on = true, by = 2.0 } }
        sampler.use = "p:s"
        scheduler.use = "constant"
        optimizer.use = "sgd@>=1, <3"
        state = { use = "momentum-separation" }
        train = { steps = 5, lr = 1, clip_norm = 5, inactive = "decay", stop_after = 3, recompute = true,
                  init_from = { file = "w.safetensors", map = { "weight." = "" } } }
        rank = { architectures = "list.txt" }
        search.use = "evolution"
    "#;
    for text in [text, WHOLE] {
        let manifest = parse(text, &[]).unwrap();
        let written = manifest.to_toml().unwrap();
        let again = Manifest::parse(written.clone(), Path::new("/elsewhere/manifest.toml"), &[]).unwrap();
        assert_eq!(again, manifest, "{written}");
        assert_eq!(again.to_toml().unwrap(), written);
    }
    let manifest = parse(text, &[]).unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(manifest.data.path.unwrap(), here.join("examples/images"));
    assert_eq!(manifest.seed, SeedConfig { data: 0, init: 3, sampling: 0, augmentation: 0 });
    assert_eq!(manifest.train.lr.to_bits(), 1.0_f64.to_bits());
}

#[test]
fn an_unknown_key_is_shown_with_the_nearest() {
    assert_eq!(
        refused("device =", "devcie ="),
        "examples/x.toml:3: unknown key `devcie` in `[run]`\n  |\n3 | devcie = \"cpu\"\n  | ^^^^^^\n\n\
         hint: did you mean `device`?"
    );
    assert_eq!(
        refused("[sampler]", "[smapler]"),
        "examples/x.toml:9: unknown table `[smapler]`\n  |\n9 | [smapler]\n  |  ^^^^^^^\n\nhint: did you mean `sampler`?"
    );
    assert_eq!(
        refused("[rank]", "[data]\nsplit = { tarin = 3 }"),
        "examples/x.toml:25: unknown key `tarin` in `[data.split]`\n   |\n25 | split = { tarin = 3 }\n   |           ^^^^^\n\n\
         hint: did you mean `train`?"
    );
    assert!(refused("[rank]", "[matrix]\n[rank]").ends_with("; `nshot sweep` runs it"));
    assert!(refused("seed = 7", "xyz = 7").ends_with(
        "hint: expected one of `name`, `seed`, `device`, `dtype`, `threads`, `call_limit`, `directory`"
    ));
    assert!(
        refused("use = \"spos\"", "use = { pth = \"p\" }")
            .starts_with("examples/x.toml:10: unknown key `pth` in `[sampler.use]`")
    );
}

#[test]
fn a_wrong_type_is_shown_with_what_is_expected() {
    for (from, to, said) in [
        (
            "seed = 7",
            "seed = \"7\"",
            "examples/x.toml:2: `run.seed` is the text \"7\", expected a whole number, 0 or more\n  |\n2 | seed = \"7\"\n  |        ^^^",
        ),
        (
            "seed = 7",
            "seed = -1",
            "examples/x.toml:2: `run.seed` is `-1`, expected a whole number, 0 or more",
        ),
        ("lr = 0.025", "lr = true", "examples/x.toml:22: `train.lr` is `true`, expected a number"),
        (
            "epochs = 2",
            "epochs = 2.5",
            "examples/x.toml:21: `train.epochs` is `2.5`, expected a whole number",
        ),
        ("\"cpu\"", "[1]", "examples/x.toml:3: `run.device` is a list, expected a text"),
        (
            "\"cpu\"",
            "\"cpu\"\ndtype = \"float16\"",
            "examples/x.toml:4: `run.dtype` is `float16`, expected `float32` or `float64`",
        ),
        ("[sampler]\n", "[sampler.use]\n", "examples/x.toml:10: unknown key `use` in `[sampler.use]`"),
        (
            "\"spos\"",
            "3",
            "examples/x.toml:10: `sampler.use` is `3`, expected the name of a component or { path = \"…\" }",
        ),
        ("[run]", "data = 3\n[run]", "examples/x.toml:1: `data` is `3`, expected a table"),
        (
            "[run]",
            "[data]\nname = \"digits\"\nsplit = [64, 32]\n[run]",
            "examples/x.toml:3: `data.split` is a list, expected a table",
        ),
    ] {
        let found = refused(from, to);
        assert!(found.starts_with(said), "{found}\nexpected\n{said}");
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        refused("lr = 0.025", ""),
        "examples/x.toml:20: `lr` is missing in `[train]`\n   |\n20 | [train]\n   |  ^^^^^"
    );
    assert_eq!(
        refused("[sampler]\nuse = \"spos\"", ""),
        "examples/x.toml: the table `[sampler]` is missing\n\n\
         hint: it needs `use`; `nshot plugin list` shows what there is, for example `use = \"spos\"`"
    );
    assert!(
        refused("use = \"sgd\"", "").starts_with("examples/x.toml:15: `use` is missing in `[optimizer]`")
    );
    assert!(
        refused("epochs = 2", "")
            .starts_with("examples/x.toml:20: `epochs` or `steps` is missing in `[train]`")
    );
    let empty = parse("", &[]).unwrap_err().to_string();
    assert!(empty.starts_with("examples/x.toml: the table `[space]` is missing"), "{empty}");
}

#[test]
fn what_is_no_toml_is_shown() {
    assert_eq!(
        refused("seed = 7", "seed = 7\nseed = 8"),
        "examples/x.toml:3: the key `seed` is given twice\n  |\n3 | seed = 8\n  | ^^^^"
    );
    assert!(refused("seed = 7", "seed =").starts_with("examples/x.toml:2: this is no TOML: "));
    assert!(refused("[rank]", "[rank").starts_with("examples/x.toml:24: this is no TOML: "));
    assert!(refused("[rank]", "[train]").starts_with("examples/x.toml:24: the key `train` is given twice"));
    assert!(refused("seed = 7", "seed = 99999999999999999999").starts_with("examples/x.toml:2: "));
}

#[test]
fn values_out_of_range_are_refused() {
    for (from, to, said) in [
        ("epochs = 2", "epochs = 0", ":21: `train.epochs` is 0, expected at least 1\n"),
        ("epochs = 2", "steps = 0", ":21: `train.steps` is 0, expected at least 1\n"),
        (
            "epochs = 2",
            "epochs = 9999999999",
            ":21: `train.epochs` is 9999999999, expected at most 1000000000",
        ),
        ("lr = 0.025", "lr = 0", ":22: `train.lr` is 0, expected a finite number above 0"),
        ("lr = 0.025", "lr = nan", ":22: `train.lr` is NaN, expected a finite number above 0"),
        ("lr = 0.025", "lr = 1\nclip_norm = -inf", ":23: `train.clip_norm` is -inf, expected"),
        ("seed = 7", "threads = 0", ":2: `run.threads` is 0, expected at least 1"),
        ("seed = 7", "threads = 1025", ":2: `run.threads` is 1025, expected at most 1024"),
        ("seed = 7", "name = \"a/b\"", ":2: `run.name` is `a/b`, expected 1 to 100 letters"),
        ("seed = 7", "name = \"\"", ":2: `run.name` is ``, expected"),
        ("seed = 7", "directory = \"\"", ":2: `run.directory` is empty"),
        (
            "\"cpu\"",
            "\"gpu\"",
            ":3: `run.device` is `gpu`, expected `auto`, `cpu`, `cuda` or `cuda:` with a number",
        ),
        ("[rank]", "[rank]\nbatch_size = 0", ":25: `rank.batch_size` is 0, expected at least 1"),
        ("[rank]", "[rank]\nsubnets = 0", ":25: `rank.subnets` is 0, expected at least 1"),
        (
            "[rank]",
            "[rank]\nsubnets = 2\narchitectures = 'a'",
            ":26: `[rank]` has both `subnets` and `architectures`",
        ),
        ("epochs = 2", "epochs = 2\nsteps = 2", ":22: `[train]` has both `epochs` and `steps`"),
        ("channels = 4", "channels = inf", ":7: `space.channels` holds inf, expected a finite number"),
        ("\"spos\"", "\"Spos\"", ":10: `sampler.use` has the name `Spos`, expected 1 to 64"),
        ("\"spos\"", "\"\"", ":10: `sampler.use` has the name ``, expected"),
        ("\"spos\"", "\"a/b\"", ":10: `sampler.use` is `a/b`, expected `group/plugin:component`"),
        ("\"spos\"", "\"a@1.2.3.4\"", ":10: `sampler.use` has the version `1.2.3.4`, which is none: "),
    ] {
        let found = refused(from, to);
        assert!(found.starts_with(&format!("examples/x.toml{said}")), "{found}\nexpected\n{said}");
    }
}

#[test]
fn zero_epochs_rank_given_weights() {
    let given = "epochs = 0\ninit_from = { file = \"w.safetensors\" }";
    assert!(parse(&WHOLE.replace("epochs = 2", given), &[]).is_ok());
    assert!(parse(&WHOLE.replace("epochs = 2", given).replace("[rank]", ""), &[]).is_err());
}

#[test]
fn overrides_are_toml_values_or_texts() {
    let manifest = parse(
        WHOLE,
        &[
            "train.lr=1e-3",
            "data.name=cifar10",
            "space.channels=16",
            "state.use=separate",
            "run.name = other",
            "optimizer.\"a.b\"=[1, 2]",
            "space.channels=8",
        ],
    )
    .unwrap();
    assert_eq!(manifest.train.lr.to_bits(), 1e-3_f64.to_bits());
    assert_eq!((manifest.data.name.as_str(), manifest.run.name.as_str()), ("cifar10", "other"));
    assert_eq!(manifest.run.directory, Path::new("runs/other"));
    assert_eq!(manifest.space.settings["channels"], 8);
    assert_eq!(manifest.optimizer.settings["a.b"], json!([1, 2]));
    assert_eq!(manifest.state.unwrap().uses.component(), Some("separate"));
}

#[test]
fn overrides_that_do_not_fit_are_refused() {
    assert_eq!(
        refused_with(&["train.epohcs=3"]),
        "`--set train.epohcs=3`: unknown key `epohcs` in `[train]`\n\nhint: did you mean `epochs`?"
    );
    assert_eq!(refused_with(&["run.seed.x=1"]), "`--set run.seed.x=1`: `run.seed` is no table");
    assert_eq!(
        refused_with(&["train.epochs=many"]),
        "`--set train.epochs=many`: `train.epochs` is the text \"many\", expected a whole number, 0 or more"
    );
    assert!(refused_with(&["tran.lr=1"]).starts_with("`--set tran.lr=1`: unknown table `[tran]`"));
    assert!(refused_with(&["data.name=a\nb = 1", "data.nam=x"]).contains("data.nam"));
    for wrong in ["train.epochs", "=3", "a b=3", "a.=3", "a\nb=3"] {
        assert!(parse_override(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn later_faults_point_at_their_line() {
    let manifest = parse(WHOLE, &["train.lr=2.0"]).unwrap();
    assert_eq!(manifest.line_of("space.channels"), Some(7));
    assert_eq!(manifest.line_of("space.cells"), Some(5));
    assert_eq!(manifest.line_of("train.lr"), None);
    assert_eq!(manifest.line_of("search.use"), None);
    let failure = manifest.locate("space.channels", Failure::new("too few").hint("more"));
    assert_eq!(
        failure.to_string(),
        "examples/x.toml:7: too few\n  |\n7 | channels = 4\n  |            ^\n\nhint: more"
    );
    assert_eq!(failure.exit, 1);
    assert_eq!(manifest.locate("train.lr", Failure::new("wrong")).message, "`--set train.lr=2.0`: wrong");
    assert_eq!(manifest.locate("data.name", Failure::new("wrong")).message, "examples/x.toml: wrong");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| Manifest::load(&folder.path().join(name), &[]).unwrap_err().to_string();
    let shown = folder.path().display().to_string();
    assert_eq!(load("no.toml"), format!("there is no manifest `{shown}/no.toml`"));
    assert_eq!(load(""), format!("`{shown}/` is a folder, expected a manifest"));
    std::fs::write(folder.path().join("x.toml"), b"[run]\nname = \"\xff\"\n").unwrap();
    assert_eq!(load("x.toml"), format!("{shown}/x.toml:2: the manifest is not UTF-8 text"));
    std::fs::write(folder.path().join("big.toml"), vec![b'#'; 2 << 20]).unwrap();
    assert!(load("big.toml").ends_with("has more than 1048576 bytes"));
    std::fs::write(folder.path().join("my run.toml"), WHOLE).unwrap();
    let unnamed = load("my run.toml");
    assert!(unnamed.contains("the file name `my run` cannot be the run's name"), "{unnamed}");
    assert!(unnamed.ends_with("hint: set `name` in `[run]`"), "{unnamed}");
}
