//! What was checked, and what came of it.

use comfy_table::{Table, presets};
use nshot_loader::{ComponentInfo, PluginFile};
use serde::Serialize;

use super::ground::BUILT_IN;
use crate::boundary::take_scalars;
use crate::component::is_panic;
use crate::failure::{Failure, Result};

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The component keeps the promise.
    Passed,
    /// It does not.
    Failed,
    /// It could not be asked.
    NotRun,
}

/// One check of one component.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The component's kind.
    pub kind: String,
    /// Its name.
    pub component: String,
    /// What was checked.
    pub check: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was asked; or what came back, and what was expected; or why it could not be asked.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// All checks of a plugin.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The plugin: `group/name version`.
    pub plugin: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Whether every component was checked and none failed.
    pub passed: bool,
    /// The checks.
    pub checks: Vec<Line>,
}

impl Report {
    pub(super) fn new(file: &PluginFile) -> Self {
        let metadata = &file.metadata;
        Self {
            plugin: format!("{}/{} {}", metadata.group, metadata.plugin, metadata.version),
            sha256: file.sha256.to_string(),
            passed: !file.components.is_empty(),
            checks: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, checks: Checks) {
        self.passed &= checks.made && checks.lines.iter().all(|line| line.verdict != Verdict::Failed);
        self.checks.extend(checks.lines);
    }

    /// A table for people, and below it what is wrong.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["kind", "component", "check", "", ""]);
        for line in &self.checks {
            let (verdict, detail) = match line.verdict {
                Verdict::Passed => ("passed", line.detail.as_str()),
                Verdict::Failed => ("FAILED", "see below"),
                Verdict::NotRun => ("not run", "see below"),
            };
            table.add_row([&line.kind, &line.component, &line.check, verdict, detail]);
        }
        let mut text: String = table.lines().map(|line| line.trim().to_owned() + "\n").collect();
        let mut wrong: Vec<(&Line, Vec<&str>)> = Vec::new();
        for line in self.checks.iter().filter(|line| line.verdict != Verdict::Passed) {
            // One mistake is seen by several checks.
            match wrong.iter_mut().find(|(said, _)| said.detail == line.detail) {
                Some((_, checks)) => checks.push(&line.check),
                None => wrong.push((line, vec![&line.check])),
            }
        }
        for (line, checks) in wrong {
            let verdict = if line.verdict == Verdict::Failed { "failed" } else { "not run" };
            text += &format!("\n{verdict}: {}: {}\n", checks.join("; "), line.detail);
            if let Some(hint) = &line.hint {
                text += &format!("hint: {hint}\n");
            }
        }
        let of = |verdict| self.checks.iter().filter(|line| line.verdict == verdict).count();
        text += &format!(
            "\n`{}`: {} passed, {} failed, {} not run\n",
            self.plugin,
            of(Verdict::Passed),
            of(Verdict::Failed),
            of(Verdict::NotRun)
        );
        text
    }
}

/// The checks of one component.
pub(super) struct Checks {
    kind: String,
    component: String,
    made: bool,
    lines: Vec<Line>,
}

/// Why a check ended otherwise than by passing.
pub(super) enum Ended {
    Failed(Failure),
    NotRun(Failure),
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Checks {
    pub(super) fn new(component: &ComponentInfo) -> Self {
        let (kind, component) = (component.kind.to_string(), component.name.clone());
        Self { kind, component, made: true, lines: Vec::new() }
    }

    /// A check; it returns what was asked.
    pub(super) fn run(&mut self, check: &str, ask: impl FnOnce() -> Result<String, Ended>) {
        // What a check before this one recorded is none of its figures.
        drop(take_scalars());
        let (verdict, detail, hint) = match ask() {
            Ok(detail) => (Verdict::Passed, detail, None),
            Err(Ended::Failed(failure)) => (Verdict::Failed, unplaced(failure.message), failure.hint),
            Err(Ended::NotRun(failure)) => (Verdict::NotRun, unplaced(failure.message), failure.hint),
        };
        self.lines.push(Line {
            kind: self.kind.clone(),
            component: self.component.clone(),
            check: check.to_owned(),
            verdict,
            detail,
            hint,
        });
    }

    /// The component cannot be made: nothing more can be asked of it.
    pub(super) fn not_made(&mut self, failure: Failure) {
        self.made = false;
        let name = &self.component;
        let needs = format!(
            "give what it needs, by `--set {name}.KEY=VALUE`, or a run that it fits in, by `--with MANIFEST`"
        );
        let failure = Failure { hint: failure.hint.or(Some(needs)), ..failure };
        // What `new` refuses may be for want of settings; all else is a mistake.
        let refused = !is_panic(&failure) && failure.message.contains(", in `new`: ");
        self.run("calls", || Err(if refused { Ended::NotRun(failure) } else { Ended::Failed(failure) }));
    }

    /// The run around the component is wrong.
    pub(super) fn no_run(&mut self, failure: Failure) {
        self.made = false;
        self.run("calls", || Err(Ended::NotRun(failure)));
    }
}

/// A message without its place in the built-in run, which nobody can look up.
fn unplaced(message: String) -> String {
    let Some(rest) = message.strip_prefix(BUILT_IN).and_then(|rest| rest.strip_prefix(':')) else {
        return message;
    };
    let rest = rest.split_once(": ").map_or(rest, |(_, rest)| rest);
    rest.lines().next().unwrap_or_default().to_owned()
}
