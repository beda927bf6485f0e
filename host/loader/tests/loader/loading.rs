//! Files that are loaded into this process.

use std::sync::Arc;

use nshot_abi::abi_stable::std_types::RResult;
use nshot_loader::{Folders, Hash, Kind, LoadError, StoreError};

use crate::support::{FIXTURE, LOG, Place, with_mode};

#[test]
fn a_plugin_is_loaded_once_and_called() {
    let place = Place::new();
    let bytes = with_mode("one");
    let plugin = place.loader.load(&place.file("libone.so", &bytes)).unwrap();
    assert_eq!(plugin.file.sha256, Hash::of(&bytes));
    assert_eq!(plugin.file.metadata.plugin, "fixture");
    assert!(plugin.file.path.starts_with(place.loader.store().folder()));
    assert_eq!(plugin.file.component(Kind::Sampler, "fixture").unwrap().doc, "Does nothing.");
    assert!(plugin.file.component(Kind::Searcher, "fixture").is_none());
    assert!(LOG.0.lock().unwrap().iter().any(|line| line == "info fixture attached"));
    let RResult::RErr(error) = plugin.root.sampler()("fixture".into(), "{}".into()) else { panic!() };
    assert_eq!(error.text, "the fixture makes nothing");

    let again = place.loader.load(&place.file("other-name.so", &bytes)).unwrap();
    assert!(Arc::ptr_eq(&plugin, &again));
    let stored = place.loader.load_stored(&plugin.file.sha256).unwrap();
    assert!(Arc::ptr_eq(&plugin, &stored));
    let elsewhere = Place::new();
    let elsewhere = elsewhere.loader.load(&elsewhere.file("libone.so", &bytes)).unwrap();
    assert!(Arc::ptr_eq(&plugin, &elsewhere));
}

#[test]
fn a_known_file_needs_no_probe() {
    let place = Place::new();
    let bytes = with_mode("known");
    let hash = place.describe(&bytes).unwrap().sha256;
    let without = Place::with_probe("/nonexistent/nshot-probe");
    let store = place.loader.store().clone();
    let loader = nshot_loader::Loader::new(store, "/nonexistent/nshot-probe", &LOG);
    assert_eq!(loader.describe_stored(&hash).unwrap().components.len(), 1);
    assert!(matches!(without.describe(&bytes), Err(LoadError::Probe { .. })));

    // A verdict that cannot be read is made again.
    let verdict = place.loader.store().folder().join(hash.to_string()).join("verdict.json");
    std::fs::write(&verdict, "{").unwrap();
    assert!(matches!(loader.describe_stored(&hash), Err(LoadError::Probe { .. })));
    assert!(place.loader.describe_stored(&hash).is_ok());
    assert!(loader.load_stored(&hash).is_ok());
}

#[test]
fn a_run_survives_a_rebuild() {
    let place = Place::new();
    let path = place.file("libx.so", &with_mode("before"));
    let before = place.loader.describe(&path).unwrap();
    let after = place.loader.describe(&place.file("libx.so", &with_mode("after"))).unwrap();
    assert_ne!(before.sha256, after.sha256);
    std::fs::remove_file(path).unwrap();
    assert_eq!(place.loader.load_stored(&before.sha256).unwrap().file.sha256, before.sha256);
}

/// What was checked is what is loaded, whatever lies at its path by then.
#[test]
fn a_file_that_is_replaced_between_check_and_load_is_not_loaded() {
    let place = Place::new();
    let (checked, swapped) = (with_mode("checked"), with_mode("swapped"));
    let path = place.file("libswap.so", &checked);
    let file = place.loader.describe(&path).unwrap();
    // A file that would be refused, and one that would not.
    for other in [b"not a library".to_vec(), swapped.clone()] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &other).unwrap();
        let plugin = place.loader.load_stored(&file.sha256).unwrap();
        assert_eq!(plugin.file.sha256, Hash::of(&checked));
        let mapped = std::fs::read_to_string("/proc/self/maps").unwrap();
        let lines = |path: &std::path::Path| {
            mapped.lines().filter(|line| line.ends_with(path.to_str().unwrap())).count()
        };
        assert!(lines(&plugin.file.path) > 0 && lines(&path) == 0);
        assert_eq!(std::fs::read(&plugin.file.path).unwrap(), checked);
    }
    // Who knows the hash is told; the other file is another plugin then.
    let changed = place.loader.describe_known(&path, &file.sha256).unwrap_err();
    assert!(matches!(changed, LoadError::Changed { found, .. } if found == Hash::of(&swapped)));
    assert_eq!(place.loader.load(&path).unwrap().file.sha256, Hash::of(&swapped));

    // The same in the store itself.
    let file = place.loader.describe(&place.file("libstore.so", &with_mode("in-store"))).unwrap();
    std::fs::remove_file(&file.path).unwrap();
    std::fs::write(&file.path, &swapped).unwrap();
    let refused = place.loader.load_stored(&file.sha256).err().unwrap();
    assert!(
        matches!(refused, LoadError::Store(StoreError::Damaged { found, .. }) if found == Hash::of(&swapped))
    );
}

#[test]
fn a_stored_file_that_is_absent_or_damaged_is_named() {
    let place = Place::new();
    let absent = place.loader.load_stored(&Hash::of(b"absent")).unwrap_err();
    assert!(matches!(absent, LoadError::NotStored { .. }));
    assert!(absent.to_string().contains("hint: "));

    let bytes = with_mode("damaged");
    let file = place.describe(&bytes).unwrap();
    let mut wrong = bytes.clone();
    wrong.truncate(1000);
    std::fs::remove_file(&file.path).unwrap();
    std::fs::write(&file.path, wrong).unwrap();
    let damaged = place.loader.load_stored(&file.sha256).unwrap_err();
    assert!(matches!(damaged, LoadError::Store(StoreError::Damaged { .. })));
    assert_eq!(place.describe(&bytes).unwrap().path, file.path);
    assert!(place.loader.load_stored(&file.sha256).is_ok());
}

#[test]
fn folders_are_listed_with_what_is_wrong() {
    let place = Place::new();
    let folder = place.folder.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.so"), &*FIXTURE).unwrap();
    std::fs::write(folder.join("b.so"), "text").unwrap();
    let found = place.loader.list(&Folders::default().and(&folder));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].file.as_ref().unwrap().components[0].name, "fixture");
    assert!(matches!(found[1].file, Err(LoadError::Refused(_))));
}

#[test]
fn threads_may_load_one_file_together() {
    let place = Place::new();
    let path = place.file("libx.so", &with_mode("threads"));
    let plugins: Vec<_> = std::thread::scope(|scope| {
        let load = || place.loader.load(&path).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(plugins.iter().all(|plugin| Arc::ptr_eq(plugin, &plugins[0])));
}

#[test]
fn a_known_hash_is_compared_and_a_look_runs_nothing() {
    // Whatever runs would be an error of the probe.
    let place = Place::with_probe("/nonexistent/nshot-probe");
    let bytes = with_mode("looked");
    let (path, hash) = (place.file("libx.so", &bytes), Hash::of(&bytes));
    let changed = place.loader.describe_known(&path, &Hash::of(b"")).unwrap_err();
    assert!(matches!(changed, LoadError::Changed { found, .. } if found == hash), "{changed}");
    assert!(place.loader.store().hashes().unwrap().is_empty());
    let looked = place.loader.look(&path).unwrap();
    assert_eq!((looked.sha256, looked.metadata.plugin.as_str()), (hash, "fixture"));
    assert_eq!(looked.components, None);
    assert!(place.loader.store().hashes().unwrap().is_empty());

    let place = Place::new();
    let path = place.file("libx.so", &bytes);
    assert_eq!(place.loader.describe_known(&path, &hash).unwrap().sha256, hash);
    assert_eq!(place.loader.look(&path).unwrap().components.unwrap().len(), 1);
}
