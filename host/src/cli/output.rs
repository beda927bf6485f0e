//! Writing to standard output and standard error.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use comfy_table::{Table, presets};
use nshot::failure::{Failure, Result};
pub(super) use nshot::stdout::{print, print_json};

/// Prints rows below a header, in columns.
///
/// # Errors
/// As [`print`].
pub(super) fn print_table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    let mut text = Lines::default();
    table.lines().for_each(|line| text.line(line.trim()));
    print(&text.0)
}

/// A text that is made line by line.
#[derive(Debug, Default)]
pub(super) struct Lines(pub(super) String);

impl Lines {
    /// Adds a line.
    pub(super) fn line(&mut self, line: impl fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// Adds a name and, in the column behind it, a value; nothing if the value is empty.
    pub(super) fn row(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(format_args!("{name:<14}{value}"));
        }
    }
}

/// Says something on standard error.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints the failure that ends the program.
pub(super) fn complain(failure: &Failure) {
    say(&format!("error: {failure}"));
}
