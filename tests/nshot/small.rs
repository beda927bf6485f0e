//! The smallest run that there is, and what tests ask of it.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Bench, Run};

/// Images of 8x8 and a network of four channels: a step is some milliseconds.
pub(crate) const BASE: &str = "[run]\nthreads = 1\ndevice = \"cpu\"\n\
    [data]\nname = \"digits\"\nresize = 8\nbatch_size = 16\nsplit = { train = 128, rank = 64 }\n\
    [space]\nuse = \"nas-bench-201\"\nchannels = 4\ncells = 1\n\
    [sampler]\nuse = \"spos\"\n[scheduler]\nuse = \"cosine\"\n[optimizer]\nuse = \"sgd\"\n";

/// The operations of an edge, in the order of a choice's options.
const OPERATIONS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

/// Trains a manifest of [`BASE`] and more in the folder `run` of a bench.
pub(crate) fn trained(more: &str) -> Bench {
    let bench = Bench::new();
    bench.write("run.toml", &format!("{BASE}{more}"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    bench
}

/// The text of an architecture by its number: the first choice is the most significant digit.
pub(crate) fn architecture(number: usize) -> String {
    let digit = |place: u32| OPERATIONS[number / 5_usize.pow(5 - place) % 5];
    let edge = |place, from| format!("{}~{from}|", digit(place));
    let nodes = [vec![(0, 0)], vec![(1, 0), (2, 1)], vec![(3, 0), (4, 1), (5, 2)]];
    let node = |edges: Vec<(u32, u32)>| edges.into_iter().map(|(place, from)| edge(place, from)).collect();
    let nodes: Vec<String> = nodes.map(node).to_vec();
    format!("|{}", nodes.join("+|"))
}

/// All 15,625, in the space's order.
pub(crate) fn architectures() -> Vec<String> {
    (0..15_625).map(architecture).collect()
}

/// A number between 0 and 1 that looks drawn, of few digits.
pub(crate) fn figure(number: usize) -> f64 {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / f64::from(1 << 24)
}

/// The rows of a CSV file: the fields by the header's names.
pub(crate) fn rows(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut reader =
        csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let headers = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        headers.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// A column of a CSV file.
pub(crate) fn column(path: &Path, name: &str) -> Vec<String> {
    let find = |row: Vec<(String, String)>| {
        let field = row.into_iter().find(|(header, _)| header == name);
        field.unwrap_or_else(|| panic!("`{}` has no column `{name}`", path.display())).1
    };
    rows(path).into_iter().map(find).collect()
}

/// The same, as numbers.
pub(crate) fn numbers(path: &Path, name: &str) -> Vec<f64> {
    column(path, name).iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The lines of `metrics.jsonl` that are steps.
pub(crate) fn steps(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["step"].is_u64()).collect()
}

/// Starts a command and waits for something. A command that ends before has its output.
pub(crate) fn start_until(
    bench: &Bench,
    arguments: &[&str],
    has_come: impl Fn() -> bool,
) -> Result<Child, Run> {
    let mut command = bench.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !has_come() {
        if child.try_wait().unwrap().is_some() {
            return Err(Run::of(child.wait_with_output().unwrap(), arguments));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(child)
}

/// Whether a file has so many lines.
pub(crate) fn has_lines(file: &Path, lines: usize) -> impl Fn() -> bool {
    move || std::fs::read(file).is_ok_and(|bytes| bytes.split(|byte| *byte == b'\n').count() > lines)
}

/// Kills a command once something has come.
#[track_caller]
pub(crate) fn kill_when(bench: &Bench, arguments: &[&str], has_come: impl Fn() -> bool) {
    match start_until(bench, arguments, has_come) {
        Ok(mut child) => {
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "it ended before it was killed");
        }
        Err(run) => panic!("it ended too early: {:?}\n{}", run.code, run.stderr),
    }
}

/// Kills a command once its file has so many lines.
#[track_caller]
pub(crate) fn kill_at(bench: &Bench, arguments: &[&str], file: &Path, lines: usize) {
    kill_when(bench, arguments, has_lines(file, lines));
}

/// Sends a signal to a process, or, with a negative number, to a group of them.
pub(crate) fn send(signal: &str, process: i64) {
    let command = format!("kill -{signal} {process}");
    assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

/// Stops a command with a signal once something has come, and waits for its end.
#[track_caller]
pub(crate) fn signal_when(
    bench: &Bench,
    arguments: &[&str],
    signal: &str,
    has_come: impl Fn() -> bool,
) -> Run {
    let child = start_until(bench, arguments, has_come);
    let child = child.unwrap_or_else(|run| panic!("it ended too early: {:?}\n{}", run.code, run.stderr));
    send(signal, child.id().into());
    Run::of(child.wait_with_output().unwrap(), arguments)
}

/// Stops a command with a signal once its file has so many lines.
#[track_caller]
pub(crate) fn signal_at(bench: &Bench, arguments: &[&str], file: &Path, lines: usize, signal: &str) -> Run {
    signal_when(bench, arguments, signal, has_lines(file, lines))
}

/// Asserts that files are equal in two folders.
#[track_caller]
pub(crate) fn equal(names: &[&str], folder: &Path, other: &Path) {
    for name in names {
        let read = |folder: &Path| {
            let path = folder.join(name);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let (ours, theirs) = (read(folder), read(other));
        assert!(!ours.is_empty(), "{name} is empty");
        let line = ours
            .split(|byte| *byte == b'\n')
            .zip(theirs.split(|byte| *byte == b'\n'))
            .position(|(a, b)| a != b);
        assert!(
            ours == theirs,
            "{name} differs in {} and {}, first in line {line:?}",
            folder.display(),
            other.display()
        );
    }
}
