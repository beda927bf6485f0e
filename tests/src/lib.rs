//! Drives the built nshot and real plugin files.
