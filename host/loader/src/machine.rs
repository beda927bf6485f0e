//! What this machine is, for the gate to compare with.

// The C library's version is known to the C library alone.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

/// The target that this host was built for: processor, system, environment.
pub fn target() -> String {
    let environment = if cfg!(target_env = "gnu") {
        "gnu"
    } else if cfg!(target_env = "musl") {
        "musl"
    } else {
        ""
    };
    format!("{}-{}-{environment}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Version of the running glibc, major and minor.
#[cfg(target_env = "gnu")]
pub(crate) fn glibc() -> Option<(u32, u32)> {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const c_char;
    }
    // SAFETY: glibc has this function since 2.1; it returns a static string that ends with a zero.
    let version = unsafe { CStr::from_ptr(gnu_get_libc_version()) };
    parse_version(version.to_str().ok()?)
}

/// No glibc.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn glibc() -> Option<(u32, u32)> {
    None
}

/// The first two numbers of a version such as `2.36` or `2.2.5`.
pub(crate) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some((major, minor))
}

/// Whether the processor has a feature of rustc's `target_feature`; a name that this host does not know is one
/// that it cannot vouch for.
pub(crate) fn has_cpu_feature(name: &str) -> bool {
    // These belong to every processor of the architecture, or describe the compilation.
    matches!(name, "baseline" | "crt-static" | "x87") || detected(name).unwrap_or(false)
}

#[cfg(target_arch = "x86_64")]
fn detected(name: &str) -> Option<bool> {
    macro_rules! table {
        ($($feature:tt)*) => {
            match name {
                $($feature => Some(std::arch::is_x86_feature_detected!($feature)),)*
                _ => None,
            }
        };
    }
    table! {
        "adx" "aes" "avx" "avx2" "avx512bf16" "avx512bitalg" "avx512bw" "avx512cd" "avx512dq" "avx512f"
        "avx512fp16" "avx512ifma" "avx512vbmi" "avx512vbmi2" "avx512vl" "avx512vnni" "avx512vp2intersect"
        "avx512vpopcntdq" "avxifma" "avxneconvert" "avxvnni" "avxvnniint16" "avxvnniint8" "bmi1" "bmi2"
        "cmpxchg16b" "f16c" "fma" "fxsr" "gfni" "kl" "lzcnt" "movbe" "pclmulqdq" "popcnt" "rdrand" "rdseed" "sha"
        "sha512" "sm3" "sm4" "sse" "sse2" "sse3" "sse4.1" "sse4.2" "sse4a" "ssse3" "tbm" "vaes" "vpclmulqdq"
        "widekl" "xsave" "xsavec" "xsaveopt" "xsaves"
    }
}

#[cfg(target_arch = "aarch64")]
fn detected(name: &str) -> Option<bool> {
    macro_rules! table {
        ($($feature:tt)*) => {
            match name {
                $($feature => Some(std::arch::is_aarch64_feature_detected!($feature)),)*
                _ => None,
            }
        };
    }
    table! {
        "aes" "bf16" "bti" "crc" "dit" "dotprod" "dpb" "dpb2" "f32mm" "f64mm" "fcma" "fhm" "flagm" "fp16"
        "frintts" "i8mm" "jsconv" "lse" "lse2" "mte" "neon" "paca" "pacg" "pmull" "rand" "rcpc" "rcpc2" "rdm" "sb"
        "sha2" "sha3" "sm4" "ssbs" "sve" "sve2"
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected(_name: &str) -> Option<bool> {
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        assert!(glibc().unwrap() >= (2, 17));
        assert_eq!(parse_version("2.2.5"), Some((2, 2)));
        assert_eq!(parse_version("PRIVATE"), None);
        assert!(!has_cpu_feature("no-such-feature"));
        #[cfg(target_arch = "x86_64")]
        assert!(has_cpu_feature("sse2") && has_cpu_feature("fxsr"));
    }
}
