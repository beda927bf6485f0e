//! One binary of tests that drive the built `nshot` and real plugin files, as a user would.
//!
//! | module | shows |
//! |---|---|
//! | `golden` | training equals the reference, number by number |

mod golden;
mod harness;
