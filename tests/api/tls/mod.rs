//! Callers who come in over TLS, and the way to WeCom.

mod handshakes;
mod names;
mod renewal;
mod settings;
mod wecom;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::version::TLS12;
use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wecom_simulator::Simulator;
use wecom_simulator::World;

use crate::certificates::Authority;
use crate::certificates::Identity;
use crate::certificates::caller;
use crate::house::House;
use crate::house::SOON;
use crate::house::morning;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

const ASK: &str = "GET /meetings/m1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A house whose callers come in over TLS.
struct Secured {
    house: House,
    folder: TempDir,
    /// Who vouches for the house.
    ours: Authority,
    /// Who vouches for its callers.
    theirs: Authority,
}

impl Secured {
    /// One whose callers need to show nothing.
    async fn with(settings: &[(&str, &str)]) -> Self {
        Self::furnished(settings, false).await
    }

    /// One whose callers must show a certificate.
    async fn demanding(settings: &[(&str, &str)]) -> Self {
        Self::furnished(settings, true).await
    }

    async fn furnished(settings: &[(&str, &str)], demanding: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        let (ours, theirs) = (Authority::called("ours"), Authority::called("theirs"));
        put(&ours.issue(&["localhost"]), folder.path());
        fs::write(folder.path().join("ca.crt"), theirs.pem()).expect("written");
        let keys = ["cert_file", "key_file", "client_ca_file"];
        let files = ["tls.crt", "tls.key", "ca.crt"].map(|name| path(folder.path(), name));
        let mut all: Vec<_> = keys
            .iter()
            .zip(&files)
            .take(if demanding { 3 } else { 2 })
            .map(|(key, file)| (format!("server.tls.{key}"), file.as_str()))
            .collect();
        all.extend(
            settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), *value)),
        );
        let all: Vec<_> = all
            .iter()
            .map(|(key, value)| (key.as_str(), *value))
            .collect();
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        let house = House::around(wecom, &all, morning());
        house.given_meeting("m1", "446153273", "Standup");
        Self {
            house,
            folder,
            ours,
            theirs,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A caller who trusts the house, and shows that.
    fn caller(&self, shown: Option<&Identity>) -> ClientConfig {
        caller(&self.ours, shown, &VERSIONS)
    }

    async fn connect(&self, caller: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.house.callers).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connecting = TlsConnector::from(Arc::new(caller)).connect(name, stream);
        let connected = tokio::time::timeout(SOON, connecting).await;
        connected.expect("in time")
    }

    /// All that this caller hears who says this.
    async fn say(&self, caller: ClientConfig, what: &str) -> std::io::Result<String> {
        let mut stream = self.connect(caller).await?;
        say(&mut stream, what).await
    }

    async fn is_refused(&self, caller: ClientConfig) -> bool {
        self.say(caller, ASK).await.is_err()
    }
}

/// Puts a certificate where a house has its own.
fn put(identity: &Identity, folder: &Path) {
    fs::write(folder.join("tls.crt"), identity.certificate.pem()).expect("written");
    fs::write(folder.join("tls.key"), identity.key.serialize_pem()).expect("written");
}

fn path(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// All that is heard after this, to the end.
async fn say(stream: &mut TlsStream<TcpStream>, what: &str) -> std::io::Result<String> {
    stream.write_all(what.as_bytes()).await?;
    let mut heard = String::new();
    let hearing = tokio::time::timeout(SOON, stream.read_to_string(&mut heard)).await;
    hearing.expect("closed in time")?;
    Ok(heard)
}

/// The head of one answer that has no body.
async fn head_of_answer(stream: &mut TlsStream<TcpStream>) -> String {
    stream
        .write_all(b"HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut heard = String::new();
    while !heard.ends_with("\r\n\r\n") {
        let byte = tokio::time::timeout(SOON, stream.read_u8()).await;
        heard.push(byte.expect("in time").expect("more").into());
    }
    heard
}
