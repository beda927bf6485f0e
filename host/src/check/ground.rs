//! What a component is checked in: a small run around it.

use std::path::Path;

use nshot_data::random::{Key, Stream};
use nshot_loader::{ComponentInfo, Kind, PluginFile};
use toml::{Table, Value};

use super::Options;
use super::report::Ended;
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Manifest, Use, nearest, one_of};
use crate::plugins::{Plugins, Resolved, table};
use crate::selection::Architecture;
use crate::space::{Space, Task};

/// The run, where no manifest is given.
const RUN: &str = r#"
[run]
name = "check"
threads = 1
call_limit = 60
[data]
name = "digits"
resize = 32
batch_size = 8
split = { train = 64, rank = 0 }
[space]
use = "nas-bench-201"
channels = 4
cells = 1
[sampler]
use = "spos"
[scheduler]
use = "cosine"
[optimizer]
use = "sgd"
momentum = 0.9
[train]
lr = 0.01
clip_norm = 5.0
"#;

/// The name that its places have in messages.
pub(super) const BUILT_IN: &str = "the built-in run";

/// Steps of the short training.
pub(super) const STEPS: u64 = 12;

/// A component with a run around it.
pub(super) struct Case {
    pub(super) info: ComponentInfo,
    pub(super) resolved: Resolved,
    parts: Result<Parts>,
    /// Whether the run is one that was given.
    given: bool,
}

/// Refuses settings that are of no component of the file.
pub(super) fn check_settings(file: &PluginFile, settings: &[(String, String)]) -> Result<()> {
    let names: Vec<&str> = file.components.iter().map(|component| component.name.as_str()).collect();
    for (key, value) in settings {
        let component = key.split_once('.').map_or("", |(component, _)| component);
        if names.contains(&component) {
            continue;
        }
        let failure =
            Failure::usage(format!("`--set {key}={value}`: the plugin has no component `{component}`"));
        return Err(match nearest(component, &names) {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure.hint(format!("a key is COMPONENT.SETTING, the component {}", one_of(&names))),
        });
    }
    Ok(())
}

impl Case {
    /// # Errors
    /// The manifest or the component's settings in it are wrong.
    pub(super) fn new(
        plugins: &Plugins,
        file: &PluginFile,
        component: &ComponentInfo,
        options: &Options,
        with: Option<&str>,
    ) -> Result<Self> {
        let text = manifest_text(with.unwrap_or(RUN), file, component, options)?;
        let key = table(component.kind);
        let mine = |(name, value): &(String, String)| {
            let (of, setting) = name.split_once('.')?;
            (of == component.name).then(|| (format!("{key}.{setting}"), value.clone()))
        };
        let overrides: Vec<_> = options.settings.iter().filter_map(mine).collect();
        let path = options.with.clone().unwrap_or_else(|| BUILT_IN.into());
        let manifest = Manifest::parse(text, &path, &overrides)?;
        let settings = match component.kind {
            Kind::SearchSpace => &manifest.space.settings,
            Kind::Sampler => &manifest.sampler.settings,
            Kind::LrScheduler => &manifest.scheduler.settings,
            Kind::Optimizer => &manifest.optimizer.settings,
            Kind::StateGroups => &of(manifest.state.as_ref())?.settings,
            Kind::Searcher => &of(manifest.search.as_ref())?.settings,
        };
        let uses = Use::Path { path: file.origin.clone(), component: Some(component.name.clone()) };
        let wanted = Component { uses, settings: settings.clone() };
        let resolved = plugins.resolve(component.kind, &wanted)?;
        if let Some(failure) = resolved.unknown_setting() {
            return Err(failure);
        }
        let parts = Parts::open(manifest, plugins, None);
        Ok(Self { info: component.clone(), resolved, parts, given: with.is_some() })
    }

    pub(super) fn kind(&self) -> Kind {
        self.info.kind
    }

    /// Makes the component, to learn whether its settings suffice.
    pub(super) fn made(&self) -> Result<()> {
        self.make(&self.resolved)
    }

    /// Makes the component with other settings, and drops it.
    pub(super) fn make(&self, resolved: &Resolved) -> Result<()> {
        match self.kind() {
            Kind::SearchSpace => resolved.space(&self.task()).map(drop),
            Kind::Sampler => resolved.sampler().map(drop),
            Kind::LrScheduler => resolved.lr_scheduler().map(drop),
            Kind::Optimizer => resolved.optimizer().map(drop),
            Kind::StateGroups => resolved.state_groups().map(drop),
            Kind::Searcher => resolved.searcher().map(drop),
        }
    }

    /// The task of the run; of the built-in one, small colour images.
    pub(super) fn task(&self) -> Task {
        match &self.parts {
            Ok(parts) if self.given => {
                let [c, h, w] = parts.data.input_shape().map(|size| size as u64);
                Task { input_shape: [c, h, w], classes: parts.data.classes() as u64 }
            }
            _ => Task { input_shape: [3, 32, 32], classes: 10 },
        }
    }

    /// What the run is made of.
    pub(super) fn parts(&self) -> Result<&Parts, Ended> {
        self.parts.as_ref().map_err(|failure| Ended::NotRun(failure.clone().context("the run around it")))
    }

    /// The run, with components of its own.
    pub(super) fn experiment(&self) -> Result<Experiment, Ended> {
        let parts = self.parts()?;
        Ok(parts.experiment(parts.manifest.clone())?)
    }
}

fn of(component: Option<&Component>) -> Result<&Component> {
    component.ok_or_else(|| Failure::new("the manifest lost the component"))
}

/// The manifest's text with the component in its table.
fn manifest_text(
    text: &str,
    file: &PluginFile,
    component: &ComponentInfo,
    options: &Options,
) -> Result<String> {
    let mut manifest: Table = text.parse().map_err(|error: toml::de::Error| {
        let path = options.with.as_deref().unwrap_or(Path::new(BUILT_IN));
        Failure::usage(format!("`{}` is no manifest: {}", path.display(), error.message()))
    })?;
    for other in ["rank", "search", "standalone", "matrix"] {
        if other != table(component.kind) {
            manifest.remove(other);
        }
    }
    let mut mine = match manifest.remove(table(component.kind)) {
        Some(Value::Table(found)) if names(&found, file, component, options) => found,
        _ => Table::new(),
    };
    let mut uses = Table::new();
    uses.insert("path".to_owned(), Value::String(file.origin.display().to_string()));
    uses.insert("component".to_owned(), Value::String(component.name.clone()));
    mine.insert("use".to_owned(), Value::Table(uses));
    manifest.insert(table(component.kind).to_owned(), Value::Table(mine));
    let train = manifest.entry("train").or_insert_with(|| Value::Table(Table::new()));
    if let Some(train) = train.as_table_mut() {
        for key in ["epochs", "stop_after", "checkpoint_every"] {
            train.remove(key);
        }
        train.insert("steps".to_owned(), Value::Integer(STEPS as i64));
    }
    Ok(toml::to_string(&manifest)?)
}

/// Whether a manifest's table means the component, so that its settings are the component's.
fn names(found: &Table, file: &PluginFile, component: &ComponentInfo, options: &Options) -> bool {
    match found.get("use") {
        Some(Value::String(name)) => {
            let name = name.split('@').next().unwrap_or_default();
            name.rsplit(':').next() == Some(component.name.as_str())
        }
        Some(Value::Table(uses)) => {
            let Some(path) = uses.get("path").and_then(Value::as_str) else { return false };
            let base = options.with.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            let path = base.join(path).canonicalize().ok();
            let is = |other: &Path| path.is_some() && other.canonicalize().ok() == path;
            let named = uses.get("component").and_then(Value::as_str);
            (is(&options.given) || is(&file.origin)) && named.is_none_or(|name| name == component.name)
        }
        _ => false,
    }
}

/// Random numbers of the kit: the same in each check.
pub(super) fn random(purpose: u64) -> Stream {
    Key::new(0, "plugin check").stream((purpose, 0))
}

/// Up to so many valid architectures within the allowed options, drawn at random; the extremes come first where they
/// are allowed.
pub(super) fn architectures(space: &Space, allowed: &[Vec<u32>], count: usize) -> Result<Vec<Architecture>> {
    let holds = |a: &&[u32]| a.iter().zip(allowed).all(|(option, allowed)| allowed.contains(option));
    let extremes = [space.smallest(), space.largest()];
    let mut found: Vec<Architecture> = extremes.into_iter().filter(holds).map(<[u32]>::to_vec).collect();
    let mut stream = random(1);
    for _ in 0..count * 1000 {
        if found.len() >= count {
            break;
        }
        let pick = |options: &Vec<u32>| options[stream.below(options.len() as u64) as usize];
        let drawn: Architecture = allowed.iter().map(pick).collect();
        if space.valid(&drawn)? {
            found.push(drawn);
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!("none of {} random architectures is valid", count * 1000)));
    }
    Ok(found)
}
