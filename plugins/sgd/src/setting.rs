//! Checks of settings.

use nshot_sdk::{Error, Result};

/// Refuses a number that is not finite or below 0.
pub(crate) fn not_negative(setting: &str, found: f64) -> Result<()> {
    if found.is_finite() && found >= 0.0 {
        return Ok(());
    }
    Err(Error::new(format!("setting `{setting}` is {found}, expected a finite number of at least 0")))
}

/// Refuses a number that is not from 0 to below 1.
pub(crate) fn below_one(setting: &str, found: f64) -> Result<()> {
    if (0.0..1.0).contains(&found) {
        return Ok(());
    }
    Err(Error::new(format!("setting `{setting}` is {found}, expected a number from 0 to below 1")))
}
