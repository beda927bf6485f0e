//! Packages in a registry, as artifacts of the Open Container Initiative.
//!
//! ```text
//! manifest   artifactType application/vnd.nshot.plugin.v1, config empty
//! layer 1    application/vnd.nshot.plugin.v1.tar+zstd       the package
//! layer 2    application/vnd.nshot.plugin.v1.minisig        its signature, if there is one
//! ```

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use semver::Version;
use tokio::io::AsyncWrite;

use crate::SIZE_LIMIT;
use crate::client::{AGENT, CONNECT_TIME, Pushed, READ_TIME, digest, failed};
use crate::error::Error;
use crate::info::Info;
use crate::key::TEXT_LIMIT;
use crate::package::Package;
use crate::reference::{Reference, version_of};
use crate::source::Fetched;
use crate::text::{chain, clean};

const ARTIFACT: &str = "application/vnd.nshot.plugin.v1";
const PACKAGE: &str = "application/vnd.nshot.plugin.v1.tar+zstd";
const SIGNATURE: &str = "application/vnd.nshot.plugin.v1.minisig";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The configuration that an artifact has for want of one.
const EMPTY_CONFIG: &[u8] = b"{}";
/// Tags asked for at once, and how often.
const PAGE: usize = 1000;
const PAGES: usize = 100;

/// A registry, spoken to about one reference.
pub(crate) struct Session {
    client: Client,
    auth: RegistryAuth,
    reference: Reference,
    oci: oci_client::Reference,
}

impl Session {
    pub(crate) fn new(reference: Reference, auth: RegistryAuth) -> Result<Self, String> {
        let plain = if reference.is_loopback() { vec![reference.host.clone()] } else { Vec::new() };
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(plain),
            connect_timeout: Some(CONNECT_TIME),
            read_timeout: Some(READ_TIME),
            user_agent: AGENT,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|e| chain(&e))?;
        let oci = reference.to_oci();
        Ok(Self { client, auth, reference, oci })
    }

    fn fail(&self, action: &'static str) -> impl Fn(OciDistributionError) -> Error {
        let place = self.reference.to_string();
        let anonymous = self.auth == RegistryAuth::Anonymous;
        move |error| {
            let (problem, hint) = explain(&error, anonymous);
            Error::Network { action, place: place.clone(), problem, hint }
        }
    }
}

/// A sentence, and what the user can do.
fn explain(error: &OciDistributionError, anonymous: bool) -> (String, Option<&'static str>) {
    use OciDistributionError as E;
    let denied = match error {
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => true,
        E::ServerError { code, .. } => [401, 403].contains(code),
        E::RequestError(e) => e.status().is_some_and(|s| [401, 403].contains(&s.as_u16())),
        E::RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|e| matches!(e.code, OciErrorCode::Unauthorized | OciErrorCode::Denied)),
        _ => false,
    };
    if denied && anonymous {
        let hint = "give user and password, or log in with `docker login`";
        return ("the registry asks who you are".to_owned(), Some(hint));
    }
    if denied {
        let hint = "user and password may be wrong, or the user may not do this";
        return ("the registry refuses the user".to_owned(), Some(hint));
    }
    if is_missing(error) {
        return ("the registry has no such version or repository".to_owned(), None);
    }
    (chain(error), None)
}

fn is_missing(error: &OciDistributionError) -> bool {
    use OciDistributionError as E;
    use OciErrorCode::{ManifestUnknown, NameUnknown, NotFound};
    match error {
        E::ServerError { code, .. } => *code == 404,
        E::RequestError(e) => e.status() == Some(StatusCode::NOT_FOUND),
        E::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|e| matches!(e.code, ManifestUnknown | NameUnknown | NotFound))
        }
        _ => false,
    }
}

/// Sends a package, its signature, and the manifest last.
pub(crate) async fn push(
    session: &Session,
    package: &Package,
    bytes: &[u8],
    signature: Option<&str>,
) -> Result<Pushed, Error> {
    let Session { client, auth, reference, oci } = session;
    let fail = session.fail("push to");
    client.auth(oci, auth, RegistryOperation::Push).await.map_err(&fail)?;
    let (manifest, blobs) = manifest(package, bytes, signature);
    let manifest = serde_json::to_vec(&manifest);
    let manifest = manifest.map_err(|e| failed("push to", reference, e.to_string()))?;
    let digest = digest(&manifest);
    let pushed = |was_there| Pushed { reference: reference.clone(), digest: digest.clone(), was_there };
    match client.fetch_manifest_digest(oci, auth).await {
        Ok(found) if found == digest => return Ok(pushed(true)),
        Ok(found) => {
            let (place, found) = (reference.to_string(), clean(&found, 80));
            return Err(Error::TagTaken { place, found, expected: digest });
        }
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(fail(error)),
    }
    for (blob, blob_digest) in blobs {
        if !client.blob_exists(oci, &blob_digest).await.map_err(&fail)? {
            client.push_blob(oci, blob, &blob_digest).await.map_err(&fail)?;
        }
    }
    let kind = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
    client.push_manifest_raw(oci, manifest, kind).await.map_err(&fail)?;
    Ok(pushed(false))
}

type Blobs = Vec<(Vec<u8>, String)>;

/// The manifest of a package, and what it speaks of, each with its digest.
fn manifest(package: &Package, bytes: &[u8], signature: Option<&str>) -> (OciImageManifest, Blobs) {
    let mut blobs = Blobs::new();
    let mut describe = |kind: &str, blob: &[u8], title: Option<String>| {
        blobs.push((blob.to_vec(), digest(blob)));
        OciDescriptor {
            media_type: kind.to_owned(),
            digest: digest(blob),
            size: blob.len() as i64,
            annotations: title.map(|title| annotate([("title", title)])),
            ..OciDescriptor::default()
        }
    };
    let config = describe(EMPTY, EMPTY_CONFIG, None);
    let name = package.file_name();
    let mut layers = vec![describe(PACKAGE, bytes, Some(name.clone()))];
    let signed = signature.map(|text| describe(SIGNATURE, text.as_bytes(), Some(name + ".minisig")));
    layers.extend(signed);
    let manifest = OciImageManifest {
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        artifact_type: Some(ARTIFACT.to_owned()),
        annotations: Some(annotations(package.info())),
        config,
        layers,
        ..OciImageManifest::default()
    };
    (manifest, blobs)
}

/// What a registry's pages show.
fn annotations(info: &Info) -> BTreeMap<String, String> {
    let fields = [
        ("title", format!("{}/{}", info.group, info.plugin)),
        ("version", info.version.to_string()),
        ("vendor", info.group.clone()),
        ("authors", info.authors.clone()),
        ("licenses", info.license.clone()),
        ("description", info.description.clone()),
        ("url", info.homepage.clone()),
    ];
    annotate(fields.into_iter().filter(|(_, text)| !text.is_empty()))
}

fn annotate<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> BTreeMap<String, String> {
    let field = |(name, text)| (format!("org.opencontainers.image.{name}"), text);
    fields.into_iter().map(field).collect()
}

/// Gets a package and its signature.
pub(crate) async fn pull(session: &Session) -> Result<Fetched, Error> {
    let Session { client, auth, reference, oci } = session;
    let fail = session.fail("pull");
    client.auth(oci, auth, RegistryOperation::Pull).await.map_err(&fail)?;
    let answer = client.pull_manifest_raw(oci, auth, &[OCI_IMAGE_MEDIA_TYPE]).await;
    let (manifest, digest) = answer.map_err(&fail)?;
    let wrong = |problem: String| failed("pull", reference, problem);
    let (package, signature) = layers(&manifest).map_err(wrong)?;
    let bytes = blob(session, &package, SIZE_LIMIT).await?;
    let signature = match signature {
        Some(layer) => {
            let bytes = blob(session, &layer, TEXT_LIMIT).await?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        None => None,
    };
    let name = reference.to_string();
    let origin = Reference { digest: None, ..reference.clone() }.to_string();
    Ok(Fetched { bytes, signature, name, origin, digest: Some(digest), version: reference.version.clone() })
}

/// The layers of a package and of its signature.
fn layers(manifest: &[u8]) -> Result<(OciDescriptor, Option<OciDescriptor>), String> {
    let manifest: OciImageManifest =
        serde_json::from_slice(manifest).map_err(|e| format!("its manifest is wrong: {e}"))?;
    let kind = manifest.artifact_type.unwrap_or(manifest.config.media_type);
    if kind != ARTIFACT {
        return Err(format!(
            "it is no nshot plugin: its type is `{}`, expected `{ARTIFACT}`",
            clean(&kind, 80)
        ));
    }
    let mut found = (None, None);
    for layer in manifest.layers {
        let place = match layer.media_type.as_str() {
            PACKAGE => &mut found.0,
            SIGNATURE => &mut found.1,
            other => return Err(format!("it has a layer of the unknown type `{}`", clean(other, 80))),
        };
        if place.replace(layer).is_some() {
            return Err("it has two layers of one type".to_owned());
        }
    }
    let package = found.0.ok_or_else(|| format!("it has no layer of the type `{PACKAGE}`"))?;
    Ok((package, found.1))
}

/// The bytes of a layer, compared with its digest and size.
async fn blob(session: &Session, layer: &OciDescriptor, limit: u64) -> Result<Vec<u8>, Error> {
    let wrong = |problem: String| failed("pull", &session.reference, problem);
    let size = u64::try_from(layer.size).unwrap_or(u64::MAX);
    if size > limit {
        return Err(wrong(format!("a layer has {} bytes; expected at most {limit}", layer.size)));
    }
    let mut out = Limited { bytes: Vec::new(), limit: size };
    // By the digest alone: a layer's own addresses are not followed.
    let pulled = session.client.pull_blob(&session.oci, layer.digest.as_str(), &mut out).await;
    pulled.map_err(session.fail("pull"))?;
    if out.bytes.len() as u64 != size || digest(&out.bytes) != layer.digest {
        let (found, expected) = (digest(&out.bytes), clean(&layer.digest, 80));
        return Err(wrong(format!(
            "a layer of {} bytes has the digest {found}; expected {size} bytes, {expected}",
            out.bytes.len()
        )));
    }
    Ok(out.bytes)
}

/// Bytes that do not become more than announced.
struct Limited {
    bytes: Vec<u8>,
    limit: u64,
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        if (self.bytes.len() + more.len()) as u64 > self.limit {
            let text = format!("a layer has more than the {} bytes that it should have", self.limit);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, text)));
        }
        self.bytes.extend_from_slice(more);
        Poll::Ready(Ok(more.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The versions of a repository, oldest first.
pub(crate) async fn versions(session: &Session) -> Result<Vec<Version>, Error> {
    let Session { client, auth, oci, .. } = session;
    let fail = session.fail("list");
    client.auth(oci, auth, RegistryOperation::Pull).await.map_err(&fail)?;
    let mut versions = Vec::new();
    let mut last: Option<String> = None;
    for _ in 0..PAGES {
        let page = client.list_tags(oci, auth, Some(PAGE), last.as_deref()).await.map_err(&fail)?;
        versions.extend(page.tags.iter().filter_map(|tag| version_of(tag)));
        let end = page.tags.last().filter(|tag| page.tags.len() >= PAGE && last.as_ref() != Some(*tag));
        let Some(end) = end else { break };
        last = Some(end.clone());
    }
    versions.sort_unstable();
    versions.dedup();
    Ok(versions)
}

#[cfg(test)]
#[path = "oci_tests.rs"]
mod tests;
