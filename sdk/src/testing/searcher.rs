//! Searchers: a whole search, with scores that the test makes up.

use std::sync::Arc;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::component::SearcherBox;
use nshot_abi::host::{self, Ask_TO, Run_TO, Scored_TO};
use nshot_abi::{AbiResult, Attribute, Value};
use serde::Serialize;

use super::attributes::{Named, refuse, shown};
use super::component::{Component, settings_text};
use super::ground;
use super::path::Path;
use super::run::TestRun;
use crate::adapter::guard;
use crate::registration::Entry;
use crate::run::Architecture;
use crate::searcher::Searcher;

/// More architectures than this in one round are refused.
const CANDIDATES: usize = 100_000;
/// A search of more rounds than this is taken for one that does not end.
const ROUNDS: u64 = 10_000;

/// What a test says of an architecture. From a number: an accuracy, with one minus it as the negative log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Share of images that are classified correctly, 0 to 1.
    pub accuracy: f64,
    /// Mean negative log-likelihood of the labels.
    pub nll: f64,
}

impl From<f64> for Score {
    fn from(accuracy: f64) -> Self {
        Self { accuracy, nll: 1.0 - accuracy }
    }
}

/// What a search asked for, by round, with the scores that it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The rounds, in order; the last, empty one left out.
    pub rounds: Vec<Vec<(Architecture, Score)>>,
}

impl Searched {
    /// Everything that was asked for, in order.
    pub fn asked(&self) -> impl Iterator<Item = &Architecture> {
        self.rounds.iter().flatten().map(|(architecture, _)| architecture)
    }

    /// The architecture of the highest accuracy, and of equal ones the one asked for first.
    ///
    /// # Panics
    /// Nothing was asked for.
    #[track_caller]
    pub fn best(&self) -> &(Architecture, Score) {
        let all = self.rounds.iter().flatten();
        match all.reduce(|best, next| if next.1.accuracy > best.1.accuracy { next } else { best }) {
            Some(best) => best,
            None => panic!("the search asked for nothing"),
        }
    }
}

/// A searcher in a run, through the adapter that ships.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// /// Ten random architectures.
/// struct Ten;
///
/// impl Searcher for Ten {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn ask(&mut self, ask: &mut Ask) -> Result<()> {
///         if ask.round() == 0 {
///             let mut random = ask.random();
///             for _ in 0..10 {
///                 let architecture = ask.uniform(&mut random)?;
///                 ask.candidate(&architecture)?;
///             }
///         }
///         Ok(())
///     }
///
///     fn tell(&mut self, _scored: &Scored) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let run = testing::run(&[("kernel", 3), ("depth", 4)]);
/// let searched = run.searcher::<Ten>(()).search(|architecture| f64::from(architecture[1]) / 4.0);
/// assert_eq!(searched.asked().count(), 10);
/// assert!(searched.best().1.accuracy > 0.4);
/// ```
pub struct SearcherTest {
    component: Component,
    make: Arc<dyn Fn() -> AbiResult<SearcherBox>>,
    run: TestRun,
    parameters: Vec<(String, Vec<f64>)>,
}

impl TestRun {
    /// A searcher of this run. `settings`: `()`, `json!({ … })`, or a value of its settings type.
    ///
    /// # Panics
    /// The searcher refuses its settings.
    #[track_caller]
    pub fn searcher<T: Searcher>(&self, settings: impl Serialize) -> SearcherTest {
        let (component, text) = (Component::of::<T>("searcher"), settings_text(&settings));
        let make = move || guard(|| Entry::searcher::<T>("").make_searcher(&text));
        drop(component.call("new", &make));
        let run = self.in_stage("search");
        SearcherTest { component, make: Arc::new(make), run, parameters: Vec::new() }
    }
}

impl SearcherTest {
    /// A parameter of the role `architecture` with its values, for searchers that read what a sampler trained.
    #[must_use]
    pub fn parameter(mut self, name: &str, values: &[f64]) -> Self {
        self.parameters.push((name.to_owned(), values.to_vec()));
        self
    }

    /// Searches until nothing more is asked for. The search is made twice, the second time with a searcher that is
    /// remade from its saved state before every round: both have to ask for the same.
    ///
    /// # Panics
    /// The searcher fails, asks for what the host refuses, does not end within 10,000 rounds, or the two searches
    /// differ.
    #[track_caller]
    pub fn search<S: Into<Score>>(&self, score: impl Fn(&[u32]) -> S) -> Searched {
        let (mut whole, mut resumed) = (self.started(), self.started());
        let mut searched = Searched { rounds: Vec::new() };
        for round in 0..ROUNDS {
            resumed = self.remade(&resumed);
            let asked = self.ask(&mut whole, round);
            let again = self.ask(&mut resumed, round);
            if asked != again {
                self.component.fail(
                    "load",
                    &format!("resumed before round {round} it asks for\n{again:?}, expected\n{asked:?}"),
                );
            }
            if asked.is_empty() {
                return searched;
            }
            let scores: Vec<_> = asked
                .into_iter()
                .map(|architecture| {
                    let score = score(&architecture).into();
                    (architecture, score)
                })
                .collect();
            self.tell(&mut whole, &scores);
            self.tell(&mut resumed, &scores);
            searched.rounds.push(scores);
        }
        self.component.fail("ask", &format!("the search does not end within {ROUNDS} rounds"))
    }

    #[track_caller]
    fn started(&self) -> SearcherBox {
        let mut object = self.component.call("new", || (self.make)());
        self.component.call("start", || object.start(self.run.view()));
        object
    }

    #[track_caller]
    fn remade(&self, from: &SearcherBox) -> SearcherBox {
        let state = self.component.call("save", || from.save());
        let mut object = self.started();
        self.component.call("load", || object.load(RSlice::from(&state[..])));
        object
    }

    #[track_caller]
    fn ask(&self, object: &mut SearcherBox, round: u64) -> Vec<Architecture> {
        let (run, parameters) = (&self.run, &self.parameters[..]);
        let mut ask = AskHost { run, round, parameters, candidates: Vec::new() };
        self.component.call("ask", || object.ask(Ask_TO::from_ptr(&mut ask, TD_Opaque)));
        ask.candidates
    }

    #[track_caller]
    fn tell(&self, object: &mut SearcherBox, scores: &[(Architecture, Score)]) {
        let view = ScoredView { run: &self.run, scores };
        self.component.call("tell", || object.tell(Scored_TO::from_ptr(&view, TD_Opaque)));
    }
}

struct AskHost<'a> {
    run: &'a TestRun,
    round: u64,
    parameters: &'a [(String, Vec<f64>)],
    candidates: Vec<Architecture>,
}

impl host::Ask for AskHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn round(&self) -> u64 {
        self.round
    }

    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>> {
        guard(|| match self.parameters.iter().find(|(parameter, _)| parameter == name.as_str()) {
            Some((_, values)) => Ok(values.clone().into()),
            None => {
                refuse(format!("there is no parameter `{}` of the role `architecture`", shown(name.as_str())))
            }
        })
    }

    fn candidate(
        &mut self,
        architecture: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        guard(|| {
            Named::new("candidate", attributes.as_slice())?.finish()?;
            let architecture = architecture.as_slice();
            ground::check(self.run.ground.choices(), architecture)?;
            if !self.run.in_space(architecture)? {
                return refuse(format!("the architecture {architecture:?} is not valid in this space"));
            }
            if self.candidates.len() >= CANDIDATES {
                return refuse(format!("more than {CANDIDATES} architectures in one round"));
            }
            self.candidates.push(architecture.to_vec());
            Ok(())
        })
    }
}

struct ScoredView<'a> {
    run: &'a TestRun,
    scores: &'a [(Architecture, Score)],
}

impl ScoredView<'_> {
    fn entry(&self, entry: u32) -> crate::Result<&(Architecture, Score)> {
        match self.scores.get(entry as usize) {
            Some(found) => Ok(found),
            None => refuse(format!("there is no entry {entry}; the round has {}", self.scores.len())),
        }
    }
}

impl host::Scored for ScoredView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn count(&self) -> u32 {
        self.scores.len() as u32
    }

    fn architecture(&self, entry: u32) -> AbiResult<RVec<u32>> {
        guard(|| self.entry(entry).map(|(architecture, _)| architecture.clone().into()))
    }

    fn value(&self, entry: u32, name: RStr<'_>) -> AbiResult<f64> {
        guard(|| {
            let (architecture, score) = self.entry(entry)?;
            match name.as_str() {
                "accuracy" => Ok(score.accuracy),
                "nll" => Ok(score.nll),
                measure => self.run.complexity(&Path::of(architecture), measure),
            }
        })
    }
}
