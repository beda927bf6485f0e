//! The customary optimizers: SGD with momentum, and `AdamW`. Formulas and defaults are PyTorch's.

mod adamw;
mod decay;
mod setting;
mod sgd;

use adamw::AdamW;
use sgd::Sgd;

nshot_sdk::plugin!(group: "nshot"; optimizer "sgd" => Sgd, optimizer "adamw" => AdamW);
