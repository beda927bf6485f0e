//! `nshot doctor`: what a run would find on this machine, what is wrong with it, and how to mend it.

use std::path::{Path, PathBuf};

use nshot::failure::Failure;
use nshot::plugins::{Listed, Plugins};
use nshot_loader::Kind;
use nshot_torch::Device;
use serde::Serialize;

use super::{Outcome, data, output, plugin};

/// Less room than this on the disk is worth a warning; in bytes.
const LITTLE_ROOM: u64 = 1 << 30;

/// Checks what a run needs: libtorch, device, plugins, data, disk. Ends with 1 if something essential is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot doctor")]
pub(super) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// All is well.
    Ok,
    /// A run can do without.
    Note,
    /// No run can do without.
    Broken,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    state: State,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn ok(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, state: State::Ok, text: text.into(), hint: None }
    }

    fn note(what: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, state: State::Note, text: text.into(), hint: Some(hint.into()) }
    }

    fn broken(what: &'static str, failure: Failure) -> Self {
        Self { what, state: State::Broken, text: failure.message, hint: failure.hint }
    }
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let mut checks = vec![libtorch()];
    checks.extend(device());
    checks.push(probe());
    checks.extend(plugins());
    checks.extend(datasets());
    checks.extend(disk());
    if arguments.json {
        output::print_json(&checks)?;
    } else {
        output::print(&checks.iter().map(to_text).collect::<String>())?;
    }
    let broken = checks.iter().filter(|check| check.state == State::Broken).count();
    if broken > 0 {
        output::say(&format!(
            "{broken} of {} checks found something that keeps every run from working",
            checks.len()
        ));
    }
    Ok(u8::from(broken > 0))
}

fn to_text(check: &Check) -> String {
    let mark = match check.state {
        State::Ok => "ok",
        State::Note => "note",
        State::Broken => "BROKEN",
    };
    let indent = format!("\n{:16}", "");
    let mut text = format!("{mark:<7}{:<9}{}", check.what, check.text);
    if let Some(hint) = &check.hint {
        text.push('\n');
        text.push_str(hint);
    }
    text.replace('\n', &indent) + "\n"
}

fn libtorch() -> Check {
    let versions = nshot_torch::versions();
    let folder = libtorch_folder().map_or(String::new(), |folder| format!(" in {}", folder.display()));
    let text = format!("{}{folder}, CPU kernels for {}", versions.libtorch, versions.cpu_capability);
    match nshot_torch::initialise(1) {
        Ok(()) => Check::ok("libtorch", text),
        Err(error) => Check::broken("libtorch", error.into()),
    }
}

/// The folder of the libtorch that is loaded.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then(|| PathBuf::from(path))
    })?;
    path.parent().map(Path::to_owned)
}

fn device() -> Vec<Check> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let found = match nshot_torch::versions().cuda_devices {
        0 => Check::ok("device", format!("cpu with {cores} threads; no CUDA device")),
        count => Check::ok("device", format!("cuda:0, of {count} CUDA devices; cpu with {cores} threads")),
    };
    match Device::parse("auto") {
        Ok(_) => vec![found],
        Err(error) => vec![Check::broken("device", error.into())],
    }
}

fn probe() -> Check {
    match nshot_loader::probe::beside_this_program() {
        Ok(path) if path.is_file() => Check::ok("probe", path.display().to_string()),
        Ok(path) => Check::broken(
            "probe",
            Failure::new(format!("`{}` is missing; no plugin can be loaded without it", path.display()))
                .hint("build it with `cargo xtask build --release`, or copy it beside nshot"),
        ),
        Err(error) => {
            Check::broken("probe", Failure::new(format!("cannot tell where this program is: {error}")))
        }
    }
}

fn plugins() -> Vec<Check> {
    let plugins = match Plugins::open() {
        Ok(plugins) => plugins,
        Err(failure) => return vec![Check::broken("store", failure)],
    };
    let mut checks = vec![Check::ok("store", plugins.loader().store().folder().display().to_string())];
    checks.extend(plugins.folders().paths().map(|folder| {
        let absent = if folder.is_dir() { "" } else { " (not there)" };
        Check::ok("folder", format!("{}{absent}", folder.display()))
    }));
    let mut kinds = Vec::new();
    for Listed { path, file, .. } in plugins.list() {
        match file {
            Ok(file) => {
                kinds.extend(file.components.iter().map(|component| component.kind));
                let names: Vec<_> = file.components.iter().map(|component| component.name.as_str()).collect();
                checks
                    .push(Check::ok("plugin", format!("{}: {}", plugin::full_name(file), names.join(", "))));
                let warnings = file.warnings.iter();
                checks.extend(
                    warnings.map(|text| Check::note("plugin", text.clone(), path.display().to_string())),
                );
            }
            Err(failure) => {
                let mend = || format!("remove `{}`, or build it again", path.display());
                let hint = failure.hint.clone().unwrap_or_else(mend);
                checks.push(Check::note("plugin", failure.message.clone(), hint));
            }
        }
    }
    checks.extend(missing_kinds(&kinds));
    checks
}

/// A run needs a component of each of these kinds.
fn missing_kinds(found: &[Kind]) -> Option<Check> {
    let needed = [Kind::SearchSpace, Kind::Sampler, Kind::LrScheduler, Kind::Optimizer];
    let missing: Vec<_> =
        needed.iter().filter(|kind| !found.contains(kind)).map(|kind| kind.name()).collect();
    if missing.is_empty() {
        return None;
    }
    let failure = Failure::new(format!("no plugin has a component of kind {}", missing.join(", ")));
    Some(Check::broken("plugins", failure.hint("build the built-in ones with `cargo xtask build --release`")))
}

fn datasets() -> Vec<Check> {
    let (here, absent) = data::here_and_absent();
    let mut checks = vec![Check::ok("data", here.join(", "))];
    checks.extend(absent.iter().map(|dataset| {
        let looked: Vec<_> = dataset.looked.iter().map(|folder| folder.display().to_string()).collect();
        Check::note("data", format!("{} is not in {}", dataset.name, looked.join(" or ")), dataset.how)
    }));
    checks
}

/// The room for run directories, which are made below the working directory.
fn disk() -> Option<Check> {
    let stat = rustix::fs::statvfs(".").ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{:.1} GiB free in the working directory", free as f64 / f64::from(1 << 30));
    Some(if free < LITTLE_ROOM {
        Check::note("disk", text, "checkpoints need room; choose another place with `--directory`")
    } else {
        Check::ok("disk", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_told_with_their_hints() {
        let check = Check::broken("probe", Failure::new("is missing").hint("build it"));
        assert_eq!(to_text(&check), "BROKEN probe    is missing\n                build it\n");
        assert_eq!(to_text(&Check::ok("data", "digits")), "ok     data     digits\n");
    }

    #[test]
    fn a_run_needs_four_kinds() {
        assert!(
            missing_kinds(&[Kind::Optimizer, Kind::Sampler, Kind::SearchSpace, Kind::LrScheduler]).is_none()
        );
        let check = missing_kinds(&[Kind::Optimizer, Kind::Sampler]).unwrap();
        assert_eq!(check.text, "no plugin has a component of kind search-space, lr-scheduler");
        assert_eq!(check.state, State::Broken);
    }

    #[test]
    fn the_loaded_libtorch_and_the_disk_are_found() {
        let _ = nshot_torch::versions();
        assert!(libtorch_folder().is_some_and(|folder| folder.is_dir()));
        assert!(disk().is_some());
    }
}
