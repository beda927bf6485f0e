//! A scheduler that goes wrong.

use nshot_sdk::prelude::*;

use crate::fault::Fault;

pub(crate) struct Faulty(Fault);

impl LrScheduler for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "A constant rate, but for its faults.";

    fn new(fault: Fault) -> Result<Self> {
        fault.enter("new")?;
        Ok(Self(fault))
    }

    fn factor(&mut self, at: &Progress, subnet: &Subnet) -> Result<f64> {
        if !self.0.enter_at("factor", at.step())? {
            return Ok(1.0);
        }
        match self.0.name() {
            "nan" => Ok(f64::NAN),
            "infinite" => Ok(f64::INFINITY),
            "negative" => Ok(-0.5),
            "huge" => Ok(1e300),
            "address" => Ok(1.0 + (&raw const *self as usize % 4096) as f64),
            "foreign-choice" => subnet.selected(99).map(|_| 1.0),
            _ => Ok(1.0),
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

impl Drop for Faulty {
    fn drop(&mut self) {
        assert!(!self.0.is("panic-drop"), "on purpose");
    }
}
