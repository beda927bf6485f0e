//! Drives the built `nshot` and real plugin files; see `nshot/main.rs`.
