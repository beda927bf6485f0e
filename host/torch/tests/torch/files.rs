//! Parameters: first values, files, foreign checkpoints, warm starts; slots.

use std::collections::BTreeMap;

use nshot_graph::{Initialisation, ParameterSpec, Parameters, Role};
use nshot_torch::{
    Device, Gradients, NameMap, ParameterStore, Precision, SlotInit, Slots, Tensor, UpdateTable,
    read_tensors, write_tensors,
};

use crate::support::{assert_close, numbers, specs, store, texts};

fn small() -> Parameters {
    specs(&[
        ("stem.weight", &[4, 3, 3, 3], Role::Weight),
        ("norm.mean", &[4], Role::Buffer),
        ("scale", &[], Role::Architecture),
    ])
}

#[test]
fn first_values_depend_on_seed_and_name_alone() {
    let a = store(&small());
    let reordered = specs(&[("other", &[7], Role::Weight), ("stem.weight", &[4, 3, 3, 3], Role::Weight)]);
    let b = store(&reordered);
    let weight = a.by_name("stem.weight").unwrap();
    assert_close(weight, b.by_name("stem.weight").unwrap(), 0.0);
    assert!(weight.requires_grad() && !a.by_name("norm.mean").unwrap().requires_grad());
    assert_eq!(weight.stride(), [27, 1, 9, 3], "channels-last");

    let mut single = ParameterStore::new(&small(), Device::Cpu, Precision::Float32).unwrap();
    single.initialise(11).unwrap();
    let rounded = weight.to_kind(tch::Kind::Float);
    assert_close(single.by_name("stem.weight").unwrap(), &rounded, 0.0);
    single.initialise(12).unwrap();
    assert!((single.by_name("stem.weight").unwrap() - rounded).abs().max().double_value(&[]) > 0.1);
}

#[test]
fn distributions() {
    let mut parameters = Parameters::new();
    let inits = [
        Initialisation::Normal { mean: 2.0, std: 0.5 },
        Initialisation::Ones,
        Initialisation::Constant { value: -3.0 },
        Initialisation::Zeros,
    ];
    for (i, init) in inits.into_iter().enumerate() {
        let spec = ParameterSpec { name: format!("p{i}"), shape: vec![5000], role: Role::Weight, init };
        parameters.declare(spec).unwrap();
    }
    let store = store(&parameters);
    let mean = |i: usize| store.get(i).unwrap().mean(tch::Kind::Double).double_value(&[]);
    assert!(
        (mean(0) - 2.0).abs() < 0.03
            && (store.get(0).unwrap().std(true).double_value(&[]) - 0.5).abs() < 0.03
    );
    assert_eq!((1..4).map(|i| mean(i) as i64).collect::<Vec<_>>(), [1, -3, 0]);
}

#[test]
fn a_round_trip_keeps_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let first = store(&small());
    first.save(&path).unwrap();
    let mut second = ParameterStore::new(&small(), Device::Cpu, Precision::Float64).unwrap();
    second.load(&path).unwrap();
    for i in 0..first.len() {
        assert_close(first.get(i).unwrap(), second.get(i).unwrap(), 0.0);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file stays");
    let again = folder.path().join("again.safetensors");
    second.save(&again).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn a_file_that_does_not_fit_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut single = ParameterStore::new(&small(), Device::Cpu, Precision::Float32).unwrap();
    single.save(&path).unwrap();
    let other = specs(&[
        ("stem.weight", &[4, 3, 1, 1], Role::Weight),
        ("norm.mean", &[4], Role::Buffer),
        ("missing", &[1], Role::Bias),
    ]);
    let mut into = store(&other);
    let before = into.by_name("norm.mean").unwrap().copy();
    texts(
        &into.load(&path).unwrap_err(),
        &[
            "`stem.weight` has the shape [4, 3, 3, 3], expected [4, 3, 1, 1]",
            "`norm.mean` is of type F32, expected float64",
            "`missing` is missing",
            "`scale` is not a parameter",
        ],
    );
    assert_close(into.by_name("norm.mean").unwrap(), &before, 0.0);

    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 4, 60, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        texts(&single.load(&path).unwrap_err(), &["weights.safetensors", "not a whole safetensors file"]);
    }
    texts(&single.load(&folder.path().join("nothing")).unwrap_err(), &["nothing"]);
}

#[test]
fn foreign_names_and_types_are_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.safetensors");
    let weight = numbers(&[4, 3, 3, 3]);
    let tensors = [
        ("net.layers.0.w".to_owned(), weight.to_kind(tch::Kind::Float)),
        ("net.norm.mean".to_owned(), numbers(&[4])),
        ("net.scale".to_owned(), numbers(&[])),
        ("epoch".to_owned(), Tensor::from_slice(&[3i64])),
    ];
    write_tensors(&path, &tensors).unwrap();
    assert_eq!(read_tensors(&path).unwrap().len(), 4);
    let rules = [("net.layers.0.w", "stem.weight"), ("net.", "")];
    let table: BTreeMap<_, _> = rules.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let mut store = store(&small());
    store.load_from(&path, &NameMap::new(&table).unwrap()).unwrap();
    assert_close(store.by_name("stem.weight").unwrap(), &weight, 1e-7);
    assert_close(store.by_name("norm.mean").unwrap(), &numbers(&[4]), 0.0);

    let error = store.load_from(&path, &NameMap::default()).unwrap_err();
    texts(&error, &["`stem.weight` gets no value", "`norm.mean` gets no value"]);
    // It is a method's rather than the network's: it keeps its value.
    assert!(!error.to_string().contains("scale"), "{error}");
}

#[test]
fn a_warm_start_copies_what_is_there() {
    let parent =
        store(&specs(&[("stem.weight", &[4, 3, 3, 3], Role::Weight), ("norm.mean", &[5], Role::Buffer)]));
    let mut child = ParameterStore::new(&small(), Device::Cpu, Precision::Float32).unwrap();
    assert_eq!(child.copy_from(&parent).unwrap(), ["norm.mean", "scale"]);
    let expected = parent.by_name("stem.weight").unwrap().to_kind(tch::Kind::Float);
    assert_close(child.by_name("stem.weight").unwrap(), &expected, 0.0);
}

#[test]
fn slots_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slots.safetensors");
    let store = store(&small());
    let mut slots = Slots::new();
    for (group, reached) in [(3, vec![0, 2]), (3, vec![0]), (1, vec![2])] {
        let gradients = Gradients::collect(&store, &reached).unwrap();
        let mut table = UpdateTable::new(&store, &gradients, &mut slots, group).unwrap();
        table.slot("momentum", SlotInit::Parameter).unwrap();
    }
    slots.save(&path, &store).unwrap();
    let names: Vec<String> = read_tensors(&path).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "group.1/#updates/momentum",
            "group.1/momentum/scale",
            "group.3/#updates/momentum",
            "group.3/momentum/scale",
            "group.3/momentum/stem.weight"
        ]
    );
    let loaded = Slots::load(&path, &store).unwrap();
    assert_eq!(loaded.names().collect::<Vec<_>>(), [(1, "momentum"), (3, "momentum")]);
    assert_eq!((loaded.updates(3, "momentum", 0), loaded.updates(3, "momentum", 2)), (2, 1));
    assert_eq!(loaded.bytes(), slots.bytes());
    let slot = loaded.get(3, "momentum", 0).unwrap();
    assert_close(slot, store.get(0).unwrap(), 0.0);
    assert_eq!(slot.stride(), store.get(0).unwrap().stride());

    let mut tensors = read_tensors(&path).unwrap();
    tensors.retain(|(name, _)| name != "group.1/#updates/momentum");
    tensors.push(("group.3/momentum/what".into(), numbers(&[2])));
    tensors.push(("else".into(), numbers(&[2])));
    write_tensors(&path, &tensors).unwrap();
    texts(
        &Slots::load(&path, &store).unwrap_err(),
        &[
            "`else`: is not a slot",
            "no parameter `what`",
            "`group.1/momentum/scale`: its tensor and its count of updates disagree",
        ],
    );
}
