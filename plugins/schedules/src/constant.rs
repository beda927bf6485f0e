//! The base learning rate throughout.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::{Moment, Per, Position};

/// Settings of `constant`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Steps of a linear warm-up: the factor of its step `s`, from 0, is `(s + 1) / warmup_steps`.
    warmup_steps: u64,
}

/// The factor is 1.
pub(crate) struct Constant(Settings);

impl LrScheduler for Constant {
    type Settings = Settings;
    const ABOUT: &'static str = "The base learning rate, after a linear warm-up.";

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }

    fn factor(&mut self, at: &Progress, _subnet: &Subnet) -> Result<f64> {
        Ok(match Moment::of(at).position(self.0.warmup_steps, Per::Step)? {
            Position::WarmUp(factor) => factor,
            Position::Schedule { .. } => 1.0,
        })
    }
}
