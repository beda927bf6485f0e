//! `nshot plugin check`: whether a plugin's components keep what their kind promises, with this host and libtorch.
//!
//! One file for each kind says what is asked of it; what is asked of all is beside them: settings, determinism, a state
//! that is saved and restored, memory, a short training. Nothing here is a second copy of the boundary: components are
//! called as a run calls them, and what they return is checked by the same code.

mod drive;
mod ground;
mod optimizer;
mod report;
mod sampler;
mod scheduler;
mod searcher;
mod settings;
mod space;
mod state_groups;
mod training;

use std::path::PathBuf;

use nshot_loader::{Kind, PluginFile};

use crate::failure::Result;
use crate::plugins::Plugins;
use crate::progress::say;

use ground::Case;
use report::Checks;
pub use report::{Line, Report, Verdict};

/// What the components are checked with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The file or folder as it was named.
    pub given: PathBuf,
    /// A manifest with the run around the component, in place of a small one of built-in plugins.
    pub with: Option<PathBuf>,
    /// Settings: pairs of `component.key` and a value.
    pub settings: Vec<(String, String)>,
}

/// Checks every component of a plugin file.
///
/// # Errors
/// A setting is of no component, or the manifest cannot be read. What a component does wrong is in the report.
pub fn check(plugins: &Plugins, file: &PluginFile, options: &Options) -> Result<Report> {
    ground::check_settings(file, &options.settings)?;
    let with = options.with.as_deref().map(crate::manifest::read_text).transpose()?;
    let mut report = Report::new(file);
    for component in &file.components {
        say(&format!("checking the {} `{}`", component.kind, component.name));
        let mut checks = Checks::new(component);
        match Case::new(plugins, file, component, options, with.as_deref()) {
            Err(failure) => checks.no_run(failure),
            Ok(case) => check_one(&case, &mut checks),
        }
        report.add(checks);
    }
    Ok(report)
}

fn check_one(case: &Case, checks: &mut Checks) {
    settings::check(case, checks);
    if let Err(failure) = case.made() {
        return checks.not_made(failure);
    }
    match case.kind() {
        Kind::SearchSpace => space::check(case, checks),
        Kind::Sampler => sampler::check(case, checks),
        Kind::LrScheduler => scheduler::check(case, checks),
        Kind::Optimizer => optimizer::check(case, checks),
        Kind::StateGroups => state_groups::check(case, checks),
        Kind::Searcher => return searcher::check(case, checks),
    }
    training::check(case, checks);
}
