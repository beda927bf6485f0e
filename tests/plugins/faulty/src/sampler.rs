//! A sampler that goes wrong.

use nshot_sdk::prelude::*;

use crate::fault::Fault;

/// The second number counts steps, and is not saved.
pub(crate) struct Faulty(Fault, u32);

impl Sampler for Faulty {
    type Settings = Fault;
    const ABOUT: &'static str = "A uniform architecture, but for its faults.";

    fn new(fault: Fault) -> Result<Self> {
        fault.enter("new")?;
        Ok(Self(fault, 0))
    }

    fn plan(&mut self, run: &Run, plan: &mut Plan) -> Result<()> {
        self.0.enter("plan")?;
        let none = Attributes::new();
        match self.0.name() {
            "stage-named-as-a-path" => plan.stage("../../elsewhere", &none).map(|_| ()),
            "stage-with-an-endless-name" => plan.stage(&"x".repeat(10 << 20), &none).map(|_| ()),
            "stage-twice" => ["a", "a"].iter().try_for_each(|name| plan.stage(name, &none).map(|_| ())),
            "endless-stages" => {
                (0_u64..).try_for_each(|index| plan.stage(&index.to_string(), &none).map(|_| ()))
            }
            "stage-without-options" => plan.stage("a", &none).and_then(|stage| plan.allow(stage, 0, &[])),
            "stage-with-a-foreign-option" => {
                plan.stage("a", &none).and_then(|stage| plan.allow(stage, 0, &[0, 9]))
            }
            "stage-of-an-unknown-parent" => {
                plan.stage("a", &attributes! { weights: "parent", parent: "b" }).map(|_| ())
            }
            "stage-without-end" => {
                plan.stage("a", &attributes! { epochs: i64::MAX })?;
                plan.stage("b", &attributes! { epochs: i64::MAX, schedule: "continue" }).map(|_| ())
            }
            "stage-with-an-unknown-attribute" => plan.stage("a", &attributes! { colour: "red" }).map(|_| ()),
            "split" | "outside-of-the-stage" => run.allowed(0)?.into_iter().try_for_each(|option| {
                let stage = plan.stage(&format!("option-{option}"), &none)?;
                plan.allow(stage, 0, &[option])
            }),
            _ => Ok(()),
        }
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let mut architecture = at.uniform(&mut at.random())?;
        if self.0.is("forgetful") {
            self.1 += 1;
            architecture[0] = self.1 % 2;
        }
        if !self.0.enter_at("sample", at.step())? {
            return step.path(&architecture).map(|_| ());
        }
        match self.0.name() {
            "out-of-range" => step.path(&[0, 2]).map(|_| ()),
            "too-few-options" => step.path(&[0]).map(|_| ()),
            "too-many-options" => step.path(&[0; 1000]).map(|_| ()),
            "outside-of-the-stage" => step.path(&[1, 0]).map(|_| ()),
            "no-path" => Ok(()),
            "clock" => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                architecture[0] = now.map_or(0, |now| now.subsec_nanos() / 100) % 2;
                step.path(&architecture).map(|_| ())
            }
            "leak" => {
                Box::leak(vec![1_u8; 2000].into_boxed_slice());
                step.path(&architecture).map(|_| ())
            }
            "loop" => loop {
                std::thread::sleep(std::time::Duration::from_millis(10));
            },
            "loop-in-the-space" => loop {
                at.uniform(&mut at.random())?;
            },
            "grow" => {
                let mut kept = Vec::new();
                for _ in 0..8 {
                    kept.push(vec![1_u8; 100 << 20]);
                    std::thread::sleep(std::time::Duration::from_millis(150));
                }
                step.path(&architecture[..kept.len().min(architecture.len())]).map(|_| ())
            }
            "endless-paths" => loop {
                step.path(&architecture)?;
            },
            "half-a-path" => {
                step.empty_path().and_then(|path| step.select(path, 0, &[0], &Attributes::new()))
            }
            "option-twice" => {
                step.empty_path().and_then(|path| step.select(path, 0, &[1, 1], &Attributes::new()))
            }
            "foreign-path" => step.select(3, 0, &[0], &Attributes::new()),
            "foreign-choice" => {
                step.empty_path().and_then(|path| step.select(path, 7, &[0], &Attributes::new()))
            }
            "unknown-loss" => {
                step.path(&architecture).and_then(|path| step.loss(path, "hinge", &Attributes::new()))
            }
            "loss-of-an-unknown-output" => step
                .path(&architecture)
                .and_then(|path| step.loss(path, "cross_entropy", &attributes! { output: "auxiliary" })),
            "loss-weighted-with-nan" => step
                .path(&architecture)
                .and_then(|path| step.loss(path, "cross_entropy", &attributes! { weight: f64::NAN })),
            "loss-with-an-unknown-attribute" => step
                .path(&architecture)
                .and_then(|path| step.loss(path, "cross_entropy", &attributes! { focus: 2.0 })),
            "weighted-by-no-parameter" => step.empty_path().and_then(|path| {
                step.select(path, 0, &[0, 1], &attributes! { parameter: "classifier.weight" })
            }),
            "different-options" => [[0, 0], [1, 0]].iter().try_for_each(|path| step.path(path).map(|_| ())),
            "endless-figure-name" => {
                nshot_sdk::log::scalar(&"x".repeat(10 << 20), 1.0)?;
                step.path(&architecture).map(|_| ())
            }
            "nan-figure" => {
                nshot_sdk::log::scalar("figure", f64::NAN)?;
                step.path(&architecture).map(|_| ())
            }
            _ => step.path(&architecture).map(|_| ()),
        }
    }

    fn wants(&self) -> Wants {
        if let Err(error) = self.0.enter("wants") {
            panic!("{error}");
        }
        let observes = self.0.name().ends_with("observe");
        Wants {
            loss: observes,
            option_gradient_norm: self.0.is("wants-much"),
            observe_every: 4,
            ..Wants::default()
        }
    }

    fn observe(&mut self, outcomes: &Outcomes) -> Result<()> {
        self.0.enter("observe")?;
        if self.0.is("foreign-entry-observe") {
            outcomes.path_value(outcomes.count(), 0, "loss")?;
        }
        Ok(())
    }

    fn start(&mut self, _: &Run) -> Result<()> {
        self.0.enter("start")
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.0.enter("save")?;
        Ok(if self.0.is("odd-state") { vec![0xff; 64] } else { Vec::new() })
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.0.enter("load")?;
        let expected = if self.0.is("odd-state") { &[0xff; 64][..] } else { &[] };
        if state == expected { Ok(()) } else { Err(Error::new("another state than was saved")) }
    }
}
