//! How callers and operators come in: `[server]` and `[admin]`.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::setting;
use crate::setting::Flaw;

/// How callers come in.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where.
    #[serde(deserialize_with = "setting::address")]
    pub listen: SocketAddr,
    /// How long a caller waits at most.
    #[serde(deserialize_with = "setting::limit")]
    pub request_timeout: Duration,
    /// How long the head of a request may take.
    #[serde(deserialize_with = "setting::limit")]
    pub head_timeout: Duration,
    /// How long a connection may rest between requests. Longer than a gateway keeps its own.
    #[serde(deserialize_with = "setting::limit")]
    pub idle_timeout: Duration,
    /// Connections at a time.
    #[serde(deserialize_with = "setting::count")]
    pub max_connections: u32,
    /// Whether HTTP/2 is spoken too, in the clear.
    pub http2: bool,
    /// How long to go on serving after SIGTERM, while gateways learn that we are leaving.
    #[serde(deserialize_with = "setting::span")]
    pub drain_delay: Duration,
    /// How long to finish what is under way, after that.
    #[serde(deserialize_with = "setting::span")]
    pub drain_timeout: Duration,
    /// Certificates, where callers come in over TLS.
    pub tls: Option<TlsSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            request_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            max_connections: 10_000,
            http2: false,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            tls: None,
        }
    }
}

/// Certificates, where callers come in over TLS. A path that is empty was left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// Ours, and those that vouch for it (PEM).
    pub cert_file: PathBuf,
    /// The key of ours (PEM).
    pub key_file: PathBuf,
    /// Who vouches for callers (PEM). When set, callers must show a certificate.
    pub client_ca_file: Option<PathBuf>,
}

impl TlsSettings {
    /// The files that are missing or cannot be read.
    pub fn flaws(&self) -> Vec<Flaw> {
        let Self {
            cert_file,
            key_file,
            client_ca_file,
        } = self;
        let files = [
            ("cert_file", Some(cert_file)),
            ("key_file", Some(key_file)),
            ("client_ca_file", client_ca_file.as_ref()),
        ];
        let unreadable = |(key, file): (&str, Option<&PathBuf>)| {
            let file = file?;
            if file.as_os_str().is_empty() {
                return Some(Flaw::new(key, "is missing"));
            }
            let error = std::fs::read(file).err()?;
            Some(Flaw::new(key, format!("read {}: {error}", file.display())))
        };
        files.into_iter().filter_map(unreadable).collect()
    }
}

/// How operators come in.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// Where. Not for callers: who can reach it is taken for an operator.
    #[serde(deserialize_with = "setting::address")]
    pub listen: SocketAddr,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9090).into(),
        }
    }
}

impl AdminSettings {
    /// What is wrong with them, given where callers come in.
    pub fn flaws(&self, callers: SocketAddr) -> Vec<Flaw> {
        let (ours, theirs) = (self.listen, callers);
        let same_port = ours.port() == theirs.port() && ours.port() != 0;
        let everywhere = ours.ip().is_unspecified() || theirs.ip().is_unspecified();
        let taken = same_port && (everywhere || ours.ip() == theirs.ip());
        taken
            .then(|| Flaw::new("listen", "server.listen has that port already"))
            .into_iter()
            .collect()
    }
}
