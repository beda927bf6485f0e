//! `nshot runs`.

use std::path::{Path, PathBuf};

use nshot::failure::{Failure, Result};
use nshot::run_directory::{LOCK, Lock, STATUS, State, Status, is_held, is_run};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{self, Lines};

/// Runs: which there are, and where they stand.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Show(Show),
}

/// Lists the runs of a folder: state, steps, best score.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot runs list")]
pub(super) struct List {
    /// The folder that holds the run directories.
    #[arg(default_value = "runs", value_name = "DIR")]
    folder: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a run: where it stands, what it was made of.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot runs show runs/first-run")]
pub(super) struct Show {
    /// The run directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: &Command) -> Outcome {
    match command {
        Command::List(List { folder, json }) => print_list(folder, *json)?,
        Command::Show(Show { directory, json }) => print_run(directory, *json)?,
    }
    Ok(0)
}

/// A run as its directory tells it.
struct Run {
    directory: PathBuf,
    state: &'static str,
    status: Option<Status>,
}

impl Run {
    fn read(directory: PathBuf) -> Self {
        let status = Status::read(&directory.join(STATUS));
        let state = match (status.as_ref().map(|status| status.state), is_held(&directory)) {
            (Some(State::Done), _) => "done",
            (_, true) => "running",
            (Some(State::Stopped), _) => "stopped",
            (Some(State::Failed), _) => "failed",
            (Some(State::Running) | None, false) => "killed",
        };
        Self { directory, state, status }
    }

    fn steps(&self) -> String {
        self.status.as_ref().map_or_else(String::new, |status| format!("{}/{}", status.step, status.steps))
    }

    fn best(&self) -> (String, String) {
        let best = self.status.as_ref().and_then(|status| status.best.clone());
        best.map(|best| (format!("{:.2} %", best.accuracy * 100.0), best.architecture)).unwrap_or_default()
    }

    fn json(&self) -> Value {
        let status = self.status.as_ref();
        json!({
            "directory": self.directory, "state": self.state,
            "step": status.map(|status| status.step), "steps": status.map(|status| status.steps),
            "best": status.and_then(|status| status.best.clone()),
            "reason": status.and_then(|status| status.reason.clone()),
        })
    }
}

fn print_list(folder: &Path, as_json: bool) -> Result<()> {
    let runs = find(folder)?;
    if as_json {
        return output::print_json(&runs.iter().map(Run::json).collect::<Vec<_>>());
    }
    if runs.is_empty() {
        output::say(&format!("no runs in `{}`", folder.display()));
        return Ok(());
    }
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let (score, architecture) = run.best();
            [run.directory.display().to_string(), run.state.to_owned(), run.steps(), score, architecture]
        })
        .collect();
    output::print_table(["run", "state", "steps", "best", "architecture"], &rows)
}

/// The runs in a folder, by name. A folder that is not there has none.
fn find(folder: &Path) -> Result<Vec<Run>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Failure::file("read the folder", folder, &error))?,
    };
    let mut directories: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_visible_run(path)).collect();
    directories.sort_unstable();
    Ok(directories.into_iter().map(Run::read).collect())
}

/// A run that is still being made has a name that begins with a dot.
fn is_visible_run(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && is_run(path)
}

fn print_run(directory: &Path, as_json: bool) -> Result<()> {
    if !is_run(directory) {
        let failure = Failure::usage(format!("`{}` is no run directory", directory.display()));
        return Err(failure.hint("`nshot runs list` shows those that there are"));
    }
    let (run, lock) = (Run::read(directory.to_owned()), Lock::read(&directory.join(LOCK))?);
    if as_json {
        let mut value = run.json();
        value["lock"] = serde_json::to_value(&lock)?;
        return output::print_json(&value);
    }
    output::print(&run_text(&run, &lock))
}

fn run_text(run: &Run, lock: &Lock) -> String {
    let mut text = Lines::default();
    let (score, architecture) = run.best();
    text.row("run", &run.directory.display().to_string());
    text.row("state", run.state);
    text.row("reason", run.status.as_ref().and_then(|status| status.reason.as_deref()).unwrap_or_default());
    text.row("steps", &run.steps());
    text.row("best", format!("{score} {architecture}").trim());
    for (table, used) in &lock.components {
        let plugin = format!("{} of {}/{} {}", used.component, used.group, used.plugin, used.version);
        text.row(table, &plugin);
    }
    for file in &lock.data {
        text.row("data", &file.path.display().to_string());
    }
    let machine = &lock.machine;
    text.row("nshot", &format!("{}, libtorch {}", lock.nshot, machine.libtorch));
    text.row("machine", &format!("{}, {}, {} threads", machine.device, machine.cpu, machine.threads));
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use nshot::run_directory::{Best, RunDirectory};

    #[test]
    fn runs_are_found_and_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find(&folder.path().join("absent")).unwrap().is_empty());
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let run = RunDirectory::create(&folder.path().join("a"), "", &Lock::default()).unwrap();
        let best = Some(Best { architecture: "|x|".to_owned(), accuracy: 0.125 });
        let mut status = Status { state: State::Running, step: 5, steps: 9, best, reason: None };
        run.write_status(&status).unwrap();
        assert_eq!(find(folder.path()).unwrap()[0].state, "running");
        drop(run);
        let found = find(folder.path()).unwrap();
        assert_eq!((found.len(), found[0].state, found[0].steps().as_str()), (1, "killed", "5/9"));
        assert_eq!(found[0].best(), ("12.50 %".to_owned(), "|x|".to_owned()));
        status.state = State::Done;
        RunDirectory::open(&folder.path().join("a")).unwrap().write_status(&status).unwrap();
        let found = find(folder.path()).unwrap();
        assert_eq!(found[0].json()["state"], "done");
        assert!(run_text(&found[0], &Lock::default()).contains("best          12.50 % |x|\n"));
    }
}
