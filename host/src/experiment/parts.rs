//! What experiments are made of: the data, the device, and the plugins behind the manifest's tables, loaded once.

use std::sync::Arc;

use nshot_data::Data;
use nshot_loader::Kind;
use nshot_torch::{Device, Precision};

use super::{Experiment, Pins};
use crate::boundary::ProgressView;
use crate::component::Searcher;
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Dtype, Manifest, in_words};
use crate::measures::Measure;
use crate::plugins::{Plugins, Resolved};
use crate::rank::truth;
use crate::selection::Selection;
use crate::space::Task;
use crate::watchdog;

/// The parts of a manifest's experiments. Components are made from them anew for each experiment, so that several can
/// train beside each other.
pub struct Parts {
    /// The manifest.
    pub manifest: Manifest,
    /// The data.
    pub data: Arc<Data>,
    device: Device,
    precision: Precision,
    space: Resolved,
    sampler: Resolved,
    groups: Option<Resolved>,
    scheduler: Resolved,
    optimizer: Resolved,
    searcher: Option<Resolved>,
    pins: Pins,
}

impl Parts {
    /// Finds and loads what a manifest names; with `pins`, the plugins that a lock names.
    ///
    /// # Errors
    /// The first thing that is wrong with it, pointing at its line.
    pub fn open(manifest: Manifest, plugins: &Plugins, pins: Option<&Pins>) -> Result<Self> {
        let device = Device::parse(&manifest.run.device).map_err(Into::into);
        let device = manifest.located("run.device", device)?;
        let precision = match manifest.run.dtype {
            Dtype::Float32 => Precision::Float32,
            Dtype::Float64 => Precision::Float64,
        };
        nshot_torch::initialise(manifest.run.threads)?;
        watchdog::start(manifest.run.call_limit);
        let data = open_data(&manifest)?;
        let mut made = Pins::new();
        let mut resolve = |table: &str, kind, component: &Component| {
            let found = match pins.and_then(|pins| pins.get(table)) {
                Some(pin) => plugins.pinned(kind, pin, component.settings.clone()),
                None => plugins.resolve(kind, component),
            };
            let found = manifest.located(&format!("{table}.use"), found)?;
            refuse_unknown_settings(&manifest, table, &found)?;
            made.insert(table.to_owned(), found.pin());
            Ok::<Resolved, Failure>(found)
        };
        let space = resolve("space", Kind::SearchSpace, &manifest.space)?;
        let sampler = resolve("sampler", Kind::Sampler, &manifest.sampler)?;
        let state = manifest.state.as_ref();
        let groups = state.map(|table| resolve("state", Kind::StateGroups, table)).transpose()?;
        let scheduler = resolve("scheduler", Kind::LrScheduler, &manifest.scheduler)?;
        let optimizer = resolve("optimizer", Kind::Optimizer, &manifest.optimizer)?;
        let search = manifest.search.as_ref();
        let searcher = search.map(|table| resolve("search", Kind::Searcher, table)).transpose()?;
        Ok(Self {
            data,
            device,
            precision,
            space,
            sampler,
            groups,
            scheduler,
            optimizer,
            searcher,
            pins: made,
            manifest,
        })
    }

    /// Makes the components and has them plan. The manifest is [`Parts::manifest`], or that with other seeds.
    ///
    /// # Errors
    /// A component refuses its settings, or what it declares or plans is wrong.
    pub fn experiment(&self, manifest: Manifest) -> Result<Experiment> {
        let [c, h, w] = self.data.input_shape().map(|size| size as u64);
        let task = Task { input_shape: [c, h, w], classes: self.data.classes() as u64 };
        let mut space = located_setting(&manifest, "space", self.space.space(&task))?;
        for (name, config) in &manifest.measures {
            let measure = Measure::read(name, config, &space);
            space.add_measure(manifest.located(&format!("measures.{name}"), measure)?);
        }
        let truth = truth::read(&manifest, &space)?.map(Arc::new);
        let sampler = located_setting(&manifest, "sampler", self.sampler.sampler())?;
        let groups = self.groups.as_ref().map(Resolved::state_groups);
        let groups = groups.map(|groups| located_setting(&manifest, "state", groups)).transpose()?;
        let scheduler = located_setting(&manifest, "scheduler", self.scheduler.lr_scheduler())?;
        let optimizer = located_setting(&manifest, "optimizer", self.optimizer.optimizer())?;
        let scale_invariant = manifest.located("optimizer", optimizer.gradient_scale_invariant())?;
        if let Some(searcher) = &self.searcher {
            // Made here to have its settings checked before anything is trained.
            located_setting(&manifest, "search", searcher.searcher())?;
        }
        let made = Experiment {
            data: Arc::clone(&self.data),
            space: Arc::new(space),
            sampler,
            groups,
            scheduler,
            optimizer,
            wants: crate::outcomes::Wants::default(),
            scale_invariant,
            stages: Vec::new(),
            split: Vec::new(),
            separated: Vec::new(),
            device: self.device,
            precision: self.precision,
            pins: self.pins.clone(),
            truth,
            manifest,
        };
        made.planned()
    }

    /// Starts components that were made for this alone, to learn what they refuse at their start: the searcher, which a
    /// run comes to last, the scheduler, whose factors are tried, and with `all` the others too.
    ///
    /// # Errors
    /// A component refuses the run.
    pub fn check_start(&self, experiment: &Experiment, all: bool) -> Result<()> {
        let manifest = &self.manifest;
        if self.searcher.is_some() {
            let view = experiment.search_view();
            manifest.located("search", self.searcher()?.start(&view))?;
        }
        manifest.located("scheduler", self.check_scheduler(experiment))?;
        if !all {
            return Ok(());
        }
        let view = |table| experiment.run_view(table, Some(0));
        manifest.located("sampler", self.sampler.sampler()?.start(&view("sampler")))?;
        if let Some(groups) = &self.groups {
            manifest.located("state", groups.state_groups()?.start(&view("state")))?;
        }
        manifest.located("optimizer", self.optimizer.optimizer()?.start(&view("optimizer")))
    }

    /// The factors of the first two steps, for the smallest subnet and the largest.
    fn check_scheduler(&self, experiment: &Experiment) -> Result<()> {
        let (mut scheduler, run) =
            (self.scheduler.lr_scheduler()?, experiment.run_view("scheduler", Some(0)));
        scheduler.start(&run)?;
        let (_, total_steps) = experiment.schedule(0);
        let steps_per_epoch = experiment.data.batches_per_epoch() as u64;
        for step in 0..total_steps.min(2) {
            for largest in [false, true] {
                let selection = Selection::of(&experiment.space.extreme("weights", largest)?);
                let at = ProgressView { run: &run, step, total_steps, steps_per_epoch };
                scheduler.factor(at, &selection, &experiment.space.subnet(&selection)?)?;
            }
        }
        Ok(())
    }

    /// Makes the searcher of the manifest's `[search]`.
    ///
    /// # Errors
    /// There is none, or it refuses its settings.
    pub fn searcher(&self) -> Result<Searcher> {
        let searcher = self.searcher.as_ref().ok_or_else(|| {
            Failure::usage("no searcher is named").hint("give one: --set search.use=evolution")
        })?;
        located_setting(&self.manifest, "search", searcher.searcher())
    }
}

/// Names the line of a component's setting that `new` refuses, or of the component's table.
fn located_setting<T>(manifest: &Manifest, table: &str, result: Result<T>) -> Result<T> {
    result.map_err(|mut failure| {
        let mut key = table.to_owned();
        // The SDK puts the setting first, and so do those who write "setting `momentum` is …".
        if let Some((component, text)) = failure.message.split_once(", in `new`: ")
            && let Some(text) = text.strip_prefix("setting ").unwrap_or(text).strip_prefix('`')
            && let Some((setting, problem)) = text.split_once('`')
        {
            key = format!("{table}.{setting}");
            if let Some(problem) = problem.strip_prefix(": ").and_then(in_words) {
                failure.message = format!("{component}, in `new`: `{setting}` {problem}");
            }
        }
        manifest.locate(&key, failure)
    })
}

/// The data of a manifest.
///
/// # Errors
/// It is not there or not what the manifest says; the message points at the line.
pub fn open_data(manifest: &Manifest) -> Result<Arc<Data>> {
    Data::open(&manifest.data, manifest.base()).map(Arc::new).map_err(|error| {
        let file = if manifest.data.path.is_some() { "data.path" } else { "data" };
        let key = error.key().unwrap_or(file).to_owned();
        manifest.locate(&key, error.into())
    })
}

/// A setting that the component's schema does not have: named before the component is made, so that the line
/// of the manifest is known.
fn refuse_unknown_settings(manifest: &Manifest, table: &str, found: &Resolved) -> Result<()> {
    match (found.unknown_key(), found.unknown_setting()) {
        (Some(key), Some(mut failure)) => {
            let set = |key: &str| manifest.is_overridden(&format!("{table}.{key}"));
            if set("use") && !set(key) {
                failure.hint = Some(format!(
                    "`--set {table}.use` leaves the other keys of `[{table}]` as they are; \
                     `--set '{table}={{use=\"…\"}}'` replaces them all"
                ));
            }
            Err(manifest.locate(&format!("{table}.{key}"), failure))
        }
        _ => Ok(()),
    }
}
