//! Bad manifests, and the bad data and weights that they name: one error that points at the line, and nothing is made.

use std::fs;

use crate::harness::{self, Bench};
use crate::refusals::{self, Page};

/// A manifest without a fault; its first epoch would be a second's work.
const GOOD: &str = r#"[run]
seed = 0
device = "cpu"
threads = 1

[data]
name = "digits"
batch_size = 64

[space]
use = "nas-bench-201"
channels = 4
cells = 1

[sampler]
use = "spos"

[scheduler]
use = "cosine"

[optimizer]
use = "sgd"
momentum = 0.9

[train]
epochs = 1
lr = 0.05
"#;

/// What is wrong, a part of the good manifest, and what stands there instead.
const EDITS: &[(&str, &str, &str)] = &[
    ("typo in a key", "batch_size = 64", "bach_size = 64"),
    ("typo in a key of the run", "threads = 1", "treads = 1"),
    ("typo in the name of a table", "[optimizer]", "[optimiser]"),
    ("typo in the name of an optional table", "[data]", "[dat]"),
    ("unknown key unlike any other", "lr = 0.05", "lr = 0.05\ncolour = \"red\""),
    ("typo in a component's setting", "channels = 4", "chanels = 4"),
    ("setting of a component without any like it", "use = \"spos\"", "use = \"spos\"\ntemperature = 3"),
    ("missing table", "[sampler]\nuse = \"spos\"\n", ""),
    ("missing `use`", "use = \"spos\"\n", ""),
    ("missing learning rate", "lr = 0.05\n", ""),
    ("text for a number", "batch_size = 64", "batch_size = \"64\""),
    ("number for a text", "device = \"cpu\"", "device = 0"),
    ("value for a table", "[sampler]\nuse = \"spos\"", ""),
    ("list for a number", "epochs = 1", "epochs = [1, 2]"),
    ("fraction for a whole number", "epochs = 1", "epochs = 1.5"),
    ("number for `use`", "use = \"spos\"", "use = 3"),
    ("wrong type of a setting", "channels = 4", "channels = \"four\""),
    ("setting out of range", "momentum = 0.9", "momentum = -2.0"),
    ("setting that is not finite", "momentum = 0.9", "momentum = inf"),
    ("channels that would fill the memory", "channels = 4", "channels = 100000000"),
    ("no channels", "channels = 4", "channels = 0"),
    ("unknown component", "use = \"spos\"", "use = \"sposs\""),
    ("unknown component unlike any other", "use = \"cosine\"", "use = \"zigzag\""),
    ("component of another kind", "use = \"spos\"", "use = \"cosine\""),
    ("component of another group", "use = \"spos\"", "use = \"elsewhere/spos:spos\""),
    ("component of another version", "use = \"spos\"", "use = \"spos@^9\""),
    ("version that is none", "use = \"spos\"", "use = \"spos@new\""),
    ("name that cannot be", "use = \"spos\"", "use = \"../spos\""),
    ("missing plugin file", "use = \"spos\"", "use = { path = \"my-sampler.so\" }"),
    ("`use` with an unknown key", "use = \"spos\"", "use = { paht = \"my-sampler\" }"),
    ("no epochs", "epochs = 1", "epochs = 0"),
    ("negative epochs", "epochs = 1", "epochs = -1"),
    ("epochs without end", "epochs = 1", "epochs = 9000000000000000000"),
    ("epochs and steps", "epochs = 1", "epochs = 1\nsteps = 5"),
    ("neither epochs nor steps", "epochs = 1\n", ""),
    ("learning rate that is no number", "lr = 0.05", "lr = nan"),
    ("negative learning rate", "lr = 0.05", "lr = -0.05"),
    ("infinite learning rate", "lr = 0.05", "lr = inf"),
    ("clipping to nothing", "lr = 0.05", "lr = 0.05\nclip_norm = 0.0"),
    ("unknown treatment of inactive parameters", "lr = 0.05", "lr = 0.05\ninactive = \"decai\""),
    ("batch larger than the data", "batch_size = 64", "batch_size = 2000"),
    ("empty batch", "batch_size = 64", "batch_size = 0"),
    ("more images than the data has", "batch_size = 64", "split = { train = 5000 }"),
    ("unknown data", "name = \"digits\"", "name = \"digit\""),
    ("image size that the space cannot take", "batch_size = 64", "resize = 15"),
    ("image without pixels", "batch_size = 64", "resize = 0"),
    ("unknown device", "device = \"cpu\"", "device = \"gpu\""),
    ("device that this machine lacks", "device = \"cpu\"", "device = \"cuda:63\""),
    ("unknown type of numbers", "threads = 1", "dtype = \"float16\""),
    ("no threads", "threads = 1", "threads = 0"),
    ("threads without end", "threads = 1", "threads = 1000000"),
    ("negative seed", "seed = 0", "seed = -1"),
    ("seed of more than 64 bits", "seed = 0", "seed = 99999999999999999999"),
    ("name of a run that is a path", "seed = 0", "name = \"../elsewhere\""),
    ("run directory that exists", "seed = 0", "directory = \"taken\""),
    ("run directory that is a file", "seed = 0", "directory = \"broken.txt\""),
    ("same key twice", "lr = 0.05", "lr = 0.05\nlr = 0.1"),
    ("same table twice", "[train]", "[sampler]\n[train]"),
    ("line that is no TOML", "lr = 0.05", "lr 0.05"),
    ("text without an end", "device = \"cpu\"", "device = \"cpu"),
    ("CIFAR-10 that is not there", "name = \"digits\"", "name = \"cifar10\"\npath = \"nowhere\""),
    ("CIFAR-10 cut short", "name = \"digits\"", "name = \"cifar10\"\npath = \"cifar\""),
    ("Fashion-MNIST that is not there", "name = \"digits\"", "name = \"fashion-mnist\"\npath = \"nowhere\""),
    ("Fashion-MNIST cut short", "name = \"digits\"", "name = \"fashion-mnist\"\npath = \"idx\""),
    ("batches that are not there", "name = \"digits\"", "name = \"batches\"\npath = \"nowhere.safetensors\""),
    (
        "batches cut short",
        "name = \"digits\"\nbatch_size = 64",
        "name = \"batches\"\npath = \"cut.safetensors\"",
    ),
    ("index file that is not there", "batch_size = 64", "split = { train = \"nowhere.txt\" }"),
    ("index file with a bad line", "batch_size = 64", "split = { train = \"broken.txt\" }"),
    ("more images to rank than there are", "lr = 0.05", "lr = 0.05\n[rank]\nimages = 100000"),
    ("no subnets to rank", "lr = 0.05", "lr = 0.05\n[rank]\nsubnets = 0"),
    ("subnets and a list", "lr = 0.05", "lr = 0.05\n[rank]\nsubnets = 3\narchitectures = \"list.txt\""),
    ("list that is not there", "lr = 0.05", "lr = 0.05\n[rank]\narchitectures = \"nowhere.txt\""),
    ("list with a bad line", "lr = 0.05", "lr = 0.05\n[rank]\narchitectures = \"list.txt\""),
    ("empty list", "lr = 0.05", "lr = 0.05\n[rank]\narchitectures = \"empty.txt\""),
    ("weights that are not there", "lr = 0.05", "lr = 0.05\ninit_from = { file = \"nowhere.safetensors\" }"),
    ("weights cut short", "lr = 0.05", "lr = 0.05\ninit_from = { file = \"cut.safetensors\" }"),
    ("weights of other names", "lr = 0.05", "lr = 0.05\ninit_from = { file = \"weights.safetensors\" }"),
    (
        "weights of other shapes",
        "lr = 0.05",
        "lr = 0.05\ninit_from = { file = \"weights.safetensors\", map = { \"weight.\" = \"\" } }",
    ),
];

/// What is wrong with the arguments, behind `run good.toml`.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("--set with a typo", &["--set", "train.epoch=2"]),
    ("--set with a wrong type", &["--set", "train.epochs=many"]),
    ("--set out of range", &["--set", "run.threads=0"]),
    ("--set of a component's unknown setting", &["--set", "space.cels=3"]),
    ("--set below a value", &["--set", "train.epochs.first=1"]),
    ("--set of an unknown component", &["--set", "scheduler.use=cosin"]),
    ("--directory that exists", &["--directory", "taken"]),
];

/// Files that are no manifest.
const FILES: &[(&str, &str)] = &[
    ("missing manifest", "nowhere.toml"),
    ("folder as the manifest", "taken"),
    ("manifest that is not UTF-8", "latin.toml"),
    ("empty manifest", "empty.txt"),
    ("manifest that is a plugin", "plugin.so"),
];

#[test]
fn bad_manifest() {
    let (bench, page) = (bench(), Page::new("bad_manifest"));
    bench.write("good.toml", GOOD);
    bench.nshot(&["run", "--quiet", "good.toml", "--dry-run"]).ok();
    let mut cases: Vec<(&str, Vec<String>)> = Vec::new();
    for (index, (name, from, to)) in EDITS.iter().enumerate() {
        assert!(GOOD.contains(from), "{name}: there is no {from:?}");
        let text = match *name {
            "value for a table" => format!("sampler = \"spos\"\n{}", GOOD.replace(from, to)),
            _ => GOOD.replace(from, to),
        };
        let file = format!("bad-{index}.toml");
        bench.write(&file, &text);
        cases.push((name, vec![file]));
    }
    for (name, arguments) in ARGUMENTS {
        let given = arguments.iter().map(ToString::to_string);
        cases.push((name, ["good.toml".to_owned()].into_iter().chain(given).collect()));
    }
    cases.extend(FILES.iter().map(|(name, file)| (*name, vec![(*file).to_owned()])));

    refusals::for_each(&cases, |place, (name, arguments)| {
        let arguments = ["run", "--quiet"].into_iter().chain(arguments.iter().map(String::as_str));
        let run = bench.nshot(&arguments.collect::<Vec<_>>());
        let refusal = refusals::refusal(name, &run, &bench).replace(&format!("bad-{place}.toml"), "bad.toml");
        // What other devices there are is the machine's affair.
        let refusal = if refusal.contains("unknown or missing device") {
            refusal.split(", expected").next().unwrap_or_default().to_owned()
        } else {
            refusal
        };
        page.add(place, name, &refusal);
    });
    assert!(refusals::is_empty(&bench.path("runs")), "a run directory was made");
    assert_eq!(fs::read_dir(bench.path("taken")).unwrap().count(), 1);
    page.compare();
}

/// The files that the manifests name.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("taken/notes.txt", "mine\n");
    bench.write("broken.txt", "1\n2\nthree\n");
    bench.write("empty.txt", "");
    bench.write(
        "list.txt",
        "# one good, one bad\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|\n|nonsense~0|\n",
    );
    let golden = fs::read(harness::project().join("tests/golden/nb201.safetensors")).unwrap();
    let record = vec![1_u8; 3073 * 2 + 100];
    // An IDX header that speaks of 60,000 images of 28x28.
    let images = [0x0803_u32, 60_000, 28, 28].map(u32::to_be_bytes).concat();
    let labels = [0x0801_u32, 60_000].map(u32::to_be_bytes).concat();
    let latin = GOOD.replace("digits", "d\u{ff}gits").chars().map(|c| c as u8).collect();
    let plugin = fs::read(harness::release().join("libnshot_plugin_spos.so")).unwrap();
    let files = [
        ("weights.safetensors", golden.clone()),
        ("cut.safetensors", golden[..golden.len() / 2].to_vec()),
        ("cifar/data_batch_1.bin", record.clone()),
        ("cifar/test_batch.bin", record),
        ("idx/train-images-idx3-ubyte", images),
        ("idx/train-labels-idx1-ubyte", labels),
        ("latin.toml", latin),
        ("plugin.so", plugin),
    ];
    for (name, bytes) in files {
        bench.write(name, "");
        fs::write(bench.path(name), bytes).unwrap();
    }
    bench
}
