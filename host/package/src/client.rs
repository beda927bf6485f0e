//! Registries and the web. The calls block; the runtime that they wait in is this module's own.

use std::fs::File;
use std::future::Future;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use nshot_loader::Hash;
use oci_client::secrets::RegistryAuth;
use semver::Version;

use crate::error::Error;
use crate::info::newest;
use crate::oci::{self, Session};
use crate::package::Package;
use crate::reference::Reference;
use crate::signature::Signature;
use crate::source::Fetched;
use crate::web;

/// How long a server may take to accept a connection, and to send its next bytes.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(20);
/// See [`CONNECT_TIME`].
pub(crate) const READ_TIME: Duration = Duration::from_mins(1);
/// How long a whole transfer may take.
const WHOLE_TIME: Duration = Duration::from_mins(30);
/// Name and version of this program, as servers see it.
pub(crate) const AGENT: &str = concat!("nshot/", env!("CARGO_PKG_VERSION"));

/// Who asks a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Who Docker's configuration says, and nobody where it says nothing: this file, or `config.json` in
    /// `$DOCKER_CONFIG`, else in `~/.docker`. Credential helpers that it names are run.
    Docker(Option<PathBuf>),
    /// Nobody.
    Anonymous,
    /// A user with a password or an access token.
    Password {
        /// The user.
        user: String,
        /// The password or token.
        password: String,
    },
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Docker(path) => f.debug_tuple("Docker").field(path).finish(),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?}, .. }}"),
        }
    }
}

/// What a registry holds after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is, by version.
    pub reference: Reference,
    /// Digest of the manifest, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Whether it was there already.
    pub was_there: bool,
}

/// Speaks to registries and web servers.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    login: Login,
}

impl Client {
    /// Makes a client. Nothing is connected to.
    ///
    /// # Errors
    /// The system gives no resources for it.
    pub fn new(login: Login) -> Result<Self, Error> {
        // Another part of the program may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| failed("start", "the network client", e.to_string()))?;
        Ok(Self { runtime, login })
    }

    /// Sends a package and its signature to a registry, under its version. The same package may be sent again;
    /// a version is never replaced by another content.
    ///
    /// # Errors
    /// The package is damaged or has another version than the reference; the reference has a digest; the version
    /// is there with another content; the registry cannot be reached or refuses.
    pub fn push(&self, bytes: &[u8], signature: Option<&str>, to: &Reference) -> Result<Pushed, Error> {
        let package = Package::open(bytes, "to be pushed")?;
        if let Some(text) = signature {
            Signature::parse(text, &package.file_name())?;
        }
        let wrong = |problem: String| Error::Place { text: to.to_string(), problem };
        if to.digest.is_some() {
            return Err(wrong("a package is sent to a version; its digest follows from it".to_owned()));
        }
        let version = &package.info().version;
        if let Some(found) = to.version.as_ref().filter(|found| *found != version) {
            return Err(wrong(format!("its version is {found}, that of the package {version}")));
        }
        let reference = Reference { version: Some(version.clone()), ..to.clone() };
        let session = self.session("push to", &reference)?;
        self.wait("push to", &reference, oci::push(&session, &package, bytes, signature))
    }

    /// Gets a package and its signature from a registry: by digest, by version, or the newest.
    ///
    /// # Errors
    /// It is not there, is no plugin, is damaged or too large; the registry cannot be reached or refuses.
    pub fn pull(&self, from: &Reference) -> Result<Fetched, Error> {
        let mut reference = from.clone();
        if reference.version.is_none() && reference.digest.is_none() {
            let versions = self.versions(from)?;
            let none = || failed("pull", from, "the repository has no version".to_owned());
            reference.version = Some(newest(&versions).ok_or_else(none)?.clone());
        }
        let session = self.session("pull", &reference)?;
        self.wait("pull", &reference, oci::pull(&session))
    }

    /// The versions in a repository, oldest first. Tags that are no versions are left out.
    ///
    /// # Errors
    /// The registry cannot be reached or refuses.
    pub fn versions(&self, repository: &Reference) -> Result<Vec<Version>, Error> {
        let session = self.session("list", repository)?;
        self.wait("list", repository, oci::versions(&session))
    }

    /// Gets a package from a web server, and its signature if it has one.
    ///
    /// # Errors
    /// The address is wrong or not encrypted; the server cannot be reached or refuses; the file is too large.
    pub fn get(&self, address: &str) -> Result<Fetched, Error> {
        self.wait("get", address, web::get(address))
    }

    fn session(&self, action: &'static str, reference: &Reference) -> Result<Session, Error> {
        let auth = self.auth(&reference.host).map_err(|e| failed(action, reference, e))?;
        Session::new(reference.clone(), auth).map_err(|e| failed(action, reference, e))
    }

    /// Waits for an answer, for a limited time.
    fn wait<T>(
        &self,
        action: &'static str,
        place: &(impl ToString + ?Sized),
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = |_| {
            let seconds = WHOLE_TIME.as_secs();
            failed(action, place, format!("it took more than {seconds} s"))
        };
        self.runtime.block_on(async { tokio::time::timeout(WHOLE_TIME, answer).await }).map_err(late)?
    }

    fn auth(&self, host: &str) -> Result<RegistryAuth, String> {
        match &self.login {
            Login::Anonymous => Ok(RegistryAuth::Anonymous),
            Login::Password { user, password } => Ok(RegistryAuth::Basic(user.clone(), password.clone())),
            Login::Docker(path) => docker_auth(path.clone().or_else(docker_config), host),
        }
    }
}

fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    Some(folder.or_else(|| Some(std::env::home_dir()?.join(".docker")))?.join("config.json"))
}

fn docker_auth(config: Option<PathBuf>, host: &str) -> Result<RegistryAuth, String> {
    let Some(path) = config.filter(|path| path.exists()) else { return Ok(RegistryAuth::Anonymous) };
    let wrong = |e: String| format!("Docker's configuration `{}`: {e}", path.display());
    let file = File::open(&path).map_err(|e| wrong(e.to_string()))?;
    // The name that Docker has for its own registry.
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    match docker_credential::get_credential_from_reader(BufReader::new(file), server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => {
            Err(wrong("it has an identity token, which is not supported; give user and password".to_owned()))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        Err(e) => Err(wrong(e.to_string())),
    }
}

/// A failure without a hint.
pub(crate) fn failed(action: &'static str, place: &(impl ToString + ?Sized), problem: String) -> Error {
    Error::Network { action, place: place.to_string(), problem, hint: None }
}

/// The digest of a manifest or layer.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Hash::of(bytes))
}
