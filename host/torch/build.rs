//! Compiles the C++ shim against the headers of the libtorch that torch-sys found, and tells
//! dependents where that libtorch lies.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let library =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys reports the folder of libtorch's libraries");
    let include = std::env::var("LIBTORCH_INCLUDE").map_or_else(
        |_| Path::new(&library).with_file_name("include"),
        |folder| PathBuf::from(folder).join("include"),
    );
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let absolute = std::path::absolute(&library).unwrap_or_else(|_| PathBuf::from(&library));
    let absolute = absolute.display();

    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++20")
        .opt_level(1)
        .debug(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        // Without it at::parallel_for, which is compiled here, uses one thread.
        .flag("-fopenmp")
        .file("shim/shim.cpp")
        .file("shim/script.cpp")
        .file("shim/sums.cpp")
        .file("shim/windows.cpp")
        .file("shim/gradients.cpp")
        .file("shim/convolution.cpp")
        .file("shim/memory.cpp")
        .compile("nshot_shim");
    kernels("kernels", "base", &[]);
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "x86_64") {
        let avx2 = ["-mavx2", "-mfma"];
        kernels("kernels", "avx2", &avx2);
        kernels("winograd", "avx2", &[&avx2[..], &["-DNSHOT_VECTOR=32"]].concat());
        kernels("winograd", "avx512", &[&avx2[..], &["-mavx512f", "-DNSHOT_VECTOR=64"]].concat());
    }

    println!("cargo::rustc-link-search=native={absolute}");
    println!("cargo::rustc-link-lib=torch_cpu");
    println!("cargo::rustc-link-lib=c10");
    link_openmp(Path::new(&library));
    // Unit tests and integration tests of this crate; binaries of dependents see the metadata.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{absolute}");
    println!("cargo::metadata=libtorch_lib={absolute}");
}

/// Links the OpenMP runtime that libtorch brings, so that there is one pool of threads; else the compiler's.
fn link_openmp(library: &Path) {
    let names = std::fs::read_dir(library).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let own = names.filter_map(|name| name.into_string().ok()).find(|name| name.starts_with("libgomp"));
    match own {
        Some(name) => println!("cargo::rustc-link-lib=dylib:+verbatim={name}"),
        None => println!("cargo::rustc-link-lib=gomp"),
    }
}

/// The passes of a file for processors that have what `flags` say.
fn kernels(file: &str, variant: &str, flags: &[&str]) {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++20")
        .opt_level(3)
        .debug(false)
        .define("NSHOT_KERNELS", variant);
    // Vectors go between inlined functions only, so their calling convention does not matter.
    build.flag_if_supported("-Wno-psabi").file(format!("shim/{file}.cpp"));
    for flag in flags {
        build.flag(flag);
    }
    build.compile(&format!("nshot_{file}_{variant}"));
}
