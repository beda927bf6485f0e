//! State groups that go wrong.

use nshot_sdk::prelude::*;

use crate::fault::Fault;

pub(crate) struct Faulty(Fault);

impl StateGroups for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "One group for each option of the first choice, but for its faults.";

    fn new(fault: Fault) -> Result<Self> {
        fault.enter("new")?;
        Ok(Self(fault))
    }

    fn separate_by(&mut self, _: &Run) -> Result<Vec<ChoiceIndex>> {
        self.0.enter("separate_by")?;
        Ok(match self.0.name() {
            "out-of-range" => vec![2],
            "twice" => vec![0, 1, 0],
            "endless" => vec![7; 1_000_000],
            _ => vec![0],
        })
    }

    fn group(&mut self, paths: &Paths) -> Result<u64> {
        if !self.0.enter_at("group", paths.step())? {
            return paths.default_group();
        }
        match self.0.name() {
            "huge-group" => Ok(u64::MAX),
            "foreign-path" => paths.selected(5, 0).map(|_| 0),
            _ => paths.default_group(),
        }
    }

    fn start(&mut self, _: &Run) -> Result<()> {
        self.0.enter("start")
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.0.enter("save").map(|()| Vec::new())
    }

    fn load(&mut self, _: &[u8]) -> Result<()> {
        self.0.enter("load")
    }
}
