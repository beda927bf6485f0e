//! Plugin files and crates that cannot be used, named by `use = { path = … }`: one error each, and a hint.

mod made;

use std::fs;
use std::path::Path;

use crate::harness::{self, Bench};
use crate::refusals::{self, Page};

/// Crates that make no plugin: their name, `Cargo.toml` without the name, and `src/lib.rs`.
const CRATES: &[(&str, &str, &str)] = &[
    (
        "crate that does not compile",
        "[lib]\ncrate-type = [\"cdylib\"]",
        "pub fn plugin() -> u32 { \"spos\" }\n",
    ),
    ("crate without a cdylib", "", "//! Nothing.\n"),
    ("crate that is no plugin", "[lib]\ncrate-type = [\"cdylib\"]", "//! Nothing.\n"),
    ("crate with a dependency that is not there", "[dependencies]\nnone = { path = \"none\" }", ""),
    ("crate whose Cargo.toml is no TOML", "[lib\n", ""),
];

#[test]
fn bad_plugin_file() {
    let (bench, page) = (Bench::new(), Page::new("bad_plugin_file"));
    let real = fs::read(harness::release().join("libnshot_plugin_spos.so")).unwrap();
    let mut names = write_files(&bench, &real);
    made::write(&bench, &real, &mut names);
    fs::create_dir(bench.path("folder without a crate")).unwrap();
    names.push("folder without a crate".to_owned());
    for (name, manifest, source) in CRATES {
        let package = "[package]\nname = \"bad\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        bench.write(&format!("{name}/Cargo.toml"), &format!("{package}{manifest}\n"));
        bench.write(&format!("{name}/src/lib.rs"), source);
        names.push((*name).to_owned());
    }
    // The store is filled with the good plugins first.
    bench.write("spos.toml", &manifest(&bench.path("spos.so")));
    fs::write(bench.path("spos.so"), &real).unwrap();
    bench.nshot(&["run", "--quiet", "spos.toml", "--dry-run"]).ok();

    refusals::for_each(&names, |place, name| {
        let file = bench.write(&format!("manifests/{place}.toml"), &manifest(&bench.path(name)));
        let run = bench.nshot(&["run", "--quiet", file.to_str().unwrap()]);
        let refusal = if name.starts_with("crate") {
            refusals::last_refusal(name, &run, &bench)
        } else {
            refusals::refusal(name, &run, &bench)
        };
        let manifest = format!("BENCH/manifests/{place}.toml");
        page.add(place, name, &without_sizes(&refusal.replace(&manifest, "bad.toml")));
    });
    assert!(refusals::is_empty(&bench.path("runs")), "a run directory was made");
    page.compare();
}

/// A run without a fault but for its sampler.
fn manifest(plugin: &Path) -> String {
    format!(
        "[run]\ndevice = \"cpu\"\nthreads = 1\n[space]\nuse = \"nas-bench-201\"\nchannels = 4\ncells = 1\n\
         [sampler]\nuse = {{ path = {plugin:?} }}\n[scheduler]\nuse = \"cosine\"\n[optimizer]\nuse = \"sgd\"\n\
         [train]\nsteps = 1\nlr = 0.05\n"
    )
}

/// Sizes and addresses are different with every compiler.
fn without_sizes(text: &str) -> String {
    let mut result = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let number = digits.strip_prefix("0x").unwrap_or(digits);
        let long = number.len() > 2 && number.chars().all(|c| c.is_ascii_hexdigit());
        let is_number = long && number.chars().any(|c| c.is_ascii_digit());
        result.push_str(&if is_number { part.replace(digits, "N") } else { part.to_owned() });
    }
    result
}

/// Files that are not the real plugin, or were made of it; returns their names.
fn write_files(bench: &Bench, real: &[u8]) -> Vec<String> {
    let cut = |share: f64| real[..(real.len() as f64 * share) as usize].to_vec();
    let mut machine = real.to_vec();
    // The field `e_machine`: AArch64.
    machine[18..20].copy_from_slice(&183_u16.to_le_bytes());
    let files = [
        ("empty file", Vec::new()),
        ("text", b"[sampler]\nuse = \"spos\"\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("magic number alone", b"\x7fELF".to_vec()),
        ("cut short in its header", real[..40].to_vec()),
        ("cut short at its start", cut(0.02)),
        ("cut short in the middle", cut(0.5)),
        ("cut short near its end", cut(0.97)),
        ("cut short by a byte", real[..real.len() - 1].to_vec()),
        ("another library", fs::read(libc()).unwrap()),
        ("program", fs::read(harness::release().join("nshot-probe")).unwrap()),
        ("for another machine", machine),
        ("for ABI 2", patch(real, "\"abi\":[1,0]", "\"abi\":[2,0]")),
        ("for ABI 0", patch(real, "\"abi\":[1,0]", "\"abi\":[0,9]")),
        ("for another target", patch(real, "x86_64-linux-gnu", "s390x_-linux-gnu")),
        ("with a record of another format", patch(real, "{\"format\":1", "{\"format\":2")),
        ("with a record that is no JSON", patch(real, "{\"format\":1", "{'format':1")),
        ("with another root symbol", patch(real, "\"root\":\"nshot_root_", "\"root\":\"nshot_boot_")),
        ("with an odd name", patch(real, "\"plugin\":\"spos\"", "\"plugin\":\"s/os\"")),
    ];
    for (name, bytes) in &files {
        fs::write(bench.path(name), bytes).unwrap();
    }
    files.into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// Another text of the same length in the record of a plugin.
fn patch(real: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = real.to_vec();
    let record = bytes.windows(10).position(|window| window == b"{\"format\":").unwrap();
    let at =
        bytes[record..].windows(from.len()).position(|window| window == from.as_bytes()).unwrap() + record;
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

/// The C library that this test itself runs with.
fn libc() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps.lines().find(|line| line.contains("/libc.so.6") || line.contains("/libc-2."));
    library.unwrap().split_whitespace().last().unwrap().to_owned()
}
