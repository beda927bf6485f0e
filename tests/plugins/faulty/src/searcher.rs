//! A searcher that goes wrong.

use nshot_sdk::prelude::*;

use crate::fault::Fault;

pub(crate) struct Faulty(Fault);

impl Searcher for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "Asks for the smallest subnet once, but for its faults.";

    fn new(fault: Fault) -> Result<Self> {
        fault.enter("new")?;
        Ok(Self(fault))
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        self.0.enter("ask")?;
        if ask.round() > 0 && self.0.is("late") {
            return Err(Error::new("it does not feel like it"));
        }
        if ask.round() > 0 && !self.0.is("endless") {
            return Ok(());
        }
        // A round may have as many figures as a step.
        for _ in 0..20 {
            nshot_sdk::log::scalar("round", ask.round() as f64)?;
        }
        let smallest = ask.run().smallest("weights")?;
        ask.candidate(&smallest)
    }

    fn tell(&mut self, _: &Scored) -> Result<()> {
        self.0.enter("tell")
    }
}
