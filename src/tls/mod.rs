//! TLS: for clients, with the public roots built in, as an image needs no CA bundle; and for servers,
//! with a certificate that can be renewed while they serve.
//!
//! Knows neither HTTP nor settings: files become what is shown and asked for, and what a certificate
//! calls its holder becomes [`Name`]s.

mod credentials;
mod name;
mod server;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

pub use self::credentials::Credentials;
pub use self::credentials::SigningKey;
pub use self::credentials::certificate_chain;
pub use self::credentials::private_key;
pub use self::name::Name;
pub use self::name::names;
pub use self::server::Server;

/// Why TLS cannot be spoken as the settings ask.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A key is not that of the certificate.
    #[error("is not the key of the certificate")]
    Mismatch,
    /// The file holds something else than certificates, or none.
    #[error("{0} holds no certificates (PEM)")]
    NoCertificates(PathBuf),
    /// The file holds no private key, or one that cannot be used.
    #[error("{0} holds no private key that can be used (PEM: RSA, P-256, P-384, Ed25519)")]
    NoKey(PathBuf),
    /// TLS itself cannot be set up.
    #[error("set up TLS: {0}")]
    Protocol(#[from] rustls::Error),
    /// The file cannot be read.
    #[error("read {file}: {error}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// TLS for a client that trusts the public roots, and those in `ca_file` besides.
pub fn for_clients(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(file) = ca_file {
        roots.roots.extend(authorities(file)?.roots);
    }
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Those who vouch for others, by the certificates in a file; at least one.
pub fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|_| TlsError::NoCertificates(file.to_owned()))?;
    }
    Ok(roots)
}

/// The certificates in a file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::NoCertificates(file.to_owned())),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| TlsError::Unreadable {
        file: file.to_owned(),
        error,
    })
}

/// The one stack of cryptography here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
