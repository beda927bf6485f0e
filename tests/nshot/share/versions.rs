//! Versions of one plugin beside each other.

use super::lab::{Lab, User};
use crate::small;

#[test]
fn two_versions_serve_two_components_of_one_run() {
    let lab = Lab::new();
    let user = User::new();
    let first = "\"version\":\"0.1.0\"";
    for version in ["0.1.0", "0.2.0", "0.3.0"] {
        let package = lab.signed("faulty", &[(first, &format!("\"version\":\"{version}\""))]);
        user.nshot(&["plugin", "install", package.to_str().unwrap(), "--trust", &lab.key]).ok();
    }
    let manifest = |sampler: &str, scheduler: &str| {
        let named = |version: &str| format!("use = \"nshot-tests/nshot-test-faulty:faulty{version}\"");
        let base = small::BASE.replace("use = \"spos\"", &named(sampler));
        base.replace("use = \"cosine\"", &named(scheduler)) + "[train]\nsteps = 2\nlr = 0.1\n"
    };
    let versions = |directory: &str| {
        let lock = small::json(&user.bench.path(directory).join("lock.json"));
        let of = |table: &str| {
            let component = &lock["components"][table];
            (
                component["version"].as_str().unwrap().to_owned(),
                component["sha256"].as_str().unwrap().to_owned(),
            )
        };
        (of("sampler"), of("scheduler"))
    };
    user.write("run.toml", &manifest("@=0.1.0", "@^0.2"));
    user.nshot(&["run", "run.toml", "--quiet", "--directory", "two"]).ok();
    let (sampler, scheduler) = versions("two");
    assert_eq!((sampler.0.as_str(), scheduler.0.as_str()), ("0.1.0", "0.2.0"));
    assert_ne!(sampler.1, scheduler.1);
    // The newest that is allowed; without a version the newest of all, which is no ambiguity.
    user.write("run.toml", &manifest("@<0.3", ""));
    user.nshot(&["run", "run.toml", "--quiet", "--directory", "newest"]).ok();
    let (sampler, scheduler) = versions("newest");
    assert_eq!((sampler.0.as_str(), scheduler.0.as_str()), ("0.2.0", "0.3.0"));
    user.write("run.toml", &manifest("@^0.4", ""));
    let run = user.nshot(&["run", "run.toml", "--quiet"]);
    assert!(run.error(1).contains("of the plugin or version that `use` names"), "{}", run.stderr);
}
