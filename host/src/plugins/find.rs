//! Which plugin file a name means.

use std::cmp::Reverse;

use nshot_loader::{Kind, PluginFile};
use nshot_package::Info;
use semver::Version;

use super::installed::Listed;
use super::{Plugins, wrong_kind};
use crate::failure::{Failure, Result};
use crate::manifest::{nearest, one_of};
use crate::run_directory::LockedPackage;

impl Plugins {
    /// Of one plugin's versions the newest that fits; of two plugins none.
    pub(super) fn find(
        &self,
        kind: Kind,
        name: &str,
        wanted: impl Fn(&str, &str, &str) -> bool,
    ) -> Result<(PluginFile, Option<LockedPackage>)> {
        let (mut fitting, mut others, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let has = |file: &PluginFile| {
            let metadata = &file.metadata;
            let is_wanted = wanted(&metadata.group, &metadata.plugin, &metadata.version);
            is_wanted && file.component(kind, name).is_some()
        };
        let should_have = |info: &Info| {
            let is_wanted = wanted(&info.group, &info.plugin, &info.version.to_string());
            is_wanted && info.components.iter().any(|c| c.kind == kind.name() && c.name == name)
        };
        for Listed { file, package, info, built_in, .. } in self.list() {
            match file {
                Ok(file) if has(file) => fitting.push(Candidate {
                    file: file.clone(),
                    package: package.clone(),
                    built_in: *built_in,
                }),
                Ok(file) => others.push(file),
                // Another one may not take the place of what the manifest means.
                Err(failure) if info.as_ref().is_some_and(should_have) => return Err(failure.clone()),
                Err(failure) => refused.push(failure.to_string()),
            }
        }
        let fitting = Candidate::distinct(fitting);
        let Some(first) = fitting.first() else { return Err(self.absent(kind, name, &others, &refused)) };
        let newest = first.rank();
        let same = |other: &&Candidate| other.plugin() != first.plugin() || other.rank() == newest;
        if fitting.iter().filter(same).count() > 1 {
            let lines: Vec<String> = fitting.iter().map(|candidate| candidate.line(name)).collect();
            return Err(Failure::new(format!("the {kind} `{name}` is in {} plugin files", fitting.len()))
                .hint(format!("name one of them:\n  {}", lines.join("\n  "))));
        }
        let best = fitting.into_iter().next();
        best.map(|best| (best.file, best.package)).ok_or_else(|| self.absent(kind, name, &others, &refused))
    }

    fn absent(&self, kind: Kind, name: &str, others: &[&PluginFile], refused: &[String]) -> Failure {
        let components = || others.iter().flat_map(|file| &file.components);
        let known: Vec<&str> = components()
            .filter(|component| component.kind == kind)
            .map(|component| &*component.name)
            .collect();
        if known.contains(&name) {
            return Failure::new(format!("no {kind} `{name}` is of the plugin or version that `use` names"))
                .hint("`nshot plugin list` shows what there is");
        }
        if let Some(other) = components().find(|component| component.name == name) {
            return wrong_kind(name, other.kind, kind, &known);
        }
        let failure = Failure::new(format!("there is no {kind} `{name}`"));
        if let Some(nearest) = nearest(name, &known) {
            return failure.hint(format!("did you mean `{nearest}`?"));
        }
        if let Some(line) = refused.first() {
            let first = line.split("\n\n").next().unwrap_or_default();
            return failure.hint(format!("{} plugin files were refused, such as: {first}", refused.len()));
        }
        if known.is_empty() {
            let folders: Vec<String> = self.folders.paths().map(|p| p.display().to_string()).collect();
            return failure.hint(format!("no {kind} is in the plugin folders: {}", folders.join(", ")));
        }
        failure.hint(format!("expected {}", one_of(&known)))
    }
}

/// A file that has the component.
struct Candidate {
    file: PluginFile,
    package: Option<LockedPackage>,
    built_in: bool,
}

impl Candidate {
    /// The best first. The same file in two folders is one; what a package says of it holds for each copy.
    fn distinct(all: Vec<Self>) -> Vec<Self> {
        let mut distinct: Vec<Self> = Vec::new();
        for candidate in all {
            match distinct.iter_mut().find(|other| other.file.sha256 == candidate.file.sha256) {
                Some(other) => {
                    other.built_in |= candidate.built_in;
                    other.package = other.package.take().or(candidate.package);
                }
                None => distinct.push(candidate),
            }
        }
        distinct.sort_by_cached_key(|candidate| Reverse(candidate.rank()));
        distinct
    }

    fn plugin(&self) -> (&str, &str) {
        (&self.file.metadata.group, &self.file.metadata.plugin)
    }

    /// The greatest wins: a release before a pre-release, the newest, and of one version the built-in one.
    fn rank(&self) -> (Option<(bool, Version)>, bool) {
        let version = Version::parse(&self.file.metadata.version).ok();
        (version.map(|version| (version.pre.is_empty(), version)), self.built_in)
    }

    fn line(&self, name: &str) -> String {
        let metadata = &self.file.metadata;
        let (group, plugin) = self.plugin();
        format!("`{group}/{plugin}:{name}@={}`, {}", metadata.version, self.file.origin.display())
    }
}
