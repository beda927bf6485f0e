//! Which libtorch a folder holds, read from its headers: nothing of it is run.

use std::fmt;
use std::path::Path;

/// What the host is written for.
pub(crate) const EXPECTED: Version = Version { major: 2, minor: 13, patch: None };

/// Where the macros stand: since 2.9, and before.
pub(crate) const HEADERS: [&str; 2] =
    ["include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h"];

/// A version of libtorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    /// `None` stands for any.
    patch: Option<u32>,
}

impl Version {
    /// Reads the version of the libtorch in `folder`; `None` if no header tells it.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        HEADERS.iter().find_map(|header| Self::parse(&std::fs::read_to_string(folder.join(header)).ok()?))
    }

    fn parse(header: &str) -> Option<Self> {
        let number = |name: &str| {
            header.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some("#define") && words.next() == Some(name))
                    .then(|| words.next()?.parse().ok())?
            })
        };
        Some(Self {
            major: number("TORCH_VERSION_MAJOR")?,
            minor: number("TORCH_VERSION_MINOR")?,
            patch: number("TORCH_VERSION_PATCH"),
        })
    }

    /// Whether the host can be built with it.
    pub(crate) fn is_expected(self) -> bool {
        (self.major, self.minor) == (EXPECTED.major, EXPECTED.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(formatter, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "#pragma once\n\n/// Major\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n\
        #define TORCH_VERSION_PATCH 0\n#define TORCH_VERSION \\\n  \"2.13.0\"\n";

    #[test]
    fn the_macros_are_read() {
        let version = Version::parse(HEADER).unwrap();
        assert_eq!(version.to_string(), "2.13.0");
        assert!(version.is_expected());
    }

    #[test]
    fn another_minor_version_is_not_expected() {
        let version = Version::parse(&HEADER.replace("MINOR 13", "MINOR 1")).unwrap();
        assert!(!version.is_expected());
    }

    #[test]
    fn a_header_without_numbers_has_no_version() {
        assert_eq!(Version::parse("#include <torch/headeronly/version.h>\n"), None);
        assert_eq!(Version::parse(&HEADER.replace("MAJOR 2", "MAJOR @X@")), None);
    }
}
