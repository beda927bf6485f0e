//! Calling a component as the host does, through the adapter that ships.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RResult, RSlice, RStr};
use nshot_abi::host::{self, Services_TO};
use nshot_abi::{AbiResult, Attribute, Value};
use serde::Serialize;

use super::attributes::{Named, refuse};
use crate::adapter::guard;

/// Who a component is, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Component {
    kind: &'static str,
    name: &'static str,
}

impl Component {
    /// A component of a type of the author's.
    pub(crate) fn of<T>(kind: &'static str) -> Self {
        let name = std::any::type_name::<T>().split('<').next().unwrap_or_default();
        attach();
        Self { kind, name: name.rsplit("::").next().unwrap_or(name) }
    }

    /// Calls a method; its error ends the test.
    #[track_caller]
    pub(crate) fn call<V>(&self, method: &str, call: impl FnOnce() -> AbiResult<V>) -> V {
        CALLING.set(true);
        let answer = call();
        CALLING.set(false);
        match answer {
            RResult::ROk(value) => value,
            RResult::RErr(error) => self.fail(method, &error.text),
        }
    }

    /// Ends the test: what is wrong with a method.
    #[track_caller]
    pub(crate) fn fail(&self, method: &str, text: &str) -> ! {
        panic!("{} `{}`, in `{method}`: {text}", self.kind, self.name)
    }
}

/// Settings as JSON; nothing is the defaults.
pub(crate) fn settings_text(settings: &impl Serialize) -> String {
    match serde_json::to_value(settings) {
        Ok(serde_json::Value::Null) => "{}".to_owned(),
        Ok(settings) => settings.to_string(),
        Err(error) => panic!("the settings cannot be written as JSON: {error}"),
    }
}

/// The message with which `test` fails: for what a component has to refuse.
///
/// ```
/// # use nshot_sdk::{prelude::*, testing::{self, json}};
/// # struct First;
/// # impl Sampler for First {
/// #     type Settings = NoSettings;
/// #     fn new(_: NoSettings) -> Result<Self> { Ok(Self) }
/// #     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
/// #         step.path(&[9]).map(drop)
/// #     }
/// # }
/// let run = testing::run(&[("kernel", 3)]);
/// let text = testing::refused(|| run.sampler::<First>(()).step());
/// assert_eq!(text, "sampler `First`, in `sample`: there is no option 9 of the choice `kernel`; it has 3, counted from 0");
/// let text = testing::refused(|| run.sampler::<First>(json!({ "kernel": 1 })));
/// assert!(text.contains("unknown field `kernel`"));
/// ```
///
/// # Panics
/// If `test` does not fail.
#[track_caller]
pub fn refused<V>(test: impl FnOnce() -> V) -> String {
    let mut message = None;
    // The guard keeps the expected failure out of the test's output.
    let _ = guard(|| {
        message = catch_unwind(AssertUnwindSafe(|| drop(test()))).err().map(|payload| {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
        });
        Ok(())
    });
    match message {
        Some(message) => message,
        None => panic!("expected a failure, found none"),
    }
}

thread_local! {
    static SCALARS: RefCell<Vec<(String, f64)>> = const { RefCell::new(Vec::new()) };
    static CALLING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The figures that components recorded with [`log::scalar`](crate::log::scalar) in this test since the last call.
pub fn scalars() -> Vec<(String, f64)> {
    SCALARS.take()
}

/// More figures than this in one step are refused by the host.
const SCALARS_OF_A_TEST: usize = 1_000_000;

/// The services that components find in a test: the log goes to standard error, figures are kept.
struct TestServices;

static SERVICES: TestServices = TestServices;

fn attach() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| crate::log::attach(Services_TO::from_ptr(&SERVICES, TD_Opaque)));
}

impl host::Services for TestServices {
    fn attribute(&self, name: RStr<'_>) -> ROption<Value> {
        let (major, minor) = nshot_abi::VERSION;
        match name.as_str() {
            "abi" => ROption::RSome(Value::Ints([i64::from(major), i64::from(minor)].as_slice().into())),
            "host_version" => ROption::RSome(Value::Text(crate::VERSION.into())),
            "stopping" => ROption::RSome(Value::Bool(false)),
            _ => ROption::RNone,
        }
    }

    fn log(&self, level: RStr<'_>, target: RStr<'_>, text: RStr<'_>) {
        eprintln!("{level} {target}: {text}");
    }

    fn scalar(&self, name: RStr<'_>, value: f64, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        guard(|| {
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
            if !CALLING.get() {
                return refuse("figures are recorded within a call, on the thread that makes it");
            }
            SCALARS.with_borrow_mut(|scalars| {
                if scalars.len() >= SCALARS_OF_A_TEST {
                    return refuse(format!("more than {SCALARS_OF_A_TEST} figures in one test"));
                }
                scalars.push((name.to_string(), value));
                Ok(())
            })
        })
    }
}
