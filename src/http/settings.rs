//! How callers and operators come in: `[server]` and `[admin]`.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::setting;
use crate::setting::Flaw;
use crate::tls;
use crate::tls::Credentials;
use crate::tls::TlsError;

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
    /// Whether HTTP/2 is spoken too: in the clear, or, where there is TLS, if a caller chooses it.
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

impl Settings {
    /// Whether callers must show a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.client_ca_file.is_some())
    }

    /// What is spoken over TLS, the best first, by its names in ALPN (RFC 7301).
    pub fn protocols(&self) -> &'static [&'static [u8]] {
        if self.http2 {
            &[b"h2", b"http/1.1"]
        } else {
            &[b"http/1.1"]
        }
    }
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
    /// The files that they name.
    pub fn files(&self) -> Vec<PathBuf> {
        let Self {
            cert_file,
            key_file,
            client_ca_file,
        } = self;
        let ours = [cert_file, key_file].into_iter();
        ours.chain(client_ca_file).cloned().collect()
    }

    /// What the files hold; or every flaw of theirs.
    pub fn read(&self) -> Result<Credentials, Vec<Flaw>> {
        let Self {
            cert_file,
            key_file,
            client_ca_file,
        } = self;
        let chain = read("cert_file", cert_file, tls::certificate_chain);
        let key = read("key_file", key_file, tls::private_key);
        let authorities = client_ca_file.as_deref();
        let authorities = authorities.map(|file| read("client_ca_file", file, tls::authorities));
        match (chain, key, authorities.transpose()) {
            (Ok(chain), Ok(key), Ok(authorities)) => {
                let credentials = Credentials::new(chain, key, authorities);
                credentials.map_err(|error| vec![Flaw::new("key_file", error.to_string())])
            }
            (chain, key, authorities) => {
                let flaws = [chain.err(), key.err(), authorities.err()];
                Err(flaws.into_iter().flatten().collect())
            }
        }
    }
}

/// What a file holds.
fn read<T>(key: &str, file: &Path, read: impl Fn(&Path) -> Result<T, TlsError>) -> Result<T, Flaw> {
    if file.as_os_str().is_empty() {
        return Err(Flaw::new(key, "is missing"));
    }
    read(file).map_err(|error| Flaw::new(key, error.to_string()))
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
