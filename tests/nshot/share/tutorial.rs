//! `tests/tutorial.sh`: the tutorial as it stands, with a registry where there is one.

use std::process::Command;

use super::registry::Registry;
use crate::harness;

#[test]
fn the_tutorial_comes_true() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(None);
    let mut script = Command::new(harness::project().join("tests/tutorial.sh"));
    script.arg(harness::release()).arg(folder.path());
    script.args(registry.as_ref().map(|registry| &registry.host));
    let output = script.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.ends_with("the second user has the numbers of the first\n"), "{said}");
}
