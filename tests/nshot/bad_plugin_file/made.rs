//! Plugin files that are made for the purpose: of C with a real plugin's record, and by the real build with
//! `panic = "abort"`.

use std::fmt::Write as _;
use std::process::Command;

use crate::harness::{self, Bench};

/// The root symbol that the record of the real plugin names, as an object of enough room.
const ROOT: &str = "const char nshot_root_nshot_plugin_spos[256] = {1};\n";

/// C files: their name, and what stands beside the record.
const SOURCES: &[(&str, &str)] = &[
    ("without its root symbol", ""),
    ("with a root symbol of another kind", ROOT),
    (
        "with a missing symbol",
        "extern void absent(void);\n__attribute__((constructor)) static void f(void) { absent(); }\n",
    ),
    (
        "that crashes when it is loaded",
        "__attribute__((constructor)) static void f(void) { *(volatile int *)16 = 0; }\n",
    ),
    (
        "that aborts when it is loaded",
        "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }\n",
    ),
    (
        "that exits when it is loaded",
        "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { exit(0); }\n",
    ),
];

/// Writes the files and adds their names.
pub(super) fn write(bench: &Bench, real: &[u8], names: &mut Vec<String>) {
    let record = record(real);
    for (name, source) in SOURCES {
        let root = if source.contains(ROOT) || name.starts_with("without") { "" } else { ROOT };
        compile(bench, name, &format!("{record}{root}{source}"), &[]);
        names.push((*name).to_owned());
    }
    // A library that the next one needs.
    compile(bench, "libcudart.so.12", "int cuda(void) { return 0; }\n", &["-Wl,-soname,libcudart.so.12"]);
    let needed = bench.path("libcudart.so.12");
    let uses = format!("{record}{ROOT}int cuda(void);\nint use(void) {{ return cuda(); }}\n");
    compile(bench, "that needs another library", &uses, &[needed.to_str().unwrap()]);
    names.push("that needs another library".to_owned());

    let name = "built with panic = abort";
    harness::copy_test_plugin("faulty", &["-C", "panic=abort"], &bench.path(name));
    names.push(name.to_owned());
}

/// The record of a plugin, framed as it is, as an array in its section.
fn record(real: &[u8]) -> String {
    let json = real.windows(10).position(|window| window == b"{\"format\":").unwrap();
    // The frame: 8 bytes, and the length of the record in 4.
    let length = u32::from_le_bytes(real[json - 4..json].try_into().unwrap()) as usize;
    let mut text = "__attribute__((section(\".nshot\"), used)) const unsigned char record[] = {".to_owned();
    for byte in &real[json - 12..json + length] {
        write!(text, "{byte},").unwrap();
    }
    text + "};\n"
}

fn compile(bench: &Bench, name: &str, source: &str, arguments: &[&str]) {
    let source = bench.write(&format!("c/{name}.c"), source);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(bench.path(name)).arg(source).args(arguments);
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
