//! Samplers, schedulers, groups and searchers with mistakes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::prelude::*;
use crate::testing::{self, LossKind, Weighting, json, refused, run};

/// Draws uniformly, with one of these faults.
struct Faulty {
    fault: String,
    drawn: u64,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Fault {
    fault: String,
}

static CALLS: AtomicU64 = AtomicU64::new(0);

impl Sampler for Faulty {
    type Settings = Fault;

    fn new(settings: Fault) -> Result<Self> {
        Ok(Self { fault: settings.fault, drawn: 0 })
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        self.drawn += 1;
        let mut random = match &self.fault[..] {
            "forgets" => Random::new(1, self.drawn),
            "clock" => Random::new(CALLS.fetch_add(1, Ordering::Relaxed), 0),
            _ => at.random(),
        };
        let mut architecture = at.uniform(&mut random)?;
        match &self.fault[..] {
            "favours" if random.unit() < 0.2 => architecture[0] = 0,
            "panics" => panic!("no way"),
            "empty" => return Ok(()),
            "open" => {
                let path = step.empty_path()?;
                return step.select(path, 1, &[0], &Attributes::new());
            }
            _ => {}
        }
        step.path(&architecture).map(drop)
    }
}

fn faulty(fault: &str) -> testing::SamplerTest {
    run(&[("kernel", 3), ("depth", 4)]).sampler::<Faulty>(json!({ "fault": fault }))
}

#[test]
fn faults_of_samplers_are_found() {
    let good = faulty("none");
    good.assert_uniform(1000);
    good.assert_deterministic(20);
    good.assert_resumes(20);
    assert!(refused(|| faulty("favours").assert_uniform(2000)).contains("`kernel` are not drawn uniformly"));
    assert!(refused(|| good.assert_uniform(10)).contains("too few steps to tell"));
    let text = refused(|| faulty("clock").assert_deterministic(20));
    assert!(text.starts_with("sampler `Faulty`, in `sample`: with the same seed step "), "{text}");
    faulty("forgets").assert_deterministic(20);
    assert!(
        refused(|| faulty("forgets").assert_resumes(20)).contains("in `load`: resumed at step 1 it draws")
    );
}

#[test]
fn the_hosts_refusals_end_the_test() {
    let panics = refused(|| faulty("panics").step());
    assert!(panics.starts_with("sampler `Faulty`, in `sample`: panicked at "), "{panics}");
    assert!(panics.ends_with(": no way"), "{panics}");
    assert_eq!(refused(|| faulty("empty").step()), "sampler `Faulty`, in `sample`: the step has no path");
    let open = refused(|| faulty("open").step());
    assert_eq!(open, "sampler `Faulty`, in `sample`: path 0 selects nothing at the choice `kernel`");
    let setting = refused(|| run(&[]).sampler::<Faulty>(json!({ "falt": 1 })));
    assert!(setting.starts_with("sampler `Faulty`, in `new`: `falt`: unknown field `falt`"), "{setting}");
}

#[test]
fn uniform_means_among_what_is_valid_and_allowed() {
    let run = run(&[("kernel", 3), ("depth", 4)]).allow(1, &[0, 3]).valid(|a| a[0] != 1 || a[1] == 3);
    let sampler = run.sampler::<Faulty>(());
    sampler.assert_uniform(1000);
    let counts = sampler.counts(1000);
    assert!(counts[0][0] > 300 && counts[0][1] < 300, "{counts:?}");
    assert_eq!((counts[1][1], counts[1][2]), (0, 0));
}

/// Two stages; two paths of mixed options; wants losses.
struct Mixed(Vec<f64>);

impl Sampler for Mixed {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self(Vec::new()))
    }

    fn declare(&mut self, _run: &Run, to: &mut Declare) -> Result<()> {
        to.parameter("alpha", &[3], Role::Architecture, Init::Zeros)
    }

    fn plan(&mut self, run: &Run, plan: &mut Plan) -> Result<()> {
        assert!(run.stage().is_empty());
        plan.stage("whole", &Attributes::new())?;
        let second = plan.stage("half", &attributes! { weights: "parent", parent: "whole", epochs: 2 })?;
        plan.allow(second, 1, &[3, 1])
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let teacher = step.path(&at.uniform(&mut at.random())?)?;
        let student = step.empty_path()?;
        step.select(student, 0, &[2, 0], &attributes! { parameter: "alpha" })?;
        step.select(student, 1, &[3, 1], &attributes! { weights: [0.25, 0.75] })?;
        step.loss(student, "distillation", &attributes! { path: teacher, temperature: 2.0 })
    }

    fn wants(&self) -> Wants {
        Wants { loss: true, observe_every: 3, ..Wants::default() }
    }

    fn observe(&mut self, outcomes: &Outcomes) -> Result<()> {
        assert_eq!(outcomes.count(), 3);
        assert_eq!(outcomes.parameter("alpha")?, [0.5, 0.0, 1.0]);
        self.0.push(outcomes.path_value(2, 1, "loss")?);
        crate::log::scalar("seen", self.0.len() as f64)?;
        outcomes.path_value(0, 0, "gradient_norm").map(drop).or(Ok(()))
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.0)?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.0 = serde_json::from_slice(state)?;
        Ok(())
    }
}

#[test]
fn stages_mixtures_and_outcomes() {
    let run = run(&[("kernel", 3), ("depth", 4)]).steps(60, 6);
    let mut sampler = run.sampler::<Mixed>(()).outcomes(|asked| asked.step as f64);
    sampler.set_parameter("alpha", &[0.5, 0.0, 1.0]);
    let stages = sampler.stages();
    assert_eq!((stages.len(), stages[1].parent.as_deref(), stages[1].epochs), (2, Some("whole"), Some(2)));
    sampler.enter(1);
    let steps = sampler.steps(7);
    assert!(steps.iter().all(|paths| [1, 3].contains(&paths[0].architecture()[1])));
    let student = &steps[0][1];
    assert_eq!(student.picked[0].options, [0, 2]);
    assert_eq!(student.picked[0].weighting, Weighting::Parameter("alpha".to_owned()));
    assert_eq!(student.picked[1].weighting, Weighting::Fixed(vec![0.75, 0.25]));
    assert_eq!(student.losses[0].kind, LossKind::Distillation { temperature: 2.0 });
    assert_eq!(testing::scalars(), [("seen".to_owned(), 1.0), ("seen".to_owned(), 2.0)]);
    sampler.assert_resumes(10);
    let text = refused(|| run.clone().separated_by(&[0]).sampler::<Mixed>(()).step());
    assert!(
        text.ends_with("one and the same option at `kernel`, which separates the optimizer's state"),
        "{text}"
    );
}

/// A factor that falls below 0, and a state that is forgotten.
struct Falls(u32);

impl LrScheduler for Falls {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self(0))
    }

    fn factor(&mut self, at: &Progress, subnet: &Subnet) -> Result<f64> {
        self.0 += 1;
        Ok(subnet.complexity("macs")? - f64::from(self.0) + 0.0 * at.fraction())
    }
}

#[test]
fn faults_of_schedulers_are_found() {
    let scheduler =
        run(&[("kernel", 3)]).steps(2, 1).measure("macs", |a| f64::from(5 * a[0])).scheduler::<Falls>(());
    assert_eq!(scheduler.curve(&[1]), [4.0, 3.0]);
    let text = refused(|| scheduler.curve(&[0]));
    assert_eq!(
        text,
        "scheduler `Falls`, in `factor`: the factor at step 0 is -1, expected a finite number of at least 0"
    );
    let text = refused(|| scheduler.assert_resumes(&[1]));
    assert_eq!(text, "scheduler `Falls`, in `load`: resumed at step 1 the factor is 4, expected 3");
}

/// Separates by the choices that it is given.
struct By(Vec<u32>);

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Choices {
    by: Vec<u32>,
}

impl StateGroups for By {
    type Settings = Choices;

    fn new(settings: Choices) -> Result<Self> {
        Ok(Self(settings.by))
    }

    fn separate_by(&mut self, _run: &Run) -> Result<Vec<ChoiceIndex>> {
        Ok(self.0.clone())
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        assert_eq!(run.separated_choices()?, self.0);
        Ok(())
    }
}

#[test]
fn groups_are_numbered_as_by_the_host() {
    let run = run(&[("kernel", 3), ("depth", 4), ("width", 2)]);
    let mut groups = run.groups::<By>(json!({ "by": [1, 0] }));
    assert_eq!(groups.of(&[vec![2, 3, 0], vec![0, 1, 1]]), [11, 3]);
    groups.assert_resumes(&[vec![2, 3, 0], vec![0, 1, 1]]);
    assert_eq!(groups.group(5, &[vec![1, 1, 0], vec![1, 1, 1]]), 4);
    assert!(refused(|| groups.group(5, &[vec![1, 1, 0], vec![1, 2, 1]])).contains("option at `depth`"));
    let text = refused(|| run.groups::<By>(json!({ "by": [0, 3] })));
    assert_eq!(
        text,
        "state groups `By`, in `separate_by`: the choice 3 is out of range, expected different ones below 3"
    );
    assert!(refused(|| run.groups::<By>(json!({ "by": [1, 1] }))).contains("is named twice"));
}

/// Climbs from the smallest architecture; without its state it starts again.
struct Climb {
    best: Option<(Architecture, f64)>,
    keeps: bool,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Keeps {
    keeps: bool,
}

impl Searcher for Climb {
    type Settings = Keeps;

    fn new(settings: Keeps) -> Result<Self> {
        Ok(Self { best: None, keeps: settings.keeps })
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        let start = ask.run().smallest("macs")?;
        let at = self.best.as_ref().map_or(start, |best| best.0.clone());
        for choice in 0..if ask.round() < 6 { at.len() } else { 0 } {
            let mut next = at.clone();
            next[choice] += 1;
            if ask.run().valid(&next)? {
                ask.candidate(&next)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, scored: &Scored) -> Result<()> {
        for entry in 0..scored.count() {
            let (architecture, found) = (scored.architecture(entry)?, scored.value(entry, "accuracy")?);
            assert!(scored.value(entry, "macs")? >= 1.0);
            if self.best.as_ref().is_none_or(|best| found > best.1) {
                self.best = Some((architecture, found));
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(if self.keeps { serde_json::to_vec(&self.best)? } else { Vec::new() })
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        if self.keeps {
            self.best = serde_json::from_slice(state)?;
        }
        Ok(())
    }
}

#[test]
fn searches_run_to_the_end_and_resume() {
    let run = run(&[("kernel", 3), ("depth", 4)]);
    let score = |a: &[u32]| f64::from(a[0] + a[1]) / 10.0;
    let searched = run.searcher::<Climb>(json!({ "keeps": true })).search(score);
    assert_eq!(searched.best().0, [2, 3]);
    assert_eq!((searched.rounds.len(), searched.asked().next()), (5, Some(&vec![1, 0])));
    let text = refused(|| run.searcher::<Climb>(json!({ "keeps": false })).search(score));
    assert!(text.contains("in `load`: resumed before round 1 it asks for"), "{text}");
}

#[test]
fn extremes_of_a_replaced_measure_are_found() {
    let run =
        run(&[("kernel", 3), ("depth", 4)]).measure("macs", |a| 10.0 - f64::from(a[0]) + f64::from(a[1] % 2));
    let scheduler = refused(|| run.scheduler::<Falls>(()).factor(0, &[1, 9]));
    assert!(scheduler.contains("no option 9 of the choice `depth`"), "{scheduler}");
    let view = Run(run.view());
    assert_eq!(view.smallest("macs").unwrap(), [2, 0]);
    assert_eq!(view.largest("weights").unwrap(), [2, 3]);
    assert_eq!(
        view.largest("energy").unwrap_err().text(),
        "unknown measure `energy`; this run has weights, params, macs"
    );
}

#[test]
#[should_panic(expected = "expected a failure, found none")]
fn what_does_not_fail_is_not_refused() {
    refused(|| 1);
}
