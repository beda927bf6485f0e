//! Takes the architectures of a search's round, and shows their scores.

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::host::{self, Run_TO};
use nshot_abi::{AbiResult, Attribute, Value};

use super::{Named, Refusal, RunView, answer, refuse, shown};
use crate::rank::Score;
use crate::selection::Architecture;

/// More architectures than this in one round are refused.
const CANDIDATES: usize = 100_000;

/// Takes the architectures of a round.
pub struct AskHost<'a> {
    /// The run, as the searcher sees it.
    pub run: &'a RunView,
    /// The round, from 0.
    pub round: u64,
    /// Values of the parameters of the role `architecture`.
    pub parameters: &'a [(String, Vec<f64>)],
    /// What was asked for so far: valid architectures.
    pub candidates: Vec<Architecture>,
}

impl host::Ask for AskHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn round(&self) -> u64 {
        self.round
    }

    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>> {
        answer(|| {
            let found = self.parameters.iter().find(|(parameter, _)| parameter == name.as_str());
            found.map(|(_, values)| values.clone().into()).ok_or_else(|| {
                format!("there is no parameter `{}` of the role `architecture`", shown(name.as_str()))
            })
        })
    }

    fn candidate(
        &mut self,
        architecture: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        answer(|| {
            Named::new("candidate", attributes.as_slice())?.finish()?;
            let architecture = architecture.as_slice();
            self.run.space.check(architecture)?;
            if !self.run.space.valid(architecture)? {
                return refuse(format!("the architecture {architecture:?} is not valid in this space"));
            }
            if !self.run.holds(architecture) {
                return refuse(format!("no stage of the sampler holds the architecture {architecture:?}"));
            }
            if self.candidates.len() >= CANDIDATES {
                return refuse(format!("more than {CANDIDATES} architectures in one round"));
            }
            self.candidates.push(architecture.to_vec());
            Ok::<_, Refusal>(())
        })
    }
}

/// The scores of a round, in the order in which they were asked for.
pub struct ScoredView<'a> {
    /// The run, as the searcher sees it.
    pub run: &'a RunView,
    /// Architectures and their scores.
    pub scores: &'a [(Architecture, Score)],
}

impl ScoredView<'_> {
    fn entry(&self, entry: u32) -> Result<&(Architecture, Score), Refusal> {
        let count = self.scores.len();
        let found = self.scores.get(entry as usize);
        found.ok_or_else(|| format!("there is no entry {entry}; the round has {count}").into())
    }
}

impl host::Scored for ScoredView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn count(&self) -> u32 {
        self.scores.len() as u32
    }

    fn architecture(&self, entry: u32) -> AbiResult<RVec<u32>> {
        answer(|| self.entry(entry).map(|(architecture, _)| architecture.clone().into()))
    }

    fn value(&self, entry: u32, name: RStr<'_>) -> AbiResult<f64> {
        answer(|| {
            let (architecture, score) = self.entry(entry)?;
            match name.as_str() {
                "accuracy" => Ok(score.accuracy()),
                "nll" => Ok(score.mean_nll),
                "weights" => Ok(score.weights as f64),
                "params" => Ok(score.params as f64),
                "macs" => Ok(score.macs as f64),
                measure => self.run.space.complexity(architecture, measure),
            }
        })
    }
}
