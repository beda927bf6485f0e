use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::client::Client as Network;
use crate::testing::{fetched, keys, program};
use crate::{Consent, Login, Plugins, Source, Trust};

/// The user `lab` with the password `secret`, as `htpasswd -B` writes it.
const USERS: &str = "lab:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

struct Server {
    child: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A registry on a free port.
fn server(program: &Path, users: Option<&str>) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let (root, list) = (folder.path().join("root"), folder.path().join("users"));
    let mut config = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
         storage: {{ filesystem: {{ rootdirectory: \"{}\" }} }}\nhttp: {{ addr: \"{host}\" }}\n",
        root.display()
    );
    if let Some(users) = users {
        fs::write(&list, users).unwrap();
        let _ = std::fmt::Write::write_fmt(
            &mut config,
            format_args!("auth: {{ htpasswd: {{ realm: tests, path: \"{}\" }} }}\n", list.display()),
        );
    }
    let path = folder.path().join("config.yml");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let server = Server { child, host, _folder: folder };
    for _ in 0..600 {
        if TcpStream::connect(&server.host).is_ok() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the registry does not start");
}

fn registry(users: Option<&str>) -> Option<Server> {
    Some(server(&program("docker-registry", "NSHOT_TEST_REGISTRY")?, users))
}

#[test]
fn a_plugin_goes_to_a_registry_and_comes_back() {
    let Some(server) = registry(None) else { return };
    let client = Network::new(Login::Anonymous).unwrap();
    let (pair, secret) = keys();
    let repository: Reference = format!("oci://{}/tests/calr", server.host).parse().unwrap();
    let missing = client.pull(&repository).unwrap_err().to_string();
    assert!(missing.contains("no such version or repository"), "{missing}");
    let old = fetched("0.1.0", Some(&secret));
    let pushed = client.push(&old.bytes, old.signature.as_deref(), &repository).unwrap();
    assert!(!pushed.was_there && pushed.reference.to_string().ends_with("/tests/calr:0.1.0"));
    let again = client.push(&old.bytes, old.signature.as_deref(), &pushed.reference).unwrap();
    assert!(again.was_there && again.digest == pushed.digest);
    let error = client.push(&old.bytes, None, &repository).unwrap_err();
    assert!(matches!(error, Error::TagTaken { .. }), "{error}");
    let new = fetched("0.2.0", Some(&secret));
    let newer = client.push(&new.bytes, new.signature.as_deref(), &repository).unwrap();
    assert_eq!(client.versions(&repository).unwrap(), [Version::new(0, 1, 0), Version::new(0, 2, 0)]);
    // The newest, a version, a digest.
    let pulled = client.pull(&repository).unwrap();
    assert_eq!((&pulled.bytes, &pulled.signature), (&new.bytes, &new.signature));
    assert_eq!(pulled.digest, Some(newer.digest));
    let text = format!("oci://{}/tests/calr@{}", server.host, pushed.digest);
    let pulled = Source::parse(&text).unwrap().fetch(&client).unwrap();
    assert_eq!((&pulled.bytes, &pulled.signature), (&old.bytes, &old.signature));
    let folder = tempfile::tempdir().unwrap();
    let mut trust = Trust::open(folder.path().join("trust.toml")).unwrap();
    let consent = Consent::Signed { trust: Some(pair.public) };
    let outcome = Plugins::new(folder.path().join("p")).install(&pulled, &consent, &mut trust).unwrap();
    assert_eq!(outcome.installed.record.digest, Some(pushed.digest));
    let wrong: Reference = format!("oci://{}/tests/calr:0.3.0", server.host).parse().unwrap();
    assert!(client.pull(&wrong).unwrap_err().to_string().contains("no such version"));
    assert!(client.push(&old.bytes, None, &wrong).unwrap_err().to_string().contains("its version is 0.3.0"));
}

#[test]
fn a_registry_with_users_asks_for_one() {
    let Some(server) = registry(Some(USERS)) else { return };
    let (_, secret) = keys();
    let file = fetched("0.1.0", Some(&secret));
    let to: Reference = format!("oci://{}/tests/calr", server.host).parse().unwrap();
    let push = |login: Login| {
        Network::new(login)
            .unwrap()
            .push(&file.bytes, file.signature.as_deref(), &to)
            .map_err(|e| e.to_string())
    };
    let login = |password: &str| Login::Password { user: "lab".to_owned(), password: password.to_owned() };
    let error = push(Login::Anonymous).unwrap_err();
    assert!(error.contains("asks who you are") && error.contains("docker login"), "{error}");
    let error = push(login("not-this-one")).unwrap_err();
    assert!(error.contains("refuses the user") && !error.contains("not-this-one"), "{error}");
    let pushed = push(login("secret")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    // `lab:secret`.
    fs::write(&path, format!(r#"{{"auths": {{"{}": {{"auth": "bGFiOnNlY3JldA=="}}}}}}"#, server.host))
        .unwrap();
    let client = Network::new(Login::Docker(Some(path.clone()))).unwrap();
    assert_eq!(client.pull(&pushed.reference).unwrap().bytes, file.bytes);
    fs::write(&path, "{").unwrap();
    let error = client.pull(&pushed.reference).unwrap_err().to_string();
    assert!(error.contains("Docker's configuration"), "{error}");
    let nobody = Network::new(Login::Docker(Some(folder.path().join("none")))).unwrap();
    assert!(nobody.pull(&pushed.reference).unwrap_err().to_string().contains("asks who you are"));
}

#[test]
fn manifests_of_other_things_are_refused() {
    let (_, secret) = keys();
    let file = fetched("0.1.0", Some(&secret));
    let package = Package::open(&file.bytes, "x").unwrap();
    let (good, blobs) = manifest(&package, &file.bytes, file.signature.as_deref());
    assert_eq!(blobs.len(), 3);
    let read = |manifest: &OciImageManifest| layers(&serde_json::to_vec(manifest).unwrap());
    let (layer, signature) = read(&good).unwrap();
    assert_eq!((layer.digest, signature.is_some()), (digest(&file.bytes), true));
    let mut other = good.clone();
    other.artifact_type = None;
    assert!(read(&other).unwrap_err().contains("no nshot plugin"));
    let mut other = good.clone();
    other.layers.push(good.layers[0].clone());
    assert!(read(&other).unwrap_err().contains("two layers"));
    let mut other = good.clone();
    other.layers[1].media_type = "x/\u{1b}y".to_owned();
    assert!(!read(&other).unwrap_err().contains('\u{1b}'));
    let mut other = good.clone();
    other.layers.clear();
    assert!(read(&other).is_err() && layers(b"{").is_err() && layers(b"[]").is_err());
}

/// Answers each connection with the bytes for its path, or 404.
fn web(files: Vec<(String, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = files.iter().find(|(name, _)| name == path);
            let (status, body) = match found {
                Some((name, target)) if name == "/moved.nshot" => {
                    let target = String::from_utf8_lossy(target);
                    (format!("302 Found\r\nLocation: {target}"), &[] as &[u8])
                }
                Some((_, body)) => ("200 OK".to_owned(), body.as_slice()),
                None => ("404 Not Found".to_owned(), &[] as &[u8]),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    host
}

#[test]
fn a_plugin_comes_from_the_web_and_from_a_file() {
    let (_, secret) = keys();
    let file = fetched("0.1.0", Some(&secret));
    let signature = file.signature.clone().unwrap();
    let host = web(vec![
        ("/a/calr.nshot?x=1".to_owned(), file.bytes.clone()),
        ("/a/calr.nshot.minisig?x=1".to_owned(), signature.clone().into_bytes()),
        ("/unsigned.nshot".to_owned(), file.bytes.clone()),
        ("/large.nshot.minisig".to_owned(), vec![b'x'; 10_000]),
        ("/large.nshot".to_owned(), file.bytes.clone()),
        ("/moved.nshot".to_owned(), b"http://10.255.255.1/x".to_vec()),
    ]);
    let client = Network::new(Login::Anonymous).unwrap();
    let get = |text: &str| Source::parse(text).unwrap().fetch(&client).map_err(|e| e.to_string());
    let got = get(&format!("http://{host}/a/calr.nshot?x=1")).unwrap();
    assert_eq!((&got.bytes, &got.signature, got.name.as_str()), (&file.bytes, &file.signature, "calr.nshot"));
    assert_eq!(get(&format!("http://{host}/unsigned.nshot")).unwrap().signature, None);
    for (path, said) in [
        (format!("http://{host}/none.nshot"), "no such file"),
        (format!("http://{host}/large.nshot"), "more than 8192 bytes"),
        (format!("http://{host}/moved.nshot"), "not encrypted"),
        ("http://example.org/x.nshot".to_owned(), "expected `https://`"),
        ("/no/such/file.nshot".to_owned(), "cannot read `/no/such/file.nshot`"),
    ] {
        let error = get(&path).unwrap_err();
        assert!(error.contains(said), "{path}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calr-0.1.0.nshot");
    fs::write(&path, &file.bytes).unwrap();
    assert_eq!(get(path.to_str().unwrap()).unwrap().signature, None);
    fs::write(folder.path().join("calr-0.1.0.nshot.minisig"), &signature).unwrap();
    assert_eq!(get(path.to_str().unwrap()).unwrap().signature, Some(signature));
    for text in ["", "ftp://x/y", "oci://x"] {
        assert!(Source::parse(text).is_err(), "{text}");
    }
}
