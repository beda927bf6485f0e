//! Files that pass the gate and misbehave when they are loaded: the child process ends, not this one.

use std::time::Duration;

use nshot_loader::{LoadError, Loader, Reason};

use crate::support::{FIXTURE, LOG, PROBE, Place, changed, with_mode};

fn refusal(bytes: &[u8]) -> Reason {
    Place::new().refusal(bytes)
}

#[test]
fn a_crash_is_named_by_its_signal() {
    let Reason::Crashed { signal, said } = refusal(&with_mode("ctor-abort")) else { panic!() };
    assert_eq!((signal.as_str(), said.as_deref()), ("6 (SIGABRT)", Some("last  words")));
    let Reason::Crashed { signal, .. } = refusal(&with_mode("ctor-segv")) else { panic!() };
    assert_eq!(signal, "11 (SIGSEGV)");
    let Reason::Crashed { signal, said } = refusal(&with_mode("panic")) else { panic!() };
    assert_eq!(signal, "6 (SIGABRT)");
    assert!(said.is_some());
}

#[test]
fn a_constructor_that_loops_is_ended() {
    let place = Place::new();
    let loader =
        Loader::new(place.loader.store().clone(), PROBE, &LOG).with_time_limit(Duration::from_secs(1));
    match loader.load(&place.file("libx.so", &with_mode("ctor-loop"))) {
        Err(LoadError::Refused(refusal)) => assert_eq!(refusal.reason, Reason::TimedOut { seconds: 1 }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_constructor_that_exits_is_no_verdict() {
    for (mode, part) in [("ctor-exit", "0"), ("ctor-exit-3", "3")] {
        let Reason::NoAnswer { status, .. } = refusal(&with_mode(mode)) else { panic!() };
        assert!(status.contains(part), "{status}");
    }
}

#[test]
fn what_a_constructor_prints_or_starts_does_not_matter() {
    for mode in ["ctor-print", "ctor-spawn"] {
        let file = Place::new().describe(&with_mode(mode)).unwrap();
        assert_eq!(file.components[0].name, "fixture");
    }
}

#[test]
fn wrong_tables_are_refused() {
    let root =
        |name: &str| refusal(&changed("\"root\":\"nshot_root_good\"", &format!("\"root\":\"{name}\"")));
    let Reason::Layout(differences) = root("nshot_root_grow") else { panic!() };
    assert!(!differences.is_empty() && differences.len() < 20, "{differences:?}");
    let Reason::Root { found, .. } = root("nshot_root_bare") else { panic!() };
    assert_eq!(found, "it carries no description of its types");
    let Reason::Root { found, .. } = root("nshot_root_junk") else { panic!() };
    assert!(found.starts_with("its header is `"), "{found}");
}

#[test]
fn a_missing_symbol_is_named() {
    let reason = refusal(&changed("\0memcpy\0", "\0memcpz\0"));
    let Reason::Open(text) = &reason else { panic!("{reason}") };
    assert!(text.contains("undefined symbol: memcpz"), "{text}");
    assert!(reason.hint().unwrap().contains("link the library"));
}

#[test]
fn what_it_says_of_itself_is_checked() {
    for mode in ["bad-json", "odd-name", "endless"] {
        assert!(matches!(refusal(&with_mode(mode)), Reason::Components(_)), "{mode}");
    }
    let call = |call: &str, text: &str| Reason::Call { call: call.into(), text: text.into() };
    assert_eq!(refusal(&with_mode("refuse")), call("components", "no components today"));
    assert_eq!(refusal(&with_mode("no-attach")), call("attach", "not today"));
    let file = Place::new().describe(&with_mode("newer-kind")).unwrap();
    assert_eq!((file.components.len(), file.warnings.len()), (1, 1));
    let file = Place::new().describe(&with_mode("many")).unwrap();
    assert_eq!(file.components[0].doc.len(), 600_000);
}

#[test]
fn a_newer_minor_version_is_taken_with_a_warning() {
    let file = Place::new().describe(&changed("\"abi\":[1,0]", "\"abi\":[1,9]")).unwrap();
    assert_eq!(file.metadata.abi, (1, 9));
    assert!(file.warnings[0].contains("ABI 1.9"));
}

#[test]
fn a_probe_that_cannot_be_run_is_an_error_of_its_own() {
    let error = Place::with_probe("/nonexistent/nshot-probe").describe(&FIXTURE).unwrap_err();
    assert!(matches!(error, LoadError::Probe { .. }));
    assert!(error.to_string().contains("`/nonexistent/nshot-probe`"));
}

#[test]
fn no_core_file_is_left() {
    let place = Place::new();
    let path = place.file("libx.so", &with_mode("ctor-abort"));
    let status = std::process::Command::new(PROBE)
        .arg(&path)
        .current_dir(place.folder.path())
        .output()
        .unwrap()
        .status;
    assert!(std::os::unix::process::ExitStatusExt::signal(&status) == Some(6));
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status));
}
