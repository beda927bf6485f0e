//! What the host and its plugins log: warnings and errors on standard error, these and more in the run's `log.txt`.

use std::fmt::{self, Write as _};

use nshot::progress::say;
use nshot::run_directory::record;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Shows what is logged, for the rest of the process.
pub(super) fn start() {
    // It fails if it was called before, which is just as well.
    let _ = tracing::subscriber::set_global_default(Logging);
}

struct Logging;

impl Subscriber for Logging {
    fn enabled(&self, metadata: &Metadata) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = *event.metadata().level();
        let name = level.as_str().to_lowercase();
        let text = format!("{}{}", line.message, line.fields);
        if level <= Level::WARN {
            say(&format!("{name}: {text}"));
        }
        record(&name, &text);
    }

    // Nothing is made of spans.
    fn new_span(&self, _: &Attributes) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// `message [name value, …]`
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " [{name} {value:?}]"),
        };
    }
}
