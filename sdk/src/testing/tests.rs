//! What the kit finds, tested on components that are right and on ones with a mistake.

mod optimizers;
mod runs;
mod spaces;
