use super::*;
use crate::testing::keys;

#[test]
fn keys_are_remembered_checked_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config/nshot/trust.toml");
    let (ours, theirs) = (keys().0.public, keys().0.public);
    let mut trust = Trust::open(&path).unwrap();
    assert!(matches!(trust.check("lab", &ours), Err(Error::UnknownKey { .. })));
    trust.remember("lab", &ours).unwrap();
    // Another program remembers another group at the same time.
    let mut other = Trust::open(folder.path().join("config/nshot/trust.toml")).unwrap();
    other.remember("else", &theirs).unwrap();
    trust.remember("lab", &ours).unwrap();
    assert_eq!(trust.groups().count(), 2);
    let error = trust.remember("lab", &theirs).unwrap_err().to_string();
    assert!(error.contains("HAS CHANGED") && error.contains(&ours.id()) && error.contains(&theirs.id()));
    let again = Trust::open(&path).unwrap();
    assert!(again.check("lab", &ours).is_ok() && again.check("lab", &theirs).is_err());
    assert!(trust.forget("lab").unwrap() && !trust.forget("lab").unwrap());
    assert!(trust.key("lab").is_none() && trust.key("else").is_some());
    assert!(trust.remember("a/b", &ours).is_err());
}

#[test]
fn a_wrong_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.toml");
    for (text, said) in [
        ("[groups]\nlab = 3", "line 2"),
        ("[groups]\nlab = \"RWxx\"", "`lab`"),
        ("[group]\nlab = \"RWxx\"", "`group`"),
        ("[groups]\n\"a/b\" = \"x\"", "a/b"),
        ("\u{fe}", "line 1"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Trust::open(&path).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("trust.toml"), "{text}: {error}");
    }
}
