//! The traces of the plain-PyTorch reference, step by step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nshot_graph::Value;
use nshot_torch::{
    Gradients, NameMap, SlotInit, Slots, Tensor, UpdateTable, cross_entropy, read_scalars, read_tensors,
    record, weighted_sum,
};

use crate::networks::{Size, parameters, subnet};
use crate::support::{TRAINING, largest_difference, program, store};

fn map() -> NameMap {
    let rules = [
        ("weight.stages.{}.{}.edges.{}.{}.conv.{}", "stage{}.cell{}.edge{}.{}.{}"),
        ("weight.reductions.0.", "reduction1."),
        ("weight.reductions.1.", "reduction2."),
        ("weight.", ""),
    ];
    let table: BTreeMap<_, _> = rules.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    NameMap::new(&table).unwrap()
}

#[test]
fn losses_norms_and_weights_are_the_references() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden"));
    let document = std::fs::read_to_string(folder.join("nb201.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let tensors: BTreeMap<String, Tensor> =
        read_tensors(&folder.join("nb201.safetensors")).unwrap().into_iter().collect();
    let size = Size {
        channels: document["size"]["channels"].as_i64().unwrap(),
        cells: document["size"]["cells"].as_u64().unwrap() as usize,
    };
    let mut worst = 0f64;
    for (name, case) in document["cases"].as_object().unwrap() {
        let specs = parameters(size);
        let mut store = store(&specs);
        store.load_from(&folder.join("nb201.safetensors"), &map()).unwrap();
        let mut slots = Slots::new();
        let mut ever: Vec<usize> = Vec::new();
        for (step, row) in case["steps"].as_array().unwrap().iter().enumerate() {
            let (x, y) =
                (&tensors[&format!("batch.{step}.images")], &tensors[&format!("batch.{step}.labels")]);
            store.clear_gradients().unwrap();
            let mut reached = if case["inactive"] == "decay" { ever.clone() } else { vec![] };
            let archs = row["archs"].as_array().unwrap();
            let factors: Vec<f64> =
                row["factors"].as_array().unwrap().iter().map(|f| f.as_f64().unwrap()).collect();
            for (path, arch) in archs.iter().enumerate() {
                let arch: Vec<usize> =
                    arch.as_array().unwrap().iter().map(|o| o.as_u64().unwrap() as usize).collect();
                let graph = subnet(&specs, size, &arch, 16);
                let program = program(&graph, TRAINING);
                let run = record(&graph, &program, &store, &[("image", x)], TRAINING).unwrap();
                let loss = cross_entropy(&run.outputs()[0].1, y, 0.0).unwrap();
                let value = read_scalars(&[loss.shallow_clone()]).unwrap()[0];
                worst = worst.max((value - row["losses"][path].as_f64().unwrap()).abs());
                let weight = if archs.len() > 1 { factors[path] } else { 1.0 };
                run.backward(&weighted_sum(&[(loss, weight)]).unwrap()).unwrap();
                reached.extend(graph.reached_parameters());
            }
            ever.extend(&reached);
            let mut gradients = Gradients::collect(&store, &reached).unwrap();
            let norm = gradients.clip(case["clip"].as_f64().unwrap_or(f64::INFINITY)).unwrap();
            worst = worst.max((read_scalars(&[norm]).unwrap()[0] - row["grad_norm"].as_f64().unwrap()).abs());
            let lr = 0.025 * if archs.len() == 1 { factors[0] } else { 1.0 };
            let group = row["group"].as_u64().unwrap() as u32;
            let mut table = UpdateTable::new(&store, &gradients, &mut slots, group).unwrap();
            let momentum = table.slot("momentum", SlotInit::Zeros).unwrap();
            let number = |name: &str, value: f64| (name.to_owned(), Value::Float(value));
            let attributes = [
                number("lr", lr),
                number("momentum", 0.9),
                number("weight_decay", 5e-4),
                ("nesterov".to_owned(), Value::Bool(true)),
            ];
            let lists = [table.parameters(), table.gradients(), momentum.handle];
            table.op("fused_sgd_", &lists, &attributes).unwrap();
        }
        for (foreign, tensor) in read_tensors(&folder.join(format!("nb201-{name}.safetensors"))).unwrap() {
            let own = map().apply(&format!("weight.{foreign}")).unwrap();
            let difference = largest_difference(store.by_name(&own).unwrap(), &tensor);
            worst = worst.max(difference);
        }
        println!("{name}: {worst:e}");
    }
    assert!(worst < 1e-9, "{worst:e}");
}
