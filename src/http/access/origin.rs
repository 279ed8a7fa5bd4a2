//! Where requests come from: one connection, as far as it tells who is on it.

use std::sync::Arc;
use std::sync::OnceLock;

use super::certificate::Certificate;
use super::limits::Peer;
use crate::tls::Name;

/// Where requests come from. Clones are of the same connection.
#[derive(Clone, Debug)]
pub(in crate::http) struct Origin {
    peer: Peer,
    /// There once hands were shaken, if the other end shows one.
    certificate: Arc<OnceLock<Certificate>>,
}

impl Origin {
    /// A connection from there. No certificate was shown yet.
    pub(in crate::http) fn at(peer: Peer) -> Self {
        Self {
            peer,
            certificate: Arc::default(),
        }
    }

    /// Notes the certificate that the other end shows. It shows one at most.
    pub(in crate::http) fn note(&self, certificate: impl FnOnce() -> Certificate) {
        self.certificate.get_or_init(certificate);
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// What the certificate calls its holder; nothing where there is none.
    pub(super) fn names(&self) -> &[Name] {
        let certificate = self.certificate.get();
        certificate.map(Certificate::names).unwrap_or_default()
    }
}
