use super::*;
use crate::testing::{Numbers, package};

fn text() -> String {
    package("0.1.0").info().to_toml().unwrap()
}

#[test]
fn it_comes_back() {
    let package = package("0.1.0");
    assert_eq!(Info::read(text().as_bytes()).unwrap(), *package.info());
    assert!(text().contains("abi = [1, 0]") && text().contains("[[components]]"), "{}", text());
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    for (from, to, key) in [
        ("group = ", "colour = 1\ngroup = ", "colour"),
        ("kind = ", "colour = 1\nkind = ", "colour"),
        ("format = 1", "format = 2", "`format` is 2"),
        ("abi = [1, 0]", "abi = \"1.0\"", "line 5"),
        ("version = \"0.1.0\"", "version = \"1.0\"", "line 4"),
        ("plugin = \"calr\"", "plugin = \"../calr\"", "plugin"),
        ("group = \"tests\"", "group = \"a/b\"", "group"),
        ("authors = \"A. Uthor\"", "authors = \"\\u001b[31m\"", "authors"),
        ("sdk = \"0.1.0\"\n", "", "sdk"),
        ("\"README.md\" = \"", "\"README.md\" = \"0", "README.md"),
        ("\"README.md\" = ", "\"../README.md\" = ", "README.md"),
        ("\"README.md\" = ", "\"installed.toml\" = ", "installed.toml"),
        ("targets = [", "targets = [\"z\", ", "targets"),
    ] {
        let changed = text().replacen(from, to, 1);
        assert_ne!(changed, text(), "{from}");
        let error = Info::read(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(key) && !error.contains('\u{1b}'), "{to}: {error}");
    }
}

#[test]
fn foreign_bytes_do_not_panic() {
    let mut numbers = Numbers(7);
    let good = text().into_bytes();
    for _ in 0..2000 {
        let mut bytes = good.clone();
        let at = numbers.below(bytes.len());
        bytes[at] = numbers.below(256) as u8;
        let _ = Info::read(&bytes);
        let _ = Info::read(&bytes[..at]);
    }
    assert!(Info::read(&vec![b'#'; INFO_LIMIT + 1]).is_err());
}

#[test]
fn the_newest_version_is_found() {
    let parse = |text: &str| Version::parse(text).unwrap();
    let versions = ["0.9.0", "0.10.0", "1.0.0-rc.1"].map(parse);
    assert_eq!(newest(&versions), Some(&parse("0.10.0")));
    assert_eq!(newest(&versions[2..]), Some(&parse("1.0.0-rc.1")));
    assert_eq!(newer(&versions, &parse("0.9.0")), Some(&parse("0.10.0")));
    assert_eq!(newer(&versions, &parse("0.10.0")), None);
    assert_eq!(newer(&versions, &parse("1.0.0-beta")), Some(&parse("1.0.0-rc.1")));
}
