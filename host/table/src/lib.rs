//! Tables of trained accuracies, and how well a supernet's ranking agrees with one. Knows nothing of libtorch.
//!
//! A [`Table`] holds the accuracies of architectures that were trained alone; [`compare`] measures how well
//! scores predict them, [`scatter`], [`lines`] and [`methods`] draw, [`summarise`] and [`paired`] put the seeds of a sweep
//! together. Random numbers are counter-based: the same rows, options and seed give the same figures.
//!
//! ```
//! use nshot_table::{CompareOptions, Ranked, compare};
//!
//! let row = |accuracy: f64, truth| Ranked { accuracy, mean_nll: 1.0 - accuracy, truth, ..Ranked::default() };
//! let rows = [row(0.2, 70.0), row(0.3, 80.0), row(0.5, 75.0), row(0.6, 90.0)];
//! let comparison = compare(&rows, &CompareOptions { classes: 10, ..CompareOptions::default() });
//! // Five pairs in the same order, one in the other.
//! assert_eq!(comparison.accuracy.kendall, Some(4.0 / 6.0));
//! ```

mod bootstrap;
mod chart;
mod compare;
mod correlation;
mod error;
mod fairness;
mod lines;
mod methods;
mod scatter;
mod summary;
mod table;
mod text;
mod top;
mod values;

pub use bootstrap::Interval;
pub use compare::{Agreement, CompareOptions, Comparison, Complexity, Quartile, Ranked, Score, compare};
pub use correlation::{kendall, spearman};
pub use error::{Error, Result};
pub use fairness::Fairness;
pub use lines::{Series, lines};
pub use methods::{Method, methods};
pub use scatter::scatter;
pub use summary::{Paired, Summary, paired, summarise};
pub use table::{Entry, Parse, Table, TableOptions};
pub use top::{Top, expected_best};
