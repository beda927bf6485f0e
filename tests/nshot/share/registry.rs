//! A real registry on this machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::lab::{self, Lab, PLUGIN, User};
use crate::harness;

/// The user `lab` with the password `secret`, as `htpasswd -B` writes it.
const USERS: &str = "lab:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A running registry.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    _folder: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// Starts one on a free port; none if the program is not there, which is said.
    pub(crate) fn start(users: Option<&str>) -> Option<Self> {
        let program = harness::program("docker-registry", "NSHOT_TEST_REGISTRY")?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let (root, list) = (folder.path().join("root"), folder.path().join("users"));
        let mut config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {root:?} }} }}\nhttp: {{ addr: \"{host}\" }}\n",
        );
        if let Some(users) = users {
            fs::write(&list, users).unwrap();
            config += &format!("auth: {{ htpasswd: {{ realm: tests, path: {list:?} }} }}\n");
        }
        let path = folder.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { child: command.spawn().unwrap(), host, _folder: folder };
        for _ in 0..600 {
            if TcpStream::connect(&registry.host).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registry does not start");
    }
}

#[test]
fn a_registry_with_users_serves_a_lock() {
    let Some(registry) = Registry::start(Some(USERS)) else { return };
    let lab = Lab::new();
    let package = lab.signed(PLUGIN, &[("\"group\":\"nshot\"", "\"group\":\"other\"")]);
    let (path, place) = (package.to_str().unwrap(), format!("oci://{}/other/calr", registry.host));
    lab.bench.write("password", "secret\n");
    lab.bench.write("wrong", "not-this-one\n");
    let login = ["--user", "lab", "--password-file", "password"];
    let push = |login: &[&str]| lab.bench.nshot(&[&["plugin", "push", path, &place], login].concat());
    assert!(push(&[]).error(1).contains("the registry asks who you are"));
    let run = push(&["--user", "lab", "--password-file", "wrong"]);
    assert!(
        run.error(1).contains("refuses the user") && !run.stderr.contains("not-this-one"),
        "{}",
        run.stderr
    );
    let pushed = push(&login).ok().stdout;
    assert!(pushed.starts_with(&format!("{place}:0.1.0@sha256:")), "{pushed}");
    assert!(push(&login).ok().stderr.contains("was there already"));
    // A version keeps its content.
    lab.signed(
        PLUGIN,
        &[("\"group\":\"nshot\"", "\"group\":\"other\""), ("Complexity-aware", "Complexity-Aware")],
    );
    assert!(push(&login).error(1).contains("is there already, with another content"));

    let user = User::new();
    user.write("password", "secret\n");
    let with = |arguments: &[&str]| user.nshot(&[arguments, &login].concat());
    let pulled = with(&["plugin", "pull", &place]).ok();
    assert_eq!(pulled.stdout, "./calr-0.1.0.nshot\n");
    user.nshot(&["plugin", "verify", "calr-0.1.0.nshot", "--trust", &lab.key]).ok();
    with(&["plugin", "install", &place, "--trust", &lab.key]).ok();
    user.write("run.toml", &lab::manifest("other/calr:calr"));
    user.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let lock = crate::small::json(&user.bench.path("run/lock.json"));
    let package = &lock["components"]["scheduler"]["package"];
    assert_eq!(package["origin"], format!("{place}:0.1.0"));
    assert!(pushed.trim().ends_with(package["digest"].as_str().unwrap()), "{package}");
    let lock = user.bench.path("run/lock.json");
    let bring = ["plugin", "install", "--from-lock", lock.to_str().unwrap()];
    user.nshot(&["plugin", "remove", "other/calr"]).ok();
    assert!(user.nshot(&bring).error(1).contains("asks who you are"));
    with(&bring).ok();
    user.nshot(&["run", "run.toml", "--locked", lock.to_str().unwrap(), "--quiet", "--directory", "again"])
        .ok();
    lab::assert_same(&user.bench.path("run"), &user.bench.path("again"));
}

#[test]
fn a_name_is_upgraded_from_where_it_came() {
    let lab = Lab::new();
    let user = User::new();
    let upgrade = |name: &str| user.nshot(&["plugin", "install", "--upgrade", name]);
    let missing = upgrade("other/calr");
    assert_eq!(missing.error(1), "`other/calr` is not installed");
    let group = ("\"group\":\"nshot\"", "\"group\":\"other\"");
    let of_version = |version: &str| {
        let to = format!("\"version\":\"{version}\"");
        lab.signed(PLUGIN, &[group, ("\"version\":\"0.1.0\"", &to)])
    };
    let first = of_version("0.1.0");
    user.nshot(&["plugin", "install", first.to_str().unwrap(), "--trust", &lab.key]).ok();
    let run = upgrade("other/calr");
    let said = format!(
        "`other/calr` 0.1.0 was installed from `{}`, which is no registry: there is no telling where a newer version is",
        first.canonicalize().unwrap().display()
    );
    assert_eq!(run.error(1), said);
    assert!(run.stderr.contains("hint: name its package: `nshot plugin install --upgrade FILE|URL|oci://…`"));

    let Some(registry) = Registry::start(None) else { return };
    let place = format!("oci://{}/other/calr", registry.host);
    let push = |package: &std::path::Path| {
        lab.bench.nshot(&["plugin", "push", package.to_str().unwrap(), &place]).ok();
    };
    push(&first);
    user.nshot(&["plugin", "install", &format!("{place}:0.1.0")]).ok();
    assert_eq!(
        upgrade("other/calr").ok().stdout,
        format!("`other/calr` 0.1.0: the newest version of `{place}`\n")
    );
    for version in ["0.3.0", "0.2.0"] {
        push(&of_version(version));
    }
    // Another plugin under the name.
    push(&lab.signed(
        "spos",
        &[("\"group\":\"nshot\"", "\"group\":\"other\""), ("\"version\":\"0.1.0\"", "\"version\":\"0.4.0\"")],
    ));
    let run = upgrade("other/calr");
    assert!(run.error(1).contains("holds `other/spos` 0.4.0, expected `other/calr`"), "{}", run.stderr);
    assert_eq!(user.nshot(&["plugin", "verify"]).ok().stdout, "`other/calr` 0.1.0: as installed\n");
}

#[test]
fn the_newest_version_is_taken_and_the_others_go() {
    let Some(registry) = Registry::start(None) else { return };
    let (lab, user) = (Lab::new(), User::new());
    let group = ("\"group\":\"nshot\"", "\"group\":\"other\"");
    let place = format!("oci://{}/other/calr", registry.host);
    for version in ["0.1.0", "0.3.0", "0.2.0"] {
        let to = format!("\"version\":\"{version}\"");
        let package = lab.signed(PLUGIN, &[group, ("\"version\":\"0.1.0\"", &to)]);
        lab.bench.nshot(&["plugin", "push", package.to_str().unwrap(), &place]).ok();
    }
    user.nshot(&["plugin", "install", &format!("{place}:0.1.0"), "--trust", &lab.key]).ok();
    let run = user.nshot(&["plugin", "install", "--upgrade", "other/calr"]).ok();
    assert_eq!(run.stdout, "`other/calr` 0.3.0: installed; lr-scheduler `calr`\n");
    assert!(run.stderr.contains("removed 0.1.0"), "{}", run.stderr);
    user.nshot(&["plugin", "install", &format!("{place}:0.2.0"), "--older"]).ok();
    let run = user.nshot(&["plugin", "install", "--upgrade", "other/calr"]).ok();
    assert_eq!(run.stdout, format!("`other/calr` 0.3.0: the newest version of `{place}`\n"));
    assert!(run.stderr.contains("removed 0.2.0"), "{}", run.stderr);
    assert_eq!(user.nshot(&["plugin", "verify"]).ok().stdout, "`other/calr` 0.3.0: as installed\n");
}

#[test]
fn signatures_are_those_of_minisign() {
    let Some(minisign) = harness::program("minisign", "NSHOT_TEST_MINISIGN") else { return };
    let lab = Lab::new();
    let package: PathBuf = lab.signed(PLUGIN, &[]);
    let minisign = |arguments: &[&str]| {
        let output =
            Command::new(&minisign).args(arguments).current_dir(lab.bench.folder()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    minisign(&["-V", "-P", &lab.key, "-m", package.to_str().unwrap()]);
    // And the other way: its key, its signature.
    minisign(&["-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"]);
    minisign(&["-S", "-s", "theirs.key", "-m", package.to_str().unwrap()]);
    let path = package.to_str().unwrap();
    let said = lab.bench.nshot(&["plugin", "verify", path, "--trust", "theirs.pub"]).ok().stdout;
    assert!(said.contains("good, by the key"), "{said}");
    lab.bench.nshot(&["plugin", "sign", path, "--key", "theirs.key"]).ok();
    minisign(&["-V", "-p", "theirs.pub", "-m", path]);
}
