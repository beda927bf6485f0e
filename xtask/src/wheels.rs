//! The Python packages that libtorch is taken from: exact files, with their hashes.
//!
//! The package index has only CUDA builds of `PyTorch` for Linux. Without CUDA they run too, as long as two small
//! libraries of CUDA are there; with it they need all that `PyTorch`'s own metadata ask for, less the Python parts.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Stdio;

use crate::failure::Failure;
use crate::python::{Extracted, Python};

/// One file of the package index.
pub(crate) struct Wheel {
    project: &'static str,
    version: &'static str,
    file: &'static str,
    sha256: &'static str,
    /// Whether it is needed on a machine without CUDA too, and then which files of it.
    without_cuda: &'static [&'static str],
    with_cuda: &'static [&'static str],
}

const NVIDIA: &[&str] = &["nvidia/*/lib/*.so", "nvidia/*/lib/*.so.*"];

const fn cuda(
    project: &'static str,
    version: &'static str,
    file: &'static str,
    sha256: &'static str,
) -> Wheel {
    Wheel { project, version, file, sha256, without_cuda: &[], with_cuda: NVIDIA }
}

const WHEELS: &[Wheel] = &[
    Wheel {
        project: "torch",
        version: "2.13.0",
        file: "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
        without_cuda: &[
            "torch/include/*",
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libc10.so",
            "torch/lib/libgomp.so.1",
        ],
        with_cuda: &["torch/include/*", "torch/lib/*"],
    },
    Wheel {
        project: "nvidia-cuda-runtime",
        version: "13.0.96",
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        without_cuda: &["nvidia/*/lib/libcudart.so.13"],
        with_cuda: NVIDIA,
    },
    Wheel {
        project: "nvidia-cuda-cupti",
        version: "13.0.85",
        file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        without_cuda: &["nvidia/*/lib/libcupti.so.13"],
        with_cuda: NVIDIA,
    },
    // From here on: what `Requires-Dist` of torch 2.13.0 and of cuda-toolkit 13.0.3 names, for CUDA only.
    cuda(
        "nvidia-cublas",
        "13.1.1.3",
        "nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl",
        "37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436",
    ),
    cuda(
        "nvidia-cufft",
        "12.0.0.61",
        "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
    ),
    cuda(
        "nvidia-cufile",
        "1.15.1.6",
        "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
    ),
    cuda(
        "nvidia-curand",
        "10.4.0.35",
        "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    ),
    cuda(
        "nvidia-cusolver",
        "12.0.4.66",
        "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
        "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
    ),
    cuda(
        "nvidia-cusparse",
        "12.6.3.3",
        "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
    ),
    cuda(
        "nvidia-nvjitlink",
        "13.0.88",
        "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
    ),
    cuda(
        "nvidia-cuda-nvrtc",
        "13.0.88",
        "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    ),
    cuda(
        "nvidia-nvtx",
        "13.0.85",
        "nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
        "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
    ),
    cuda(
        "nvidia-cudnn-cu13",
        "9.20.0.48",
        "nvidia_cudnn_cu13-9.20.0.48-py3-none-manylinux_2_27_x86_64.whl",
        "0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304",
    ),
    cuda(
        "nvidia-cusparselt-cu13",
        "0.8.1",
        "nvidia_cusparselt_cu13-0.8.1-py3-none-manylinux2014_x86_64.whl",
        "786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0",
    ),
    cuda(
        "nvidia-nccl-cu13",
        "2.29.7",
        "nvidia_nccl_cu13-2.29.7-py3-none-manylinux_2_18_x86_64.whl",
        "edd81538446786ec3b73972543e53bb43bcaf0bfc8ef76cb679fcc390ffe136d",
    ),
    cuda(
        "nvidia-nvshmem-cu13",
        "3.4.5",
        "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
    ),
];

/// The wheels that are needed, with or without CUDA.
pub(crate) fn needed(cuda: bool) -> impl Iterator<Item = &'static Wheel> {
    WHEELS.iter().filter(move |wheel| cuda || !wheel.without_cuda.is_empty())
}

/// Megabytes that a download takes at its peak, wheels and what is extracted from them.
pub(crate) fn megabytes(cuda: bool) -> u64 {
    if cuda { 7_000 } else { 1_100 }
}

/// Names and hashes of the wheels, one a line: what a stamp compares.
pub(crate) fn list(cuda: bool) -> String {
    needed(cuda).fold(String::new(), |mut list, wheel| {
        let _ = writeln!(list, "{} {}", wheel.sha256, wheel.file);
        list
    })
}

/// Has pip put the wheels into `folder`, its progress shown on stderr.
pub(crate) fn download(python: &Python, cuda: bool, folder: &Path) -> Result<(), Failure> {
    let mut command = python.command();
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
    command.args([
        "--disable-pip-version-check",
        "--retries=3",
        "--implementation=cp",
        "--python-version=3.11",
    ]);
    // pip takes the tags literally: a wheel for an older glibc is not found under a newer one's.
    command.args((5..=28).rev().map(|minor| format!("--platform=manylinux_2_{minor}_x86_64")));
    command.args(["--platform=manylinux2014_x86_64", "--dest"]).arg(folder);
    command.args(needed(cuda).map(|wheel| format!("{}=={}", wheel.project, wheel.version)));
    // pip downloads into its temporary folder first: keep that on the disk whose room was checked.
    command.env("TMPDIR", folder);
    command.stdout(Stdio::from(io::stderr())).stderr(Stdio::piped());
    let output = command
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(Failure::io("run", Path::new(command.get_program())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(explain(&String::from_utf8_lossy(&output.stderr), cuda, folder))
}

/// Checks one downloaded wheel and extracts what is needed of it into `folder`.
pub(crate) fn extract(
    python: &Python,
    wheel: &Wheel,
    cuda: bool,
    downloads: &Path,
    folder: &Path,
) -> Result<(), Failure> {
    eprintln!("xtask: checking and extracting {} {}", wheel.project, wheel.version);
    let path = downloads.join(wheel.file);
    let file = || wheel.file.to_owned();
    if !path.exists() {
        return Err(Failure::Pip { detail: format!("it fetched another file than `{}`", wheel.file) });
    }
    let patterns = if cuda { wheel.with_cuda } else { wheel.without_cuda };
    match python.extract(&path, wheel.sha256, folder, patterns)? {
        Extracted::Done => std::fs::remove_file(&path).map_err(Failure::io("remove", &path)),
        Extracted::WrongHash(found) => {
            Err(Failure::WrongHash { file: file(), found, expected: wheel.sha256.to_owned() })
        }
        Extracted::DiskFull => Err(disk_full(cuda, folder)),
        Extracted::Failed(detail) => Err(Failure::Extract { file: file(), detail }),
    }
}

/// Turns pip's complaints into one of ours.
fn explain(complaint: &str, cuda: bool, folder: &Path) -> Failure {
    const OFFLINE: [&str; 7] = [
        "NewConnectionError",
        "ConnectTimeoutError",
        "Max retries exceeded",
        "name resolution",
        "ProxyError",
        "Connection broken",
        "ReadTimeoutError",
    ];
    // "ERROR: No matching distribution found" is pip's last word in any case; the reason stands before it.
    let line = |needle: &str| complaint.lines().find(|line| line.contains(needle)).map(str::trim);
    if line("No space left on device").is_some() || line("Disk quota exceeded").is_some() {
        return disk_full(cuda, folder);
    }
    if let Some(found) = OFFLINE.iter().find_map(|needle| line(needle)) {
        return Failure::NoNetwork { detail: reason(found), wheels: indented(&list(cuda)) };
    }
    let errors = complaint.lines().filter_map(|line| line.trim().strip_prefix("ERROR: "));
    let detail = errors.clone().next().unwrap_or_else(|| complaint.lines().last().unwrap_or("no message"));
    Failure::Pip { detail: detail.trim().to_owned() }
}

/// The part of a retry warning that says why: `… <…>: Failed to establish a new connection: […] Network is
/// unreachable')': /simple/torch/`.
fn reason(line: &str) -> String {
    let start = line.find("Failed to ").or_else(|| line.find("Caused by")).unwrap_or(0);
    line[start..].split("')").next().unwrap_or(line).trim().to_owned()
}

fn indented(lines: &str) -> String {
    let lines: Vec<_> = lines.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

fn disk_full(cuda: bool, folder: &Path) -> Failure {
    // The folders below `target` are removed before anyone reads this.
    let folder = folder.ancestors().find(|folder| folder.ends_with("target")).unwrap_or(folder);
    Failure::DiskFull { folder: folder.to_owned(), free: 0, needed: megabytes(cuda) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_is_pinned() {
        for wheel in WHEELS {
            assert!(wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(wheel.file.starts_with(&format!(
                "{}-{}-",
                wheel.project.replace('-', "_"),
                wheel.version
            )));
        }
        assert_eq!(needed(false).count(), 3);
        assert_eq!(needed(true).count(), WHEELS.len());
    }

    #[test]
    fn an_unreachable_index_is_a_network_failure() {
        let complaint = "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
            connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: \
            Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/torch/\n\
            ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)\n\
            ERROR: No matching distribution found for torch==2.13.0\n";
        let Failure::NoNetwork { detail, .. } = explain(complaint, false, Path::new("target")) else {
            panic!("not a network failure")
        };
        let expected =
            "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution";
        assert_eq!(detail, expected);
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full =
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n";
        assert!(matches!(explain(full, false, Path::new("target")), Failure::DiskFull { needed: 1_100, .. }));
        let other = "\nERROR: No matching distribution found for torch==2.13.0\n";
        let Failure::Pip { detail } = explain(other, false, Path::new("target")) else { panic!("not pip's") };
        assert_eq!(detail, "No matching distribution found for torch==2.13.0");
    }
}
