//! An optimizer that goes wrong.

use nshot_sdk::List;
use nshot_sdk::prelude::*;

use crate::fault::Fault;

pub(crate) struct Faulty {
    fault: Fault,
    /// A list of an earlier update.
    stale: Option<List>,
}

impl Optimizer for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "Plain SGD, but for its faults.";

    fn new(fault: Fault) -> Result<Self> {
        fault.enter("new")?;
        Ok(Self { fault, stale: None })
    }

    fn step(&mut self, update: &mut Update) -> Result<()> {
        let (parameters, gradients) = (update.parameters()?, update.gradients()?);
        let momentum = update.slot("momentum")?;
        let none = Attributes::new();
        // The slot's count is the step, where every step reaches the parameter.
        let step = update.update_counts()?.into_iter().max().unwrap_or(0);
        if self.fault.enter_at("step", step)? {
            match self.fault.name() {
                "stale-handle" => {
                    let stale = self.stale.ok_or_else(|| Error::new("no stale list"))?;
                    update.op("sqrt", &[stale], &none).map(|_| ())?;
                }
                "no-list" => update.op("add", &[], &none).map(|_| ())?,
                "unequal-lists" => {
                    let some = update.subset(gradients, &[0])?;
                    let two = update.subset(parameters, &[0, 1])?;
                    update.op("add_", &[two, some], &none).map(|_| ())?;
                }
                "wrong-shapes" => {
                    let (one, other) = (update.subset(parameters, &[0])?, update.subset(gradients, &[1])?);
                    update.op("add_", &[one, other], &none).map(|_| ())?;
                }
                "subset-out-of-range" => update.subset(parameters, &[0, u32::MAX]).map(|_| ())?,
                "unknown-operation" => update.op("shake", &[parameters], &none).map(|_| ())?,
                "unknown-attribute" => {
                    let attributes = attributes! { alpha: 1.0, beta: 2.0 };
                    update.op("add", &[parameters, gradients], &attributes).map(|_| ())?;
                }
                "writes-to-gradients" => update.op("zero_", &[gradients], &none).map(|_| ())?,
                "nan-attribute" => {
                    update.op("mul_", &[parameters], &attributes! { value: f64::NAN }).map(|_| ())?;
                }
                "nan-weights" => {
                    let zeros = update.op("zeros_like", &[parameters], &none)?;
                    let nan = update.op("div", &[zeros, zeros], &none)?;
                    update.op("copy_", &[parameters, nan], &none)?;
                }
                "endless-lists" => loop {
                    update.op("zeros_like", &[parameters], &none)?;
                },
                "endless-slot-name" => update.slot(&"x".repeat(10 << 20)).map(|_| ())?,
                "foreign-parameter" => update.name(update.count()).map(|_| ())?,
                _ => {}
            }
        }
        for _ in 0..20 {
            self.stale = Some(update.op("neg", &[gradients], &none)?);
        }
        let rate = update.learning_rate();
        if self.fault.is("undeclared-sign") {
            let signs = update.op("sign", &[gradients], &none)?;
            update.op("add_", &[parameters, signs], &attributes! { alpha: -rate })?;
            return Ok(());
        }
        update.op(
            "fused_sgd_",
            &[parameters, gradients, momentum],
            &attributes! { lr: rate, momentum: 0.9 },
        )?;
        Ok(())
    }

    fn start(&mut self, _: &Run) -> Result<()> {
        self.fault.enter("start")
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.fault.enter("save").map(|()| Vec::new())
    }

    fn load(&mut self, _: &[u8]) -> Result<()> {
        self.fault.enter("load")
    }
}
