//! Puts libtorch's folder into the rpath, and records the compiler for the lock of a run.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Both are embedded, for `nshot plugin new`.
    println!("cargo::rerun-if-changed=../sdk");
    println!("cargo::rerun-if-changed=graph");
    println!("cargo::rerun-if-changed=../Cargo.toml");
    // Not through rustflags: a user's own RUSTFLAGS would erase those.
    if let Ok(folder) = std::env::var("DEP_NSHOT_TORCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    println!("cargo::rustc-env=NSHOT_RUSTC={}", version.unwrap_or_default());
}
