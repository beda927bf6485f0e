//! Tests against libtorch itself: one binary, as linking it takes long.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests look at values")]

mod cheaper;
mod convolution;
mod dispatch;
mod files;
mod golden;
mod joined;
mod networks;
mod operations;
mod runtime;
mod script;
mod support;
mod training;
mod update;
