//! Drives the loader with real files: a fixture plugin and changed copies of it.

#![allow(clippy::unwrap_used)]

mod damage;
mod first_load;
mod fuzz;
mod gate;
mod loading;
mod support;
