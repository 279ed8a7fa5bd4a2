//! TLS, with the public roots built in: an image needs no CA bundle.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// Why TLS cannot be spoken as the settings ask.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file holds something else than certificates, or none.
    #[error("{0} holds no certificates (PEM)")]
    NoCertificates(PathBuf),
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
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|_| TlsError::NoCertificates(file.to_owned()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates in a file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = std::fs::read(file).map_err(|error| TlsError::Unreadable {
        file: file.to_owned(),
        error,
    })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::NoCertificates(file.to_owned())),
    }
}
