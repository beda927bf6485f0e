use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;
use crate::key::{KeyPair, SecretKey};
use crate::testing::{Numbers, fetched, keys, package, program};
use crate::{sign, signature_path};

fn signed_only() -> Consent {
    Consent::Signed { trust: None }
}

#[test]
fn a_group_is_trusted_once_and_a_changed_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let ((pair, secret), (other_pair, other_secret)) = (keys(), keys());
    let with = |pair: &KeyPair| Consent::Signed { trust: Some(pair.public.clone()) };
    let file = fetched("0.1.0", Some(&secret));
    let error = file.verify(&signed_only(), &trust).unwrap_err();
    assert!(matches!(&error, Error::UnknownKey { key, .. } if *key == pair.public.id()), "{error}");
    // A key that did not sign is no help.
    assert!(matches!(file.verify(&with(&other_pair), &trust), Err(Error::Signature { .. })));
    let verified = file.verify(&with(&pair), &trust).unwrap();
    assert!(verified.is_new_key && verified.key.as_ref() == Some(&pair.public));
    let comment = verified.comment.unwrap();
    assert!(comment.contains("file:calr-0.1.0.nshot") && comment.contains("version:0.1.0"), "{comment}");
    trust.remember("tests", &pair.public).unwrap();
    assert!(!file.verify(&signed_only(), &trust).unwrap().is_new_key);
    let theirs = fetched("0.2.0", Some(&other_secret));
    for consent in [signed_only(), with(&other_pair), Consent::Unsigned] {
        let error = theirs.verify(&consent, &trust).unwrap_err();
        assert!(matches!(error, Error::ChangedKey { .. }), "{error}");
    }
    assert!(matches!(file.verify(&with(&other_pair), &trust), Err(Error::ChangedKey { .. })));
    // The right identifier with another key behind it.
    let mut forged = other_pair.public.0.to_bytes();
    forged[2..10].copy_from_slice(pair.public.0.keynum());
    let forged = crate::PublicKey(minisign::PublicKey::from_bytes(&forged).unwrap());
    assert!(matches!(
        file.verify(&Consent::Signed { trust: Some(forged) }, &trust),
        Err(Error::ChangedKey { .. })
    ));
}

#[test]
fn unsigned_needs_consent_and_a_group_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let file = fetched("0.1.0", None);
    assert!(matches!(file.verify(&signed_only(), &trust), Err(Error::Unsigned { .. })));
    assert_eq!(file.verify(&Consent::Unsigned, &trust).unwrap().key, None);
    trust.remember("tests", &keys().0.public).unwrap();
    assert!(matches!(file.verify(&Consent::Unsigned, &trust), Err(Error::Unsigned { .. })));
}

#[test]
fn another_file_or_version_under_a_signature_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let (pair, secret) = keys();
    let consent = Consent::Signed { trust: Some(pair.public) };
    let (old, new) = (fetched("0.1.0", Some(&secret)), fetched("0.2.0", Some(&secret)));
    let mut swapped = Fetched { signature: new.signature.clone(), ..old.clone() };
    assert!(matches!(swapped.verify(&consent, &trust), Err(Error::Signature { .. })));
    swapped = Fetched { version: Some(semver::Version::new(0, 2, 0)), ..old.clone() };
    let error = swapped.verify(&consent, &trust).unwrap_err().to_string();
    assert!(error.contains("its version is 0.1.0") && error.contains("0.2.0"), "{error}");
    let lies = sign(&old.bytes, package("0.2.0").info(), "x", &secret).unwrap();
    swapped = Fetched { signature: Some(lies), ..old };
    let error = swapped.verify(&consent, &trust).unwrap_err().to_string();
    assert!(error.contains("is for the version `0.2.0`, expected `0.1.0`"), "{error}");
}

#[test]
fn damaged_signatures_and_keys_are_errors() {
    let (pair, secret) = keys();
    let file = fetched("0.1.0", Some(&secret));
    let good = file.signature.clone().unwrap();
    let mut numbers = Numbers(3);
    // The first line is covered by nothing.
    let start = good.find('\n').unwrap() + 1;
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = b"A\n~=\x00\xff"[numbers.below(6)];
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let verified = Signature::parse(&text, "f").and_then(|s| s.verify(&file.bytes, &pair.public, "f"));
        assert!(verified.is_err() || at < start || text.trim_end() == good.trim_end(), "{at} {text}");
        let cut = &good[..at];
        let verified = Signature::parse(cut, "f").and_then(|s| s.verify(&file.bytes, &pair.public, "f"));
        assert!(verified.is_err() || cut == good.trim_end(), "{at}");
    }
    for text in [&pair.public_file, &pair.secret_file] {
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = numbers.below(256) as u8;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let _ = (text.parse::<crate::PublicKey>(), SecretKey::parse(&text, None));
            let _ = (text[..at.min(20)].parse::<crate::PublicKey>(), SecretKey::parse("a\nb", None));
        }
    }
}

#[test]
fn passwords_protect_the_secret_key() {
    let pair = KeyPair::generate(Some("correct horse")).unwrap();
    assert!(SecretKey::needs_password(&pair.secret_file));
    for password in [None, Some("wrong"), Some("")] {
        assert!(SecretKey::parse(&pair.secret_file, password).is_err(), "{password:?}");
    }
    let secret = SecretKey::parse(&pair.secret_file, Some("correct horse")).unwrap();
    let file = fetched("0.1.0", Some(&secret));
    let signature = Signature::parse(&file.signature.unwrap(), "f").unwrap();
    signature.verify(&file.bytes, &pair.public, "f").unwrap();
    assert!(KeyPair::generate(Some("")).is_err());
    let folder = tempfile::tempdir().unwrap();
    let (public, secret) = (folder.path().join("k.pub"), folder.path().join("k.key"));
    pair.save(&public, &secret).unwrap();
    assert_eq!(crate::PublicKey::read(&public).unwrap(), pair.public);
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(pair.save(&public, &secret).is_err());
}

#[test]
fn minisign_itself_reads_and_writes_the_same() {
    let Some(minisign) = program("minisign", "NSHOT_TEST_MINISIGN") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |args: &[&str]| {
        let done = Command::new(&minisign).args(args).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{args:?}: {done:?}");
    };
    // Ours, read by it.
    let (pair, secret) = keys();
    pair.save(&at("our.pub"), &at("our.key")).unwrap();
    let file = fetched("0.1.0", Some(&secret));
    fs::write(at("calr.nshot"), &file.bytes).unwrap();
    fs::write(signature_path(&at("calr.nshot")), file.signature.unwrap()).unwrap();
    run(&["-V", "-p", "our.pub", "-m", "calr.nshot"]);
    fs::remove_file(at("calr.nshot.minisig")).unwrap();
    run(&["-S", "-s", "our.key", "-m", "calr.nshot"]);
    let read = Fetched::read(&at("calr.nshot")).unwrap();
    let signature = Signature::parse(&read.signature.unwrap(), "f").unwrap();
    signature.verify(&read.bytes, &pair.public, "f").unwrap();
    // Its own, read by us.
    run(&["-G", "-W", "-p", "its.pub", "-s", "its.key"]);
    let key = crate::PublicKey::read(&at("its.pub")).unwrap();
    fs::remove_file(at("calr.nshot.minisig")).unwrap();
    run(&["-S", "-s", "its.key", "-m", "calr.nshot", "-t", "a comment"]);
    let read = Fetched::read(&at("calr.nshot")).unwrap();
    let trust = Trust::open(at("trust.toml")).unwrap();
    let verified = read.verify(&Consent::Signed { trust: Some(key.clone()) }, &trust).unwrap();
    assert_eq!(verified.comment.as_deref(), Some("a comment"));
    let secret = SecretKey::read(&at("its.key"), None).unwrap();
    let text = sign(&read.bytes, package("0.1.0").info(), "f", &secret).unwrap();
    Signature::parse(&text, "f").unwrap().verify(&read.bytes, &key, "f").unwrap();
    // The old kind of signature is not taken.
    run(&["-S", "-l", "-s", "its.key", "-m", "calr.nshot"]);
    let read = Fetched::read(&at("calr.nshot")).unwrap();
    assert!(read.verify(&Consent::Signed { trust: Some(key) }, &trust).is_err());
}

#[test]
fn a_secret_key_in_place_of_a_public_one_is_not_repeated() {
    let (pair, _) = keys();
    let said = pair.secret_file.parse::<PublicKey>().unwrap_err().to_string();
    assert_eq!(said, "this is a secret key; expected its public half");
}
