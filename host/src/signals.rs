//! Ctrl-C and SIGTERM: the first asks the run to stop at its next step, the second ends the program at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::failure::{Failure, Result};

/// The number of the first signal; 0 before it.
static REQUEST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// A request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit status of a program that stopped for it: 130 or 143.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Makes the signals requests, for the rest of the process. Before it, and in commands that do not call it, they
/// end the program as usual.
///
/// # Errors
/// The system refuses.
pub fn install() -> Result<()> {
    if REQUEST.get().is_some() {
        return Ok(());
    }
    let request = Arc::new(AtomicUsize::new(0));
    let armed = Arc::new(AtomicBool::new(false));
    for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
        // In this order: the signal that arms the shutdown does not run into it.
        flag::register_conditional_shutdown(signal, status, Arc::clone(&armed))
            .and_then(|_| flag::register(signal, Arc::clone(&armed)))
            .and_then(|_| flag::register_usize(signal, Arc::clone(&request), signal.unsigned_abs() as usize))
            .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    }
    // A file that outgrows the process's limit is then an error of the writer's, not the end of the process.
    let ignored = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    ignored.map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    REQUEST.get_or_init(|| request);
    end_with_parent()
}

/// Names the process that this one is not to outlive, by its number: what starts runs of its own sets it.
pub const PARENT: &str = "NSHOT_PARENT";

/// Has SIGTERM sent to this process when its parent ends, also if that is killed, where the parent asked for it.
fn end_with_parent() -> Result<()> {
    let Ok(parent) = std::env::var(PARENT) else { return Ok(()) };
    let ended = || {
        Failure::new(format!("the process {parent}, which `{PARENT}` names as this one's parent, has ended"))
    };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if now.as_ref() == Some(&parent) { Ok(()) } else { Err(ended()) }
}

/// The signal that asked the run to stop, if one did.
pub fn stop_requested() -> Option<Signal> {
    let number = REQUEST.get()?.load(Ordering::Relaxed);
    match i32::try_from(number).ok()? {
        SIGINT => Some(Signal::Interrupt),
        SIGTERM => Some(Signal::Terminate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_is_a_request() {
        install().unwrap();
        install().unwrap();
        assert_eq!(stop_requested(), None);
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(stop_requested(), Some(Signal::Terminate));
        assert_eq!(stop_requested().map(Signal::exit_status), Some(143));
    }
}
