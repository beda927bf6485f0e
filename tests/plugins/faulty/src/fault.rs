//! The setting that names a fault, and the faults that every kind can have.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The first step at which something goes wrong.
const STEP: u64 = 3;

/// What goes wrong.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fault {
    /// The fault's name.
    fault: String,
}

impl Default for Fault {
    fn default() -> Self {
        Self { fault: "none".to_owned() }
    }
}

/// A panic's payload that panics itself when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop");
    }
}

impl Fault {
    /// The fault's name.
    pub(crate) fn name(&self) -> &str {
        &self.fault
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.fault == name
    }

    /// Panics, or fails, if that is the fault of this call.
    pub(crate) fn enter(&self, call: &str) -> Result<()> {
        match self.fault.strip_suffix(call) {
            Some("panic-") => panic!("on purpose"),
            Some("panic-with-a-number-") => std::panic::panic_any(7_u8),
            Some("panic-with-a-bomb-") => std::panic::panic_any(Bomb),
            Some("panic-at-length-") => panic!("{}", "on purpose, at length\n\u{1b}[31m".repeat(500_000)),
            Some("error-") => Err(Error::new("it does not feel like it")),
            Some("error-at-length-") => Err(Error::new("x\n\u{1b}[31m".repeat(2_000_000))),
            Some("empty-error-") => Err(Error::new("")),
            _ => Ok(()),
        }
    }

    /// The same, for a call that belongs to a step. Returns whether the step goes wrong.
    pub(crate) fn enter_at(&self, call: &str, step: u64) -> Result<bool> {
        if step < STEP {
            return Ok(false);
        }
        self.enter(call).map(|()| true)
    }
}
