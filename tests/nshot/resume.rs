//! A run that is stopped, killed or damaged and goes on gives the files, byte for byte, that it gives when nothing
//! happens to it.

mod job;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use job::{Job, Moment, Results, send};
use safetensors::SafeTensors;

use crate::harness::{self, Run};

/// A manifest of a few seconds.
fn manifest(sampler: &str, train: &str, rank: &str) -> String {
    format!(
        "[run]\nthreads = 1\ndevice = \"cpu\"\n\
         [data]\nname = \"digits\"\nbatch_size = 16\nsplit = {{ train = 128, rank = 32 }}\n\
         [space]\nuse = \"nas-bench-201\"\nchannels = 4\ncells = 1\n\
         [sampler]\n{sampler}\n\
         [scheduler]\nuse = \"cosine\"\n\
         [optimizer]\nuse = \"sgd\"\nmomentum = 0.9\n\
         [train]\nlr = 0.05\nclip_norm = 2.0\n{train}\n\
         [rank]\n{rank}\n"
    )
}

/// With the sampler `staged`, which has a state of its own.
fn staged(settings: &str, train: &str, rank: &str) -> String {
    let plugin = harness::test_plugin("staged");
    manifest(&format!("use = {{ path = {plugin:?} }}\n{settings}"), train, rank)
}

/// Asserts where `status.json` says that a run stands.
#[track_caller]
fn assert_status(job: &Job, name: &str, state: &str) {
    let text = fs::read_to_string(job.bench.path(name).join("status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["state"], state, "{text}");
}

const SUPERNET: [&str; 2] = ["supernets/SHA256SUMS", "supernets/supernet.safetensors"];

#[test]
fn two_runs_are_equal() {
    let text = manifest("use = \"spos\"", "epochs = 2\ninactive = \"decay\"", "subnets = 8\nevery = 1")
        .replace("threads = 1", "threads = 2")
        .replace("use = \"sgd\"\nmomentum = 0.9", "use = \"adamw\"\nweight_decay = 0.1");
    let job = Job::new(&text);
    job.run("a").ok();
    job.run("b").ok();
    let results = job.results("a");
    results.equal(&job.results("b"), "a second run");
    let names: Vec<&str> = results.0.keys().map(String::as_str).collect();
    let scores = ["scores.csv", "scores/supernet-epoch-00001.csv", "scores/supernet-epoch-00002.csv"];
    assert_eq!(names, [&["metrics.jsonl"][..], &scores, &SUPERNET].concat());
    // 16 steps and two rankings.
    assert_eq!(
        results.0["metrics.jsonl"].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count(),
        18
    );
}

#[test]
fn signals_stop_at_the_next_step() {
    let job = Job::new(&staged(
        "epochs = 0\npause = 5",
        "epochs = 4\ncheckpoint_every = 5\ninactive = \"decay\"",
        "subnets = 100",
    ));
    let whole = job.uninterrupted();
    for (signal, code, name) in [("INT", 130, "a"), ("TERM", 143, "b")] {
        let run = job.signal(name, Moment::After(0, 5, 20), signal);
        let step = stopped(&run, code, name);
        assert!((5..32).contains(&step), "{}", run.stderr);
        assert!(job.checkpoint(name).ends_with(format!("0000-{step:010}")));
        assert_status(&job, name, "stopped");
        let run = job.signal(name, Moment::Ranked(10), signal);
        assert_eq!(stopped(&run, code, name), 32);
        job.finish(name).equal(&whole, &format!("after SIG{signal}"));
        assert_status(&job, name, "done");
    }
    let done = job.resume("a");
    assert_eq!(done.error(1), "the run in `a` is done; there is nothing to resume");
    job.results("a").equal(&whole, "after a refusal");
}

/// The step of the message of a run that a signal stopped.
#[track_caller]
fn stopped(run: &Run, code: i32, name: &str) -> u64 {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    let said =
        format!("stopped by SIG{} with a checkpoint at step ", if code == 130 { "INT" } else { "TERM" });
    let start = run.stderr.find(&said).unwrap_or_else(|| panic!("{}", run.stderr)) + said.len();
    let (step, rest) = run.stderr[start..].split_once('\n').unwrap();
    assert_eq!(rest, format!("to go on: nshot resume {name}\n"));
    step.parse().unwrap()
}

#[test]
fn a_second_signal_ends_at_once() {
    let job = Job::new(&staged("epochs = 0\npause = 600000", "epochs = 1", "subnets = 2"));
    let child = job.start("a");
    let status = job.bench.path("a/status.json");
    while !status.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let other = job.resume("a");
    assert_eq!(other.error(1), "another process is working in the run directory `a`");
    assert!(other.stderr.contains("hint: wait for it, or stop it with Ctrl-C"), "{}", other.stderr);
    // The sampler sleeps for ten minutes: there is no next step to stop at.
    send(&child, "INT");
    std::thread::sleep(Duration::from_millis(100));
    send(&child, "INT");
    let run = Run::of(child.wait_with_output().unwrap(), &["a"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(130), ""));
    assert_status(&job, "a", "running");
}

/// Kills one run after another at moments that are spread over its life. Returns the number of kills inside the writing
/// of a checkpoint.
fn kill_runs(job: &Job, whole: &Results, moments: &[Moment]) -> usize {
    let mut inside = 0;
    for (index, &moment) in moments.iter().enumerate() {
        let name = format!("killed-{index}");
        let hit = job.kill(&name, moment);
        inside += usize::from(hit);
        let results = job.finish(&name);
        results.equal(whole, &format!("killed at {moment:?}, {}", if hit { "inside" } else { "outside" }));
        let left = fs::read_dir(job.bench.path(&name).join("checkpoints")).unwrap().count();
        assert!(left <= 2, "the newest and the best are kept, found {left}");
        fs::remove_dir_all(job.bench.path(&name)).unwrap();
    }
    inside
}

#[test]
fn killed_runs_resume() {
    let train = "epochs = 3\ncheckpoint_every = 1\ninactive = \"decay\"";
    let job = Job::new(&manifest("use = \"spos\"", train, "subnets = 20\nevery = 1"));
    let whole = job.uninterrupted();
    let mut moments = vec![Moment::Milliseconds(2), Moment::Milliseconds(60)];
    moments.extend([1, 3, 5, 7, 8, 10, 12, 14, 16, 18, 20, 23].map(|step| Moment::Writing(0, step)));
    // 8 and 16 end an epoch: a ranking follows.
    moments.extend([(2, 3), (7, 40), (15, 25), (19, 1)].map(|(step, wait)| Moment::After(0, step, wait)));
    moments.extend([Moment::Kept("supernet"), Moment::Ranked(2), Moment::Ranked(12)]);
    assert!(moments.len() >= 20);
    let inside = kill_runs(&job, &whole, &moments);
    println!("{inside} of {} kills were inside the writing of a checkpoint", moments.len());
    assert!(inside >= 5, "only {inside} kills were inside the writing of a checkpoint");
}

#[test]
fn a_run_in_stages_is_killed_again_and_again() {
    let train = "epochs = 9\ncheckpoint_every = 3\ninactive = \"skip\"";
    let job = Job::new(&staged("epochs = 2", train, "subnets = 20\nevery = 2"));
    let whole = job.uninterrupted();
    assert_parents(&whole);
    let text = String::from_utf8(whole.0["metrics.jsonl"].clone()).unwrap();
    assert!(text.contains("\"staged.observed\":47.0") && !text.contains("staged.saved"));
    let moments = [
        Moment::Writing(0, 3),
        Moment::After(0, 9, 10),
        Moment::Writing(0, 16),
        Moment::After(0, 16, 0),
        Moment::Kept("low"),
        Moment::Writing(1, 16),
        Moment::After(2, 3, 5),
        Moment::Writing(2, 9),
        Moment::Writing(2, 16),
        Moment::Ranked(5),
    ];
    let mut inside = 0;
    for moment in moments {
        inside += usize::from(job.kill("killed", moment));
    }
    job.finish("killed").equal(&whole, "killed across stages");
    println!("{inside} of {} kills were inside the writing of a checkpoint", moments.len());
    // A signal at every few steps, also between two stages.
    let mut stops = 0;
    for moment in [Moment::After(0, 3, 0), Moment::Kept("warm"), Moment::Kept("low"), Moment::After(2, 6, 0)]
    {
        stops += usize::from(job.signal("stopped", moment, "INT").code == Some(130));
    }
    assert_eq!(stops, 4);
    job.finish("stopped").equal(&whole, "stopped across stages");
}

/// The stage `low` starts from the weights of `warm`; what it cannot reach stays as it was there. The stage `high` starts
/// from scratch.
fn assert_parents(whole: &Results) {
    let tensor = |stage: &str| {
        let file = SafeTensors::deserialize(&whole.0[&format!("supernets/{stage}.safetensors")]).unwrap();
        file.tensor("stages.0.0.edges.0.nor_conv_3x3.conv.weight").unwrap().data().to_vec()
    };
    assert!(tensor("warm") == tensor("low"));
    assert!(tensor("warm") != tensor("high"));
}

/// What happens to a file's bytes.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_checkpoint_is_refused() {
    let job = Job::new(&staged("epochs = 0\npause = 2", "epochs = 3\ncheckpoint_every = 2", "subnets = 4"));
    let whole = job.uninterrupted();
    let damages: [(&str, Damage); 6] = [
        ("weights.safetensors", |bytes| bytes.truncate(bytes.len() / 2)),
        ("slots.safetensors", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("state.json", |bytes| bytes[20] ^= 1),
        ("state.json", Vec::clear),
        ("SHA256SUMS", |bytes| bytes[3] ^= 1),
        ("SHA256SUMS", Vec::clear),
    ];
    job.kill("a", Moment::After(0, 6, 0));
    for (file, damage) in damages {
        let checkpoint = job.checkpoint("a");
        let path = checkpoint.join(file);
        let intact = fs::read(&path).unwrap();
        let mut bytes = intact.clone();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        refused(&job, &checkpoint);
        fs::write(&path, intact).unwrap();
    }
    let checkpoint = job.checkpoint("a");
    fs::remove_file(checkpoint.join("weights.safetensors")).unwrap();
    refused(&job, &checkpoint);
    fs::remove_dir_all(checkpoint).unwrap();
    job.finish("a").equal(&whole, "after what the hint says");
}

/// `resume` refuses a checkpoint and says what to do.
fn refused(job: &Job, checkpoint: &std::path::Path) {
    let run = job.resume("a");
    let shown = format!("a/checkpoints/{}", checkpoint.file_name().unwrap().to_str().unwrap());
    let error = run.error(1);
    assert!(error.starts_with(&format!("the checkpoint `{shown}` is damaged: ")), "{error}");
    assert!(
        run.stderr.contains("\n\nhint: delete that folder; `nshot resume` then goes on"),
        "{}",
        run.stderr
    );
}

#[test]
fn resume_takes_the_plugins_of_the_lock() {
    let plugin = harness::test_plugin("staged");
    let text = manifest("use = { path = \"mine.so\" }\nepochs = 0\npause = 2", "epochs = 2", "subnets = 4");
    let job = Job::new(&text);
    let mine = job.bench.path("mine.so");
    fs::copy(&plugin, &mine).unwrap();
    let whole = job.uninterrupted();
    for (name, other) in
        [("garbage", b"no plugin".to_vec()), ("another", fs::read(harness::test_plugin("replay")).unwrap())]
    {
        stopped(&job.signal(name, Moment::After(0, 8, 0), "TERM"), 143, name);
        // A build tool replaces the file: the loaded one stays what it was.
        fs::remove_file(&mine).unwrap();
        fs::write(&mine, other).unwrap();
        job.finish(name).equal(&whole, name);
        fs::copy(&plugin, &mine).unwrap();
    }
    stopped(&job.signal("c", Moment::After(0, 8, 0), "TERM"), 143, "c");
    let lock: serde_json::Value =
        serde_json::from_slice(&fs::read(job.bench.path("c/lock.json")).unwrap()).unwrap();
    let hash = lock["components"]["sampler"]["sha256"].as_str().unwrap();
    fs::remove_dir_all(job.bench.path(".local/share/nshot/store").join(hash)).unwrap();
    let run = job.resume("c");
    let error = run.error(1);
    assert!(error.contains(hash) && error.contains("store"), "{error}");
}

#[test]
fn resume_notices_changed_files() {
    let text = manifest("use = \"spos\"", "epochs = 40", "")
        .replace("[run]", "[run]\ndtype = \"float64\"")
        .replace(
            "name = \"digits\"\nbatch_size = 16",
            "name = \"batches\"\npath = \"data.safetensors\"\nclasses = 10",
        )
        .replace("split = { train = 128, rank = 32 }", "")
        .replace("[rank]", "");
    let job = Job::new(&text);
    let data = job.bench.path("data.safetensors");
    fs::copy(harness::project().join("tests/golden/nb201.safetensors"), &data).unwrap();
    job.kill("a", Moment::After(0, 1, 0));
    let intact = fs::read(&data).unwrap();
    let mut bytes = intact.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&data, bytes).unwrap();
    let said = job.resume("a");
    let named = format!("the file `{}` is not the one that the run began with", data.display());
    assert_eq!(said.error(1), named);
    fs::write(&data, intact).unwrap();
    job.finish("a").equal(&job.uninterrupted(), "with the file restored");
}

#[test]
fn resume_notices_another_list_of_subnets() {
    let job = Job::new(&manifest(
        "use = \"spos\"",
        "epochs = 3\ncheckpoint_every = 2",
        "architectures = \"list.txt\"",
    ));
    let all = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|\n\
               |skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|\n";
    let list = job.bench.write("list.txt", all);
    job.kill("a", Moment::After(0, 2, 0));
    fs::write(&list, all.lines().next().unwrap()).unwrap();
    let named = format!("the file `{}` is not the one that the run began with", list.display());
    assert_eq!(job.resume("a").error(1), named);
}

#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let job = Job::new(&staged("epochs = 0\npause = 2", "epochs = 3\ncheckpoint_every = 2", "subnets = 4"));
    let whole = job.uninterrupted();
    job.kill("a", Moment::After(0, 4, 0));
    let before = job.checkpoint("a");
    // No file may grow beyond 32 KiB; weights take 107.
    let mut limited = std::process::Command::new("sh");
    let nshot = job.bench.command(&["resume", "a", "--quiet"]);
    limited.args(["-c", "ulimit -f 64; exec \"$0\" resume a --quiet"]).arg(nshot.get_program());
    limited.current_dir(job.bench.folder()).env("HOME", job.bench.folder()).env_remove("XDG_DATA_HOME");
    let run = Run::of(limited.stdin(Stdio::null()).output().unwrap(), &["resume"]);
    // Of the last `error: `, which is the system's.
    assert!(run.error(1).starts_with("File too large"), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: the run in `a` failed: "), "{}", run.stderr);
    assert_status(&job, "a", "failed");
    assert_eq!(job.checkpoint("a"), before);
    job.finish("a").equal(&whole, "after a full disk");
}
