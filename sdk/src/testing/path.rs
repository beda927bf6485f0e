//! What a step's path takes, and its losses.

use crate::run::Architecture;

/// How the selected options of a choice are weighted.
#[derive(Debug, Clone, PartialEq)]
pub enum Weighting {
    /// Each counts once.
    Plain,
    /// By these factors, in the order of the options.
    Fixed(Vec<f64>),
    /// By the softmax over the selected options of the parameter of this name.
    Parameter(String),
}

/// The options taken at one choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// Their indices, ascending; never empty.
    pub options: Vec<u32>,
    /// Their weights.
    pub weighting: Weighting,
}

/// How outputs are compared with a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossKind {
    /// Cross-entropy with the labels.
    CrossEntropy {
        /// Label smoothing, 0 to 1.
        smoothing: f64,
    },
    /// Kullback-Leibler divergence to another path's output.
    Distillation {
        /// Above 0.
        temperature: f64,
    },
    /// Mean squared error to another path's output.
    MeanSquaredError,
}

/// A term of a path's loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Its kind.
    pub kind: LossKind,
    /// Its factor.
    pub weight: f64,
    /// The output that it looks at.
    pub output: String,
    /// The earlier path whose output is the target; none: the labels.
    pub path: Option<u32>,
}

impl Loss {
    /// What a path has that names no loss.
    pub(crate) fn labels() -> Self {
        let kind = LossKind::CrossEntropy { smoothing: 0.0 };
        Self { kind, weight: 1.0, output: "logits".to_owned(), path: None }
    }
}

/// One path of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// What it takes at each choice.
    pub picked: Vec<Picked>,
    /// Its losses; never empty.
    pub losses: Vec<Loss>,
}

impl Path {
    /// One plain option at each choice, and the labels' cross-entropy.
    pub fn of(architecture: &[u32]) -> Self {
        let picked = |&option: &u32| Picked { options: vec![option], weighting: Weighting::Plain };
        Self { picked: architecture.iter().map(picked).collect(), losses: vec![Loss::labels()] }
    }

    /// The path's options as an architecture.
    ///
    /// # Panics
    /// If it takes several options of a choice, or weighted ones.
    #[track_caller]
    pub fn architecture(&self) -> Architecture {
        match self.single() {
            Some(architecture) => architecture,
            None => panic!("the path takes several options of a choice, or weighted ones: {:?}", self.picked),
        }
    }

    pub(crate) fn single(&self) -> Option<Architecture> {
        let one = |picked: &Picked| match (&picked.options[..], &picked.weighting) {
            ([option], Weighting::Plain) => Some(*option),
            _ => None,
        };
        self.picked.iter().map(one).collect()
    }
}
