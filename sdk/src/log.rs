//! The host at any time: `tracing` events and named figures go to it, and it tells facts of itself.

use std::fmt::Write as _;
use std::sync::OnceLock;

use nshot_abi::host::ServicesRef;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

use crate::attributes::none;
use crate::error::{Error, Result, answer};

static SERVICES: OnceLock<ServicesRef> = OnceLock::new();

/// Records a named figure for the current step; it stands on the step's line in `metrics.jsonl`, if that step is logged
/// (`train.log_every`). Of one name, the last figure of a step counts. What a sampler records in
/// `observe` is of the last step that it is told of.
///
/// # Errors
/// The figure is not finite, the name is odd or too long, or there is no current step.
pub fn scalar(name: &str, value: f64) -> Result<()> {
    match SERVICES.get() {
        Some(services) => answer(services.scalar(name.into(), value, none())),
        None => Err(Error::new("no host is attached")),
    }
}

/// Tells the host of a mistake that nobody can be given as an error.
pub(crate) fn warn(text: &str) {
    if let Some(services) = SERVICES.get() {
        services.log("warn".into(), "nshot_sdk".into(), text.into());
    }
}

/// A fact about the host by its name: `abi`, `host_version`, `stopping`; nothing if this host does not know it.
pub fn host(fact: &str) -> Option<nshot_abi::Value> {
    SERVICES.get()?.attribute(fact.into()).into()
}

/// Whether the run was asked to stop: a long computation may then end early with an error.
pub fn is_stopping() -> bool {
    host("stopping") == Some(nshot_abi::Value::Bool(true))
}

/// Takes the host's services; the first ones stay.
pub(crate) fn attach(services: ServicesRef) {
    if SERVICES.set(services).is_ok() {
        // Fails only if the plugin has set a subscriber of its own: then that one stays.
        let _ = tracing::subscriber::set_global_default(Forward);
    }
}

/// A subscriber that forwards events to the host; it keeps no spans.
struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        *of.level() <= tracing::Level::DEBUG
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        if let Some(services) = SERVICES.get() {
            let level = event.metadata().level().as_str().to_ascii_lowercase();
            services.log(level.as_str().into(), event.metadata().target().into(), text.0.as_str().into());
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{name}={value:?}"),
        };
    }
}
