//! Calls of plugins that do not end, and calls that allocate without end.
//!
//! A call cannot be interrupted from inside the process. So a thread looks at the calls in progress, ten times a second,
//! and ends the process when one has lasted longer than `run.call_limit`: the last checkpoint stands. A call that is over
//! between two looks costs two locks that nobody else holds, and nothing is read from the system for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::checkpoint::Checkpoints;
use crate::component::Identity;
use crate::manifest::CALL_LIMIT;
use crate::memory;
use crate::progress::say;
use crate::replace;
use crate::run_directory::{STATUS, State, Status, record};

/// Time between two looks.
const TICK: Duration = Duration::from_millis(100);
/// The most that counts between two looks: a process that was stopped for a while is not to blame.
const LONGEST_TICK: Duration = Duration::from_millis(500);
/// By how much the process grows during a call before that is said; again at each doubling. In bytes.
const GROWTH: u64 = 512 << 20;

/// The longest call, in seconds; 0 before it is set.
static LIMIT: AtomicU64 = AtomicU64::new(0);
/// The calls of each thread that has made some.
static THREADS: Mutex<Vec<Weak<Mutex<Calls>>>> = Mutex::new(Vec::new());
/// The run that the process carries out: its directory, and its steps.
static RUN: Mutex<Option<(PathBuf, u64)>> = Mutex::new(None);

/// Folders that are to be gone when the process ends.
static SCRATCH: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Arc<Mutex<Calls>> = {
        let mine = Arc::default();
        locked(&THREADS).push(Arc::downgrade(&mine));
        mine
    };
}

/// The calls in progress of one thread, the outermost first. What is beyond `depth` is kept for its memory.
#[derive(Default)]
struct Calls {
    stack: Vec<Call>,
    depth: usize,
    made: u64,
}

#[derive(Clone, Default)]
struct Call {
    kind: &'static str,
    method: &'static str,
    name: String,
    plugin: String,
    /// Tells it from other calls of the thread.
    number: u64,
}

/// What is known of a call from earlier looks.
struct Seen {
    number: u64,
    lasted: Duration,
    /// The process's memory at the first look, in bytes.
    memory: u64,
    /// The growth from which on it is said.
    next: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends calls after as many seconds as where no manifest says otherwise.
pub(crate) fn start_by_default() {
    if LIMIT.load(Ordering::Relaxed) == 0 {
        start(CALL_LIMIT);
    }
}

/// Ends calls after so many seconds, for the rest of the process.
pub(crate) fn start(limit: u64) {
    static STARTED: Once = Once::new();
    LIMIT.store(limit, Ordering::Relaxed);
    STARTED.call_once(|| {
        let watch = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch);
        if let Err(error) = watch {
            say(&format!("warning: `run.call_limit` has no effect: {error}"));
        }
    });
}

/// The run whose status tells of a call that did not end.
pub(crate) fn set_run(run: Option<(PathBuf, u64)>) {
    *locked(&RUN) = run;
}

/// A folder that is removed with this value, and by the watchdog where it ends the process.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        locked(&SCRATCH).push(folder.path().to_owned());
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        locked(&SCRATCH).retain(|path| path != self.0.path());
    }
}

/// Makes a call of a component's.
pub(crate) fn watched<T>(identity: &Identity, method: &'static str, call: impl FnOnce() -> T) -> T {
    struct Leave(Arc<Mutex<Calls>>);
    impl Drop for Leave {
        fn drop(&mut self) {
            locked(&self.0).depth -= 1;
        }
    }
    let mine = MINE.with(Arc::clone);
    locked(&mine).enter(identity, method);
    let _leave = Leave(mine);
    call()
}

impl Calls {
    fn enter(&mut self, identity: &Identity, method: &'static str) {
        if self.stack.len() == self.depth {
            self.stack.push(Call::default());
        }
        self.made += 1;
        let call = &mut self.stack[self.depth];
        (call.kind, call.method, call.number) = (identity.kind, method, self.made);
        call.name.clone_from(&identity.name);
        call.plugin.clone_from(&identity.plugin);
        self.depth += 1;
    }
}

impl Call {
    fn identity(&self) -> Identity {
        Identity { kind: self.kind, name: self.name.clone(), plugin: self.plugin.clone() }
    }
}

fn watch() {
    let mut seen: HashMap<(usize, usize), Seen> = HashMap::new();
    let mut last = Instant::now();
    loop {
        std::thread::sleep(TICK);
        let passed = last.elapsed().min(LONGEST_TICK);
        last = Instant::now();
        let mut threads = locked(&THREADS);
        threads.retain(|thread| thread.strong_count() > 0);
        let threads: Vec<_> = threads.iter().filter_map(Weak::upgrade).collect();
        let mut now = HashMap::new();
        for (thread, calls) in threads.iter().enumerate() {
            let calls = {
                let calls = locked(calls);
                calls.stack[..calls.depth].to_vec()
            };
            look(thread, &calls, passed, &seen, &mut now);
        }
        seen = now;
    }
}

/// Looks at the calls in progress of a thread.
fn look(
    thread: usize,
    calls: &[Call],
    passed: Duration,
    before: &HashMap<(usize, usize), Seen>,
    now: &mut HashMap<(usize, usize), Seen>,
) {
    let memory = if calls.is_empty() { 0 } else { memory::resident().unwrap_or(0) };
    let limit = Duration::from_secs(LIMIT.load(Ordering::Relaxed));
    let mut expired = None;
    for (depth, call) in calls.iter().enumerate() {
        let known = before.get(&(thread, depth)).filter(|seen| seen.number == call.number);
        let lasted = known.map_or(Duration::ZERO, |seen| seen.lasted + passed);
        let first = known.map_or(memory, |seen| seen.memory);
        let mut next = known.map_or(GROWTH, |seen| seen.next);
        let grown = memory.saturating_sub(first);
        if grown >= next && depth + 1 == calls.len() {
            tracing::warn!(
                "{}: the process has grown by {} MiB during this call",
                call.identity().method(call.method),
                grown >> 20
            );
            next = grown.saturating_mul(2);
        }
        // The innermost that has lasted about as long is to blame.
        if lasted > limit.mul_f64(0.9) {
            expired = Some(call);
        }
        now.insert((thread, depth), Seen { number: call.number, lasted, memory: first, next });
    }
    let longest = now.get(&(thread, 0)).map_or(Duration::ZERO, |seen| seen.lasted);
    if let Some(call) = expired.filter(|_| longest > limit) {
        end(call, limit);
    }
}

/// Ends the process: a thread that is inside a plugin cannot be stopped otherwise.
fn end(call: &Call, limit: Duration) -> ! {
    let text = format!(
        "{}: the call has not ended after {} s, the longest that `run.call_limit` allows",
        call.identity().method(call.method),
        limit.as_secs()
    );
    let run = locked(&RUN).take();
    let (what, hint) = match &run {
        None => {
            (String::new(), "if the call is only slow, allow more by `run.call_limit`, in seconds".to_owned())
        }
        Some((path, _)) => {
            let hint = format!(
                "the last checkpoint stands: {}; if the call is only slow, allow more by `run.call_limit`, in seconds",
                replace::hint(path, call.identity().table())
            );
            (format!("the run in `{}` failed: ", path.display()), hint)
        }
    };
    if let Some((path, steps)) = run {
        let done = Checkpoints::of(&path).steps_done();
        let status =
            Status { state: State::Failed, reason: Some(text.clone()), ..Status::running(done, steps) };
        // The disk may be full: what went wrong first is what counts.
        let _ = status.write(&path.join(STATUS));
    }
    for folder in locked(&SCRATCH).drain(..) {
        let _ = std::fs::remove_dir_all(folder);
    }
    record("error", &format!("{what}{text}"));
    say(&format!("error: {what}{text}\n\nhint: {hint}"));
    // Nothing that other threads still use is torn down.
    signal_hook::low_level::exit(1)
}
