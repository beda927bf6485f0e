//! The first load of a file, in a process of its own: damage that no check of the bytes finds (of single flipped
//! bits, about one in ten) ends that process and not the host.
//!
//! The program `nshot-probe FILE` loads the file as the host would, with services that do nothing, asks for its
//! components and prints an answer, one line of JSON: `{"components": "…"}` or `{"refused": …}`.

use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RResult, RSlice, RStr};
use nshot_abi::host::{Services, Services_TO};
use nshot_abi::{Attribute, Value};
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

use crate::component::TEXT_LIMIT;
use crate::refusal::{Reason, Refusal, clean};
use crate::{gate, library};

/// Name of the program; it lies beside the host's.
pub const PROGRAM: &str = "nshot-probe";

/// What the program prints.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Components(String),
    Refused(Reason),
}

/// Where the program lies: beside the running one.
///
/// # Errors
/// The system does not say which program is running.
pub fn beside_this_program() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(PROGRAM))
}

/// Tries a file in a child process. The components as JSON, or why not; an error if the program cannot be run.
pub(crate) fn run(program: &Path, file: &Path, limit: Duration) -> io::Result<Result<String, Reason>> {
    let mut child = Command::new(program)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Whatever it starts is ended with it.
        .process_group(0)
        .spawn()?;
    let pid = Pid::from_child(&child);
    let answer = child.stdout.take().map(|pipe| in_background(move || read_start(pipe)));
    let said = child.stderr.take().map(|pipe| in_background(move || read_end(pipe)));
    let in_time = wait(pid, limit);
    // The child is not reaped yet, so its number still means it.
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    if !in_time {
        return Ok(Err(Reason::TimedOut { seconds: limit.as_secs() }));
    }
    // A grandchild outside the group may hold the pipes open.
    let patience = Duration::from_secs(1);
    let answer = answer.and_then(|a| a.recv_timeout(patience).ok()).unwrap_or_default();
    let said = said.and_then(|s| s.recv_timeout(patience).ok()).unwrap_or_default();
    Ok(verdict(status, &answer, &said))
}

fn verdict(status: ExitStatus, answer: &[u8], said: &[u8]) -> Result<String, Reason> {
    let said = String::from_utf8_lossy(said);
    let said = said.lines().rfind(|line| !line.trim().is_empty()).map(|line| clean(line.trim(), 200));
    if let Some(signal) = status.signal() {
        return Err(Reason::Crashed { signal: signal_text(signal), said });
    }
    match serde_json::from_slice(answer) {
        Ok(Answer::Components(text)) => Ok(text),
        Ok(Answer::Refused(reason)) => Err(reason),
        Err(_) => Err(Reason::NoAnswer { status: status.to_string(), said }),
    }
}

fn in_background(read: impl FnOnce() -> Vec<u8> + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(read());
    });
    receiver
}

fn read_start(pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Escaping at most doubles the text twice, once in it and once around it, plus `\u00xx`.
    let _ = pipe.take(8 * TEXT_LIMIT as u64).read_to_end(&mut bytes);
    bytes
}

fn read_end(mut pipe: impl Read) -> Vec<u8> {
    const KEPT: usize = 4096;
    let (mut kept, mut block) = (Vec::new(), [0; KEPT]);
    while let Ok(count @ 1..) = pipe.read(&mut block) {
        kept.extend_from_slice(&block[..count]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    kept
}

/// Waits until the child ends, without reaping it; false after the limit.
fn wait(pid: Pid, limit: Duration) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_micros(500);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Ok(Some(_)) | Err(_) => return true,
        }
        if start.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

fn signal_text(number: i32) -> String {
    let name = match number {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

/// The program: prints the answer, and a refusal also for a reader, on standard error. Exit status 0 if the file
/// is a plugin, 1 if not, 2 for wrong use.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: {PROGRAM} FILE\n\nLoads a plugin file and prints its components as JSON.");
        return ExitCode::from(2);
    };
    let tried =
        shut_in().map_err(|e| Reason::Open(e.to_string())).map(|out| (out, try_file(Path::new(&file))));
    let (mut out, tried) = match tried {
        Ok(tried) => tried,
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::from(1);
        }
    };
    let (answer, code) = match tried {
        Ok(text) => (Answer::Components(text), ExitCode::SUCCESS),
        Err(refusal) => {
            eprintln!("error: {refusal}");
            (Answer::Refused(refusal.reason), ExitCode::from(1))
        }
    };
    let line = serde_json::to_string(&answer).unwrap_or_default() + "\n";
    match out.write_all(line.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::from(1),
    }
}

/// No core file, no life after the parent's, and the answer's pipe out of the plugin's sight: what it
/// prints goes to standard error.
fn shut_in() -> io::Result<std::fs::File> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)?;
    // A core may also go to a program, whatever the limit. Not every sandbox knows these two.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // A damaged file may ask for endless memory.
    let memory = Rlimit { current: Some(4 << 30), maximum: Some(4 << 30) };
    let _ = rustix::process::setrlimit(Resource::Data, memory);
    let out = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(out.into())
}

fn try_file(path: &Path) -> Result<String, Refusal> {
    let refuse = |reason: Reason| reason.of(path.to_string_lossy());
    let read = || {
        let path = path.canonicalize()?;
        Ok((std::fs::read(&path)?, path))
    };
    let (bytes, path) = read().map_err(|e: io::Error| refuse(Reason::Open(e.to_string())))?;
    let metadata = gate::inspect(&bytes, &path.to_string_lossy())?;
    load(&path, &metadata.root).map_err(refuse)
}

fn load(path: &Path, root: &str) -> Result<String, Reason> {
    static SILENT: Silent = Silent;
    let root = library::open(path, root)?;
    library::attach(root, Services_TO::from_ptr(RRef::new(&SILENT), TD_Opaque))?;
    library::components(root)
}

/// Services that do nothing.
struct Silent;

impl Services for Silent {
    fn attribute(&self, _name: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn log(&self, _level: RStr<'_>, _target: RStr<'_>, _text: RStr<'_>) {}

    fn scalar(
        &self,
        _name: RStr<'_>,
        _value: f64,
        _attributes: RSlice<'_, Attribute>,
    ) -> nshot_abi::AbiResult<()> {
        RResult::ROk(())
    }
}
