//! Passwords: from a file, or from the terminal.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use nshot::failure::{Failure, Result};

/// The longest file with a password, in bytes.
const LIMIT: u64 = 4096;

/// The first line of a file, `-` being the standard input; without a file, what the user types.
pub(super) fn ask(what: &str, file: Option<&Path>) -> Result<String> {
    let Some(path) = file else { return typed(what) };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LIMIT).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::file("read the password file", path, &error))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Failure::new(format!("the password file `{}` has no first line", path.display()))),
    }
}

fn typed(what: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(format!("the {what} cannot be asked for: this is no terminal")).hint(
            "`--password-file FILE` reads it from a file, `--password-file -` from the standard input",
        ));
    }
    rpassword::prompt_password(format!("{what}: "))
        .map_err(|error| Failure::new(format!("cannot read the {what}: {error}")))
}
