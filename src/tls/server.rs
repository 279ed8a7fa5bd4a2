//! TLS for a server. What it shows and asks for can be renewed while it serves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio::net::TcpStream;
use tokio_rustls::Accept;
use tokio_rustls::TlsAcceptor;

use super::credentials;
use super::credentials::Credentials;
use crate::clock::Clock;

/// What connections are begun with.
#[derive(Debug)]
pub struct Server {
    /// At present: who comes next is met with it.
    current: ArcSwap<ServerConfig>,
    protocols: Vec<Vec<u8>>,
    clock: Clock,
}

impl Server {
    /// Shows these credentials, and speaks these protocols (ALPN, RFC 7301) over TLS.
    pub fn new(credentials: Credentials, protocols: &[&[u8]], clock: Clock) -> Self {
        let protocols: Vec<_> = protocols.iter().map(|name| name.to_vec()).collect();
        let config = config(credentials, protocols.clone(), &clock);
        Self {
            current: ArcSwap::from_pointee(config),
            protocols,
            clock,
        }
    }

    /// Shows these credentials from now on. Connections that are there stay as they are.
    pub fn renew(&self, credentials: Credentials) {
        let config = config(credentials, self.protocols.clone(), &self.clock);
        self.current.store(Arc::new(config));
    }

    /// Begins TLS on a connection.
    pub fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(self.current.load_full()).accept(stream)
    }
}

/// A certificate that is out of its time is shown all the same: some callers may not mind, and those
/// who do fare no worse than if nobody were there.
fn config(credentials: Credentials, protocols: Vec<Vec<u8>>, clock: &Clock) -> ServerConfig {
    if let Some(why) = credentials.out_of_time(clock.wall()) {
        tracing::warn!("the certificate that callers are shown {why}: many will not take it");
    }
    let mut config = credentials.config;
    config.alpn_protocols = protocols;
    config.time_provider = Arc::new(Wall(clock.clone()));
    config
}

/// Tells TLS how late it is.
#[derive(Debug)]
struct Wall(Clock);

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        credentials::unix_time(self.0.wall())
    }
}
