//! Places in a registry: `oci://host/repository:tag` and `oci://host/repository@sha256:…`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use nshot_loader::Hash;
use semver::Version;

use crate::error::Error;

/// A place in a registry. Tags are versions; without tag and digest, the newest version is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Name of the registry, with its port.
    pub host: String,
    /// The repository: one for each plugin.
    pub repository: String,
    /// The version.
    pub version: Option<Version>,
    /// Digest of the manifest, `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.repository)?;
        if let Some(version) = &self.version {
            write!(f, ":{}", tag(version))?;
        }
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|problem| Error::Place { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    let expected = "expected `oci://HOST/REPOSITORY:VERSION` or `oci://HOST/REPOSITORY@sha256:DIGEST`";
    let rest = text.strip_prefix("oci://").ok_or(expected)?;
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (rest, None),
    };
    if let Some(digest) = &digest {
        let hash = digest.strip_prefix("sha256:").and_then(|hash| hash.parse::<Hash>().ok());
        hash.ok_or("expected `sha256:` and 64 hexadecimal digits in lower case after `@`")?;
    }
    let (host, rest) = rest.split_once('/').ok_or(expected)?;
    let (repository, version) = match rest.rsplit_once(':') {
        Some((repository, tag)) => {
            let version = version_of(tag);
            (repository, Some(version.ok_or("its tag is no semantic version, such as `1.2.0`")?))
        }
        None => (rest, None),
    };
    // Without these a host would be taken for a part of the repository.
    if host != "localhost" && !host.contains(['.', ':']) {
        return Err("its host has no `.` or port".to_owned());
    }
    let reference = Reference { host: host.to_owned(), repository: repository.to_owned(), version, digest };
    let whole: oci_client::Reference =
        format!("{host}/{repository}").parse().map_err(|e| format!("{e}; {expected}"))?;
    if whole.registry() != host || whole.repository() != repository {
        return Err(expected.to_owned());
    }
    Ok(reference)
}

/// The tag of a version: tags have no `+`, and versions no `_`.
pub(crate) fn tag(version: &Version) -> String {
    version.to_string().replace('+', "_")
}

/// The version of a tag, if it is one.
pub(crate) fn version_of(tag: &str) -> Option<Version> {
    Version::parse(&tag.replace('_', "+")).ok()
}

impl Reference {
    /// Whether the registry is on this machine, so that it may be spoken to without encryption.
    pub fn is_loopback(&self) -> bool {
        is_loopback(host_name(&self.host))
    }

    /// As the client takes it, by digest if there is one.
    pub(crate) fn to_oci(&self) -> oci_client::Reference {
        let (host, repository) = (self.host.clone(), self.repository.clone());
        match (&self.digest, &self.version) {
            (Some(digest), _) => oci_client::Reference::with_digest(host, repository, digest.clone()),
            (None, Some(version)) => oci_client::Reference::with_tag(host, repository, tag(version)),
            (None, None) => oci_client::Reference::with_tag(host, repository, "latest".to_owned()),
        }
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        let digest = format!("sha256:{}", Hash::of(b""));
        for text in [
            "oci://ghcr.io/group/plugins/calr:1.2.0",
            "oci://localhost/calr",
            "oci://127.0.0.1:5000/g/calr:1.0.0-rc.1_build.7",
            &format!("oci://registry.example.org/g/calr@{digest}"),
            &format!("oci://registry.example.org/g/calr:1.0.0@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let reference: Reference = "oci://h.org/a:1.0.0_b.1".parse().unwrap();
        assert_eq!(reference.version, Some(Version::parse("1.0.0+b.1").unwrap()));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "oci://",
            "oci://ghcr.io",
            "oci://ghcr.io/",
            "oci://group/calr:1.0.0",
            "oci://ghcr.io/Group/calr",
            "oci://ghcr.io/calr:latest",
            "oci://ghcr.io/calr@sha256:12",
            "oci://ghcr.io/calr@md5:12",
            "oci://user:password@ghcr.io/calr:1.0.0",
            "oci://ghcr.io/../calr",
            "oci://ghcr.io/a b",
            "ghcr.io/calr:1.0.0",
            "oci://ghcr.io/calr?x#y",
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains("is no place"), "{text}: {error}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org:5000", false),
            ("10.0.0.1:5000", false),
        ] {
            let text = format!("oci://{host}/calr");
            assert_eq!(text.parse::<Reference>().unwrap().is_loopback(), expected, "{host}");
        }
    }
}
