//! What was computed stays: damaged and changed files are named before anything is written over.

use crate::harness::{self, Bench};
use crate::small;

const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 2\n";

#[test]
fn a_damaged_line_costs_no_scores() {
    let bench = small::trained(TRAIN);
    let search = ["search", "run", "--quiet", "--set", "search.use=random", "--set", "search.count=8"];
    bench.nshot(&search).ok();
    let candidates = bench.path("run/search/random/candidates.csv");
    let whole = std::fs::read_to_string(&candidates).unwrap();
    let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
    lines[3] = "nonsense,1\n";
    let damaged = lines.concat();
    for state in [true, false] {
        if !state {
            std::fs::remove_file(bench.path("run/search/random/state.json")).unwrap();
        }
        std::fs::write(&candidates, &damaged).unwrap();
        let refused = bench.nshot(&search);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("candidates.csv` is damaged at line 4: "), "{}", refused.stderr);
        assert_eq!(std::fs::read_to_string(&candidates).unwrap(), damaged);
    }
    std::fs::write(&candidates, &whole).unwrap();
    bench.nshot(&search).ok();
    assert_eq!(std::fs::read_to_string(&candidates).unwrap(), whole);
}

/// A front is of one table of costs.
#[test]
fn a_search_goes_on_with_what_it_began_with() {
    let bench = small::trained(TRAIN);
    let table = |cost: u32| {
        let mut text = "arch,joule\n".to_owned();
        for (number, name) in small::architectures().iter().enumerate() {
            text += &format!("{name},{}\n", number as u32 % 7 + cost);
        }
        bench.write("joule.csv", &text);
    };
    table(1);
    let measure = format!("measures.joule={{per='architecture',table={:?}}}", bench.path("joule.csv"));
    let uses = "search={use='random',count=40,limits={joule=5}}";
    let search = ["search", "run", "--quiet", "--set", &measure, "--set", uses];
    bench.nshot(&search).ok();
    let lock = std::fs::read(bench.path("run/search/random/lock.json")).unwrap();
    table(2);
    let refused = bench.nshot(&search);
    assert!(
        refused.error(1).contains("joule.csv` is not the one that the search began with"),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read(bench.path("run/search/random/lock.json")).unwrap(), lock);

    // The same settings, another file: a byte behind the library's end.
    table(1);
    let plugin = bench.path("libmine.so");
    std::fs::copy(harness::test_plugin("faulty"), &plugin).unwrap();
    let uses = format!("search.use={{path={plugin:?},component='faulty'}}");
    let search = ["search", "run", "--quiet", "--name", "mine", "--set", &uses];
    bench.nshot(&search).ok();
    let mut bytes = std::fs::read(&plugin).unwrap();
    bytes.push(0);
    std::fs::remove_file(&plugin).unwrap();
    std::fs::write(&plugin, bytes).unwrap();
    let refused = bench.nshot(&search);
    assert!(refused.error(1).contains("began with `faulty` of `nshot-tests/"), "{}", refused.stderr);
}

/// The search of a run goes on with the searcher that replaces its own.
#[test]
fn a_mended_searcher_goes_on() {
    let bench = Bench::new();
    let plugin = harness::test_plugin("faulty");
    let search =
        format!("[search]\nuse = {{ path = {plugin:?}, component = \"faulty\" }}\nfault = \"late\"\n");
    bench.write("run.toml", &format!("{}{TRAIN}{search}", small::BASE));
    let failed = bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]);
    assert!(failed.error(1).contains("in `ask`: it does not feel like it"), "{}", failed.stderr);
    assert!(failed.stderr.contains("`nshot resume run --replace search=PATH`"), "{}", failed.stderr);
    let candidates = bench.path("run/search/faulty/candidates.csv");
    let scored = std::fs::read_to_string(&candidates).unwrap();
    let mended = bench.path("libmended.so");
    std::fs::copy(&plugin, &mended).unwrap();
    let replace = format!("search={{ path = {mended:?}, component = \"faulty\" }}");
    bench.nshot(&["resume", "run", "--quiet", "--replace", &replace, "--set", "search.fault=none"]).ok();
    assert_eq!(std::fs::read_to_string(&candidates).unwrap(), scored);
    assert_eq!(small::json(&bench.path("run/search/faulty/result.json"))["rounds"], 1);
    assert_eq!(small::json(&bench.path("run/status.json"))["state"], "done");
}

/// The checkpoint holds the last stage alone.
#[test]
fn an_earlier_supernet_that_is_gone_is_told_of() {
    let staged = harness::test_plugin("staged");
    let bench = Bench::new();
    let base = small::BASE.replace("use = \"spos\"", &format!("use = {{ path = {staged:?} }}\nepochs = 1"));
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.01\nepochs = 1\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let (first, last) =
        (bench.path("run/supernets/low.safetensors"), bench.path("run/supernets/high.safetensors"));
    let bytes = std::fs::read(&last).unwrap();
    std::fs::remove_file(&last).unwrap();
    bench.nshot(&["resume", "run", "--quiet"]).ok();
    assert_eq!(std::fs::read(&last).unwrap(), bytes);
    std::fs::remove_file(&first).unwrap();
    let refused = bench.nshot(&["resume", "run", "--quiet"]);
    assert!(refused.error(1).contains("the supernet of the stage `low` is gone"), "{}", refused.stderr);
    assert!(refused.stderr.contains("low.safetensors`, or start the run anew"), "{}", refused.stderr);
}

/// What a ranking takes by default in one run is no wish for all later ones.
#[test]
fn a_table_is_ranked_whole_also_where_the_run_ranked_some() {
    let bench = small::trained(&format!("{TRAIN}[rank]\nbatch_size = 64\n"));
    assert_eq!(small::rows(&bench.path("run/scores.csv")).len(), 100);
    let rows = (0..130).map(|number| format!("{},{}\n", small::architecture(number * 100), number % 60));
    bench.write("truth.csv", &format!("arch,accuracy\n{}", rows.collect::<String>()));
    let table = format!("rank.table={:?}", bench.path("truth.csv"));
    bench.nshot(&["rank", "run", "--quiet", "--name", "truth", "--set", &table]).ok();
    assert_eq!(small::rows(&bench.path("run/rankings/truth/scores.csv")).len(), 130);

    let values: Vec<f64> = (0..15_625).map(|number| f64::from(number % 60)).collect();
    bench.write("truth.json", &serde_json::to_string(&values).unwrap());
    let table = format!("rank.table={:?}", bench.path("truth.json"));
    for (set, key) in [("rank.subset=half", "rank.subset"), ("rank.column=[\"a\"]", "rank.column")] {
        let refused =
            bench.nshot(&["rank", "run", "--quiet", "--name", "list", "--set", &table, "--set", set]);
        assert!(refused.error(2).contains(&format!("`{key}` is of CSV files")), "{}", refused.stderr);
    }
}

#[test]
fn a_model_and_its_example_are_two_files() {
    let bench = small::trained(TRAIN);
    let one = small::architecture(3000);
    let export = |output: &str, example: &str| {
        let files = ["--format", "safetensors", "--output", output, "--example", example];
        bench.nshot(&[&["export", "run", "--arch", &one], &files[..]].concat())
    };
    for example in ["m.safetensors", "./m.safetensors", bench.path("m.safetensors").to_str().unwrap()] {
        let refused = export("m.safetensors", example);
        assert!(refused.error(2).contains("both the model and the example"), "{}", refused.stderr);
    }
    assert!(!bench.path("m.safetensors").exists());
    export("m.safetensors", "e.safetensors").ok();
}

/// A supernet is what was trained, whatever is done with it.
#[test]
fn a_damaged_supernet_is_told_of() {
    let bench = small::trained(TRAIN);
    let path = bench.path("run/supernets/supernet.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 0x40;
    std::fs::write(&path, &damaged).unwrap();
    bench.write("from.toml", &format!("{}{TRAIN}init_from = {{ run = \"run\" }}\n", small::BASE));
    let architecture = small::architecture(7);
    for arguments in [
        &["rank", "run", "--quiet"][..],
        &["search", "run", "--quiet", "--set", "search.use=random"],
        &["export", "run", "--arch", &architecture, "--format", "safetensors"],
        &["run", "from.toml", "--quiet", "--directory", "from"],
    ] {
        let refused = bench.nshot(arguments);
        assert!(
            refused.error(1).contains("supernet.safetensors` is damaged: its SHA-256"),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
    std::fs::remove_file(&path).unwrap();
    bench.nshot(&["resume", "run", "--quiet"]).ok();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    bench.nshot(&["rank", "run", "--quiet"]).ok();
}

/// A run whose manifest was edited is not the one that began.
#[test]
fn a_changed_manifest_is_told_of() {
    let bench = small::trained(TRAIN);
    let manifest = bench.path("run/manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        std::fs::write(&manifest, text.replace(from, to)).unwrap();
    };
    std::fs::remove_file(bench.path("run/status.json")).unwrap();
    assert!(!bench.nshot(&["resume", "run", "--quiet"]).ok().stderr.contains("was changed"));
    std::fs::remove_file(bench.path("run/status.json")).unwrap();
    edit("lr = 0.05", "lr = 0.06");
    let resumed = bench.nshot(&["resume", "run", "--quiet"]).ok();
    assert!(resumed.stderr.contains("manifest.toml` was changed since the run began"), "{}", resumed.stderr);
    edit("steps = 2", "steps = 1");
    std::fs::remove_file(bench.path("run/status.json")).unwrap();
    let refused = bench.nshot(&["resume", "run", "--quiet"]);
    assert!(
        refused.error(1).contains("the checkpoint is at step 2, but the manifest has 1 steps"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_score_that_cannot_be_is_no_score() {
    let bench = small::trained(TRAIN);
    let search = ["search", "run", "--quiet", "--set", "search.use=random", "--set", "search.count=4"];
    bench.nshot(&search).ok();
    let candidates = bench.path("run/search/random/candidates.csv");
    let text = std::fs::read_to_string(&candidates).unwrap();
    let line = text.lines().nth(2).unwrap();
    let mut fields: Vec<&str> = line.split(',').collect();
    fields[1] = "99999";
    std::fs::write(&candidates, text.replace(line, &fields.join(","))).unwrap();
    let refused = bench.nshot(&search);
    assert!(refused.error(1).contains("is damaged at line 3: 99999 of "), "{}", refused.stderr);
}

/// A ranking's figures are of one ground truth.
#[test]
fn a_ranking_is_not_taken_for_that_of_another_table() {
    let bench = small::trained(TRAIN);
    let table = |shift: usize| {
        let rows = (0..12).map(|at| format!("{},{}\n", small::architecture(at * 100), (at + shift) % 7 + 50));
        bench.write("truth.csv", &format!("arch,accuracy\n{}", rows.collect::<String>()))
    };
    table(0);
    let set = format!("rank.table={:?}", bench.path("truth.csv"));
    let rank = ["rank", "run", "--quiet", "--name", "truth", "--set", &set];
    let first = bench.nshot(&rank).ok().stdout;
    assert_eq!(bench.nshot(&rank).ok().stdout, first);
    table(3);
    let refused = bench.nshot(&rank);
    assert!(
        refused.error(1).contains("the ranking `truth` is there, made with other files"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("give this one another `--name`"), "{}", refused.stderr);
}

#[test]
fn a_run_whose_directory_is_removed_fails() {
    let bench = Bench::new();
    bench.write("run.toml", &format!("{}[train]\nlr = 0.05\nsteps = 4000\n", small::BASE));
    let path = bench.path("run");
    let run = ["run", "run.toml", "--quiet", "--directory", "run"];
    let trains = || std::fs::read_dir(path.join("checkpoints")).is_ok_and(|mut all| all.next().is_some());
    let Ok(child) = small::start_until(&bench, &run, trains) else { panic!("it ended too early") };
    std::fs::rename(&path, bench.path("elsewhere")).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("was removed while the run was at work"), "{said}");
}
