//! Standard output: data, and nothing else.

use std::io::{ErrorKind, Write as _};

use serde::Serialize;

use crate::failure::{Failure, Result};

/// Prints data on standard output. A reader that has gone is nobody's failure: it has what it wanted.
///
/// # Errors
/// Standard output cannot be written, for example because the disk is full.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints data as JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_json(data: &impl Serialize) -> Result<()> {
    print(&(serde_json::to_string_pretty(data)? + "\n"))
}
