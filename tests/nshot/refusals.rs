//! What the tests of bad input share: one error and nothing else on standard error, and all of them on one page.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{self, Bench, Run};

/// Runs one after the other would leave a processor idle.
const THREADS: usize = 2;

/// The refusals of a module, compared with `snapshots/NAME.txt`; `NSHOT_BLESS=1` writes that file.
pub(crate) struct Page {
    name: &'static str,
    sections: Mutex<Vec<(usize, String)>>,
}

impl Page {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, sections: Mutex::default() }
    }

    /// Adds a refusal, at its place on the page.
    pub(crate) fn add(&self, place: usize, name: &str, refusal: &str) {
        self.sections.lock().unwrap().push((place, format!("## {name}\n{refusal}\n")));
    }

    #[track_caller]
    pub(crate) fn compare(self) {
        let mut sections = self.sections.into_inner().unwrap();
        sections.sort();
        let found = sections.into_iter().fold(String::new(), |page, (_, section)| page + &section + "\n");
        let path = harness::project().join(format!("tests/nshot/snapshots/{}.txt", self.name));
        if std::env::var_os("NSHOT_BLESS").is_some() {
            return std::fs::write(path, found).unwrap();
        }
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        let mut differences = String::new();
        let (found, expected): (Vec<&str>, Vec<&str>) =
            (found.split("## ").collect(), expected.split("## ").collect());
        for section in found.iter().filter(|section| !expected.contains(section)) {
            write!(differences, "found    {section}").unwrap();
        }
        for section in expected.iter().filter(|section| !found.contains(section)) {
            write!(differences, "expected {section}").unwrap();
        }
        assert!(found == expected, "{}: NSHOT_BLESS=1 takes these over:\n{differences}", self.name);
    }
}

/// Does something for each of the cases, some at a time; says of all that failed.
pub(crate) fn for_each<T: Sync>(cases: &[T], run: impl Fn(usize, &T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some((index, case)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            cases.get(index).map(|case| (index, case))
        } {
            if catch_unwind(AssertUnwindSafe(|| run(index, case))).is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner();
    assert!(failed == 0, "{failed} of {} cases failed", cases.len());
}

/// The error of a command that must fail, checked: exit status 1 or 2, no panic, one error, and no more than that on
/// standard error and nothing on standard output. Paths that are different each time have names.
#[track_caller]
pub(crate) fn refusal(name: &str, run: &Run, bench: &Bench) -> String {
    let said = format!("{name}: exit status {:?}\n{}{}", run.code, run.stdout, run.stderr);
    assert!(matches!(run.code, Some(1 | 2)), "{said}");
    assert!(run.stderr.starts_with("error: "), "{said}");
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{said}");
    assert_eq!(run.stdout, "", "{said}");
    checked(name, run, bench)
}

/// The same, where cargo says something before.
#[track_caller]
pub(crate) fn last_refusal(name: &str, run: &Run, bench: &Bench) -> String {
    let said = format!("{name}: exit status {:?}\n{}{}", run.code, run.stdout, run.stderr);
    assert!(matches!(run.code, Some(1 | 2)), "{said}");
    checked(name, run, bench)
}

fn checked(name: &str, run: &Run, bench: &Bench) -> String {
    for word in ["panicked at host", "RUST_BACKTRACE", "core dumped", "report this", "\u{1b}"] {
        assert!(!run.stderr.contains(word), "{name}: {}", run.stderr);
    }
    let start = run.stderr.rfind("error: ").unwrap_or_else(|| panic!("{name}: no error in {}", run.stderr));
    let error = &run.stderr[start..];
    assert!(error.len() < 4000, "{name}: an error of {} bytes", error.len());
    assert_eq!(error.matches("\nhint: ").count(), usize::from(error.contains("hint: ")), "{name}: {error}");
    let named = |text: String, (path, name): &(&Path, &str)| text.replace(&path.display().to_string(), name);
    let text = [(bench.folder(), "BENCH"), (harness::release(), "RELEASE"), (harness::project(), "PROJECT")]
        .iter()
        .fold(error.to_owned(), named);
    format!("exit {}\n{}", run.code.unwrap_or_default(), text.trim_end())
}

/// Whether a folder of the bench is without any file, or absent.
pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
