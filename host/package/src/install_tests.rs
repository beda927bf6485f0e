use nshot_loader::Metadata;

use super::*;
use crate::testing::{contents, fetched, keys, library, package, program};
use crate::{Component, Consent, Contents, KeyPair, Package};

struct Place {
    _folder: tempfile::TempDir,
    plugins: Plugins,
    trust: Trust,
    consent: Consent,
    secret: crate::SecretKey,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let plugins = Plugins::new(folder.path().join("data/plugins"));
    let trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let (KeyPair { public, .. }, secret) = keys();
    Place { _folder: folder, plugins, trust, consent: Consent::Signed { trust: Some(public) }, secret }
}

#[test]
fn a_package_is_installed_found_checked_and_removed() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    assert!(plugins.list().is_empty());
    let file = fetched("0.1.0", Some(&secret));
    let outcome = plugins.install(&file, &consent, &mut trust).unwrap();
    assert!(outcome.is_new_key && !outcome.was_there);
    let installed = outcome.installed;
    assert_eq!(installed.folder, plugins.folder().join("tests/calr/0.1.0"));
    assert_eq!(fs::read(installed.library()).unwrap(), library(&[]).bytes);
    assert_eq!(fs::read(installed.folder.join("source/src/lib.rs")).unwrap(), b"//! x\n");
    installed.check().unwrap();
    // The loader finds it.
    let folders = nshot_loader::Folders::default().and(installed.library_folder());
    assert_eq!(folders.files(), [installed.library()]);
    // Again: nothing to do; the key is known by now.
    let again = plugins.install(&file, &Consent::Signed { trust: None }, &mut trust).unwrap();
    assert!(again.was_there && !again.is_new_key);
    fs::write(installed.folder.join("README.md"), "other").unwrap();
    let error = installed.check().unwrap_err().to_string();
    assert!(error.contains("README.md") && error.contains("hint: "), "{error}");
    let version = installed.info.version.clone();
    plugins.remove("tests", "calr", &version).unwrap();
    assert!(matches!(plugins.remove("tests", "calr", &version), Err(Error::NotInstalled(_))));
    assert!(matches!(plugins.remove("..", "calr", &version), Err(Error::NotInstalled(_))));
    let left: Vec<_> = fs::read_dir(plugins.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [LOCK]);
}

#[test]
fn versions_stand_side_by_side_until_an_upgrade() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    for version in ["0.9.0", "0.1.0"] {
        plugins.install(&fetched(version, Some(&secret)), &consent, &mut trust).unwrap();
    }
    let listed: Vec<String> =
        plugins.list().into_iter().map(|i| i.unwrap().info.version.to_string()).collect();
    assert_eq!(listed, ["0.9.0", "0.1.0"]);
    assert_eq!(plugins.find("tests", "calr", None).unwrap().info.version, Version::new(0, 9, 0));
    let outcome = plugins.upgrade(&fetched("1.0.0", Some(&secret)), &consent, &mut trust).unwrap();
    assert_eq!(outcome.removed, [Version::new(0, 1, 0), Version::new(0, 9, 0)]);
    assert_eq!(plugins.list().len(), 1);
    assert!(matches!(plugins.find("tests", "none", None), Err(Error::NotInstalled(_))));
}

#[test]
fn the_same_version_with_another_content_is_refused() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    plugins.install(&fetched("0.1.0", Some(&secret)), &consent, &mut trust).unwrap();
    let mut other = contents("0.1.0");
    other.readme = b"# other\n".to_vec();
    let other = Package::pack(other).unwrap();
    let mut file = fetched("0.1.0", None);
    file.bytes = other.to_bytes().unwrap();
    file.signature = Some(crate::sign(&file.bytes, other.info(), "x", &secret).unwrap());
    let error = plugins.install(&file, &consent, &mut trust).unwrap_err();
    assert!(matches!(error, Error::OtherContent { .. }), "{error}");
}

#[test]
fn what_the_gate_refuses_is_not_put_in_place() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    let mut cases = Vec::new();
    let mut damaged = contents("0.1.0");
    damaged.library.bytes.truncate(5000);
    cases.push((damaged, "is cut short"));
    let mut other = contents("0.1.0");
    other.library.metadata.target = "sparc-linux-gnu".to_owned();
    other.library.bytes = b"\x7fELF".to_vec();
    cases.push((other, "no library for this machine"));
    let mut another = contents("0.1.0");
    another.library.metadata.version = "0.2.0".to_owned();
    cases.push((another, "its `version` is `0.1.0`, expected `0.2.0`"));
    for (contents, said) in cases {
        let package = Package::pack(contents).unwrap();
        let mut file = fetched("0.1.0", None);
        file.bytes = package.to_bytes().unwrap();
        file.signature = Some(crate::sign(&file.bytes, package.info(), "x", &secret).unwrap());
        let error = plugins.install(&file, &consent, &mut trust).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(plugins.list().is_empty() && trust.key("tests").is_none());
    }
}

#[test]
fn libraries_of_several_machines_are_put_together() {
    let mut ours = package("0.1.0");
    let mut theirs = contents("0.1.0");
    theirs.library.metadata.target = "aarch64-linux-gnu".to_owned();
    theirs.library.bytes = b"\x7fELF of another machine".to_vec();
    let theirs = Package::pack(theirs).unwrap();
    ours.add(&theirs).unwrap();
    assert_eq!(ours.info().targets.len(), 2);
    assert_eq!(Package::open(&ours.to_bytes().unwrap(), "x").unwrap(), ours);
    assert_eq!(ours.check_library("x").unwrap(), ours.info().library_path(&nshot_loader::target()));
    let whole = ours.clone();
    ours.add(&theirs).unwrap();
    assert_eq!(ours, whole);
}

#[test]
fn a_package_that_does_not_fit_is_not_added() {
    let mut ours = package("0.1.0");
    let whole = ours.clone();
    let mut refuse = |change: &dyn Fn(&mut Contents), said: &str| {
        let mut theirs = contents("0.1.0");
        theirs.library.metadata.target = "aarch64-linux-gnu".to_owned();
        change(&mut theirs);
        let error = ours.add(&Package::pack(theirs).unwrap()).unwrap_err().to_string();
        assert!(error.contains(&format!("the packages differ in {said}")), "{error}");
        assert_eq!(ours, whole, "{said}");
    };
    let metadata =
        |change: fn(&mut Metadata)| move |other: &mut Contents| change(&mut other.library.metadata);
    refuse(&metadata(|m| m.version = "0.2.0".to_owned()), "`version`: found `0.2.0`, expected `0.1.0`");
    refuse(&metadata(|m| m.plugin = "other".to_owned()), "`plugin`: found `other`, expected `calr`");
    refuse(&metadata(|m| m.group = "other".to_owned()), "`group`: found `other`, expected ");
    refuse(&metadata(|m| m.abi = (1, 1)), "`abi`: found `1.1`, expected `1.0`");
    refuse(&metadata(|m| m.sdk = "9.0.0".to_owned()), "`sdk`: found `9.0.0`, expected ");
    refuse(
        &metadata(|m| m.license = "BSD-3-Clause".to_owned()),
        "`license`: found `BSD-3-Clause`, expected ",
    );
    let more = Component { kind: "sampler".to_owned(), name: "calr".to_owned() };
    refuse(
        &|other| other.components.push(more.clone()),
        "`components`: found `lr-scheduler calr, sampler calr`, expected `lr-scheduler calr`",
    );
    // The same target with another library.
    let mut other = contents("0.1.0");
    other.library.bytes.push(0);
    let path = ours.info().library_path(&nshot_loader::target());
    let error = ours.add(&Package::pack(other).unwrap()).unwrap_err().to_string();
    assert!(error.contains(&format!("the packages differ in `{path}`: found ")), "{error}");
    assert_eq!(ours, whole);
}

#[test]
fn what_cannot_be_packed_is_said() {
    let mut bare = contents("0.1.0");
    bare.licenses.clear();
    let error = Package::pack(bare).unwrap_err().to_string();
    assert!(error.contains("LICENSE"), "{error}");
    for name in ["../x", "a b", "/x"] {
        let mut odd = contents("0.1.0");
        odd.source.insert(name.to_owned(), Vec::new());
        let packed = Package::pack(odd).and_then(|package| package.to_bytes());
        assert!(packed.is_err(), "{name}");
    }
    let mut loose = contents("0.1.0");
    loose.library.metadata.version = "1.0".to_owned();
    assert!(Package::pack(loose).unwrap_err().to_string().contains("not semantic"));
}

#[test]
fn damaged_or_interrupted_installations_are_told_and_swept() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    let file = fetched("0.1.0", Some(&secret));
    let installed = plugins.install(&file, &consent, &mut trust).unwrap().installed;
    fs::create_dir(plugins.folder().join(".new-x")).unwrap();
    fs::rename(&installed.folder, installed.folder.with_file_name("0.3.0")).unwrap();
    let listed = plugins.list();
    let error = listed[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("is damaged") && error.contains("0.3.0"), "{error}");
    plugins.remove("tests", "calr", &Version::new(0, 3, 0)).unwrap();
    plugins.install(&file, &consent, &mut trust).unwrap();
    assert!(!plugins.folder().join(".new-x").exists());
}

#[test]
fn many_can_install_at_once() {
    let Place { plugins, trust, consent, secret, .. } = place();
    let file = fetched("0.1.0", Some(&secret));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| plugins.install(&file, &consent, &mut trust.clone()).unwrap().was_there))
            .collect();
        let there: usize = threads.into_iter().map(|t| usize::from(t.join().unwrap())).sum();
        assert_eq!(there, 3);
    });
    plugins.find("tests", "calr", None).unwrap().check().unwrap();
}

#[test]
fn tar_and_zstd_read_a_package() {
    let (Some(tar), Some(_)) = (program("tar", "NSHOT_TEST_TAR"), program("zstd", "NSHOT_TEST_ZSTD")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.nshot");
    fs::write(&path, package("0.1.0").to_bytes().unwrap()).unwrap();
    let done = std::process::Command::new(tar).args(["--zstd", "-tf"]).arg(path).output().unwrap();
    let names = String::from_utf8(done.stdout).unwrap();
    let library = package("0.1.0").info().library_path(&nshot_loader::target());
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        ["LICENSE-MIT", "README.md", &library, "plugin.toml", "source/src/lib.rs"]
    );
}

#[test]
fn the_same_content_from_a_better_place_renews_the_record() {
    let Place { plugins, mut trust, consent, secret, .. } = place();
    let file = fetched("0.1.0", Some(&secret));
    let unsigned = crate::Fetched { signature: None, ..file.clone() };
    let first = plugins.install(&unsigned, &Consent::Unsigned, &mut trust).unwrap();
    assert_eq!(first.installed.record.key, None);
    let digest = Some(format!("sha256:{}", Hash::of(b"")));
    let pulled = crate::Fetched { origin: "oci://localhost/calr:0.1.0".to_owned(), digest, ..file.clone() };
    let better = plugins.install(&pulled, &consent, &mut trust).unwrap();
    assert!(better.was_there && better.installed.record.key.is_some());
    // A file has no digest: what is known stays.
    let again = plugins.install(&file, &consent, &mut trust).unwrap();
    assert_eq!(again.installed.record, better.installed.record);
    let read = plugins.find("tests", "calr", None).unwrap();
    assert_eq!(read.record.origin, pulled.origin);
}
