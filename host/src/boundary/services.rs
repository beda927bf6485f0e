//! What plugins may use at any time: logging. The host remembers which component it is calling.

use std::cell::{Cell, RefCell};

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr};
use nshot_abi::{AbiResult, Attribute, Value, host};
use serde::{Deserialize, Serialize};

use super::{Named, answer, refuse};

/// Longer texts of a plugin's are cut.
const TEXT_LENGTH: usize = 8192;
/// More figures than this between two steps are refused.
const SCALARS: usize = 1000;

/// A figure that a component recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scalar {
    /// The component's name.
    pub component: String,
    /// The figure's name.
    pub name: String,
    /// Its value, finite.
    pub value: f64,
}

thread_local! {
    static COMPONENT: RefCell<String> = const { RefCell::new(String::new()) };
    static DESCRIBING: Cell<bool> = const { Cell::new(false) };
    static RECORDED: RefCell<Vec<Scalar>> = const { RefCell::new(Vec::new()) };
}

/// The host's services.
pub static SERVICES: HostServices = HostServices;

/// The one implementation of the services.
pub struct HostServices;

/// Runs a call into a component; what it logs meanwhile is logged in its name.
pub fn calling<T>(component: &str, call: impl FnOnce() -> T) -> T {
    let before = COMPONENT.replace(component.to_owned());
    let result = call();
    COMPONENT.set(before);
    result
}

/// Runs a call that describes a subnet: whether it happens depends on what is remembered, so it records no figure.
pub fn describing<T>(call: impl FnOnce() -> T) -> T {
    let before = DESCRIBING.replace(true);
    let result = call();
    DESCRIBING.set(before);
    result
}

/// Takes the figures that were recorded on this thread since the last time.
pub fn take_scalars() -> Vec<Scalar> {
    RECORDED.take()
}

/// Gives back figures that were taken, as a resumed run does.
pub fn put_scalars(scalars: Vec<Scalar>) {
    RECORDED.set(scalars);
}

impl host::Services for HostServices {
    fn attribute(&self, name: RStr<'_>) -> ROption<Value> {
        let (major, minor) = nshot_abi::VERSION;
        match name.as_str() {
            "abi" => ROption::RSome(Value::Ints([i64::from(major), i64::from(minor)].as_slice().into())),
            "host_version" => ROption::RSome(Value::Text(env!("CARGO_PKG_VERSION").into())),
            "stopping" => ROption::RSome(Value::Bool(crate::signals::stop_requested().is_some())),
            _ => ROption::RNone,
        }
    }

    fn log(&self, level: RStr<'_>, target: RStr<'_>, text: RStr<'_>) {
        let _ = answer(|| {
            let component = COMPONENT.with_borrow(Clone::clone);
            let text: String = text.chars().take(TEXT_LENGTH).collect();
            let target: String = target.chars().take(100).collect();
            match level.as_str() {
                "error" => tracing::error!(component, plugin = target, "{text}"),
                "warn" => tracing::warn!(component, plugin = target, "{text}"),
                "info" => tracing::info!(component, plugin = target, "{text}"),
                _ => tracing::debug!(component, plugin = target, "{text}"),
            }
            Ok::<_, String>(())
        });
    }

    fn scalar(&self, name: RStr<'_>, value: f64, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        answer(|| {
            Named::new("scalar", attributes.as_slice())?.finish()?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
                let name: String = name.chars().take(40).collect();
                return refuse(format!(
                    "a figure is named `{name}`, expected letters, digits, `-`, `_`, `.`, `/`"
                ));
            }
            if !value.is_finite() {
                return refuse(format!("the figure `{name}` is {value}, expected a finite number"));
            }
            let component = COMPONENT.with_borrow(Clone::clone);
            if component.is_empty() {
                return refuse("figures are recorded within a call, on the thread that makes it");
            }
            if DESCRIBING.get() {
                return refuse(
                    "no figure is recorded while a subnet is described: the host remembers subnets",
                );
            }
            RECORDED.with_borrow_mut(|recorded| {
                if recorded.len() >= SCALARS {
                    return refuse(format!("more than {SCALARS} figures in one step"));
                }
                recorded.push(Scalar { component, name: name.to_string(), value });
                Ok(())
            })
        })
    }
}
