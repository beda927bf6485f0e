//! Packages on a web server.

use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};

use crate::SIZE_LIMIT;
use crate::client::{AGENT, CONNECT_TIME, READ_TIME, failed};
use crate::error::Error;
use crate::key::TEXT_LIMIT;
use crate::reference::is_loopback;
use crate::source::Fetched;
use crate::text::{chain, clean};

const REDIRECTS: usize = 5;

/// Gets a package and, where there is one, its signature.
pub(crate) async fn get(address: &str) -> Result<Fetched, Error> {
    let wrong = |problem: String| Error::Place { text: address.to_owned(), problem };
    let url = Url::parse(address).map_err(|e| wrong(e.to_string()))?;
    if !is_safe(&url) {
        return Err(wrong("expected `https://`; `http://` is for this machine alone".to_owned()));
    }
    let follow = Policy::custom(|attempt| {
        if attempt.previous().len() > REDIRECTS {
            attempt.error("too many redirects")
        } else if is_safe(attempt.url()) {
            attempt.follow()
        } else {
            attempt.error("it leads to an address that is not encrypted")
        }
    });
    let client = reqwest::Client::builder().user_agent(AGENT).connect_timeout(CONNECT_TIME);
    let client = client.read_timeout(READ_TIME).redirect(follow).build();
    let client = client.map_err(|e| failed("get", address, chain(&e)))?;
    let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut signed = url.clone();
    signed.set_path(&format!("{}.minisig", url.path()));
    let missing = || failed("get", address, "the server has no such file".to_owned());
    let bytes = fetch(&client, url, SIZE_LIMIT).await?.ok_or_else(missing)?;
    let signature = fetch(&client, signed, TEXT_LIMIT).await?;
    let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let origin = address.to_owned();
    Ok(Fetched { bytes, signature, name: clean(&name, 200), origin, digest: None, version: None })
}

fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && url.host_str().is_some_and(is_loopback)
}

/// The bytes of a file, or none if the server has no such file.
async fn fetch(client: &reqwest::Client, url: Url, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let fail = |problem: String| failed("get", &url, problem);
    let response = client.get(url.clone()).send().await.map_err(|e| fail(chain(&e)))?;
    match response.status() {
        StatusCode::OK => read(response, limit).await.map(Some).map_err(fail),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        status => Err(fail(format!("the server answers `{status}`"))),
    }
}

async fn read(mut response: Response, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| chain(&e))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > limit {
            return Err(format!("it has more than {limit} bytes"));
        }
    }
    Ok(bytes)
}
