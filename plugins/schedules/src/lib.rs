//! The customary learning-rate schedules, each with a warm-up: constant, cosine, polynomial.

mod constant;
mod cosine;
mod polynomial;
mod position;

use constant::Constant;
use cosine::Cosine;
use polynomial::Polynomial;

nshot_sdk::plugin!(
    group: "nshot";
    lr_scheduler "constant" => Constant,
    lr_scheduler "cosine" => Cosine,
    lr_scheduler "polynomial" => Polynomial,
);
