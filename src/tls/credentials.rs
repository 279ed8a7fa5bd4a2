//! What a server shows its callers, and what it asks them to show.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::server::NoServerSessionStorage;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use webpki::EndEntityCert;
use webpki::KeyUsage;

use super::TlsError;

/// A private key. It prints neither itself nor anything of it.
#[derive(Clone, Debug)]
pub struct SigningKey(Arc<dyn rustls::sign::SigningKey>);

/// A certificate with those that vouch for it and its key; and whether callers must show one.
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    /// All but what depends on the server: how late it is, and what is spoken over TLS.
    pub(super) config: ServerConfig,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Of a server whose callers show nothing; or, where `authorities` are given, a certificate by
    /// one of those. Fails on a key that is not the certificate's.
    ///
    /// No session is resumed: every connection is judged by what is trusted, and valid, as it begins.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: SigningKey,
        authorities: Option<RootCertStore>,
    ) -> Result<Self, TlsError> {
        let ours = CertifiedKey::new(chain.clone(), key.0);
        ours.keys_match().map_err(|_| TlsError::Mismatch)?;
        let config = ServerConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier(authorities)?);
        let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(ours)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { chain, config })
    }

    /// Why the certificate, or one that vouches for it, is not good at this time; if it is not.
    pub(super) fn out_of_time(&self, now: Timestamp) -> Option<&'static str> {
        let now = unix_time(now)?;
        self.chain
            .iter()
            .find_map(|certificate| out_of_time(certificate, now))
    }
}

fn verifier(
    authorities: Option<RootCertStore>,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let Some(authorities) = authorities else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), super::provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// Nobody is asked who vouches for it, as none is given: whether it has the right age is judged first.
fn out_of_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<&'static str> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let usage = KeyUsage::server_auth();
    let judged = certificate.verify_for_usage(&[], &[], &[], now, usage, None, None);
    let error = judged.err()?;
    if matches!(error, webpki::Error::CertExpired { .. }) {
        return Some("has expired");
    }
    matches!(error, webpki::Error::CertNotValidYet { .. }).then_some("is not valid yet")
}

/// `None` for a time before 1970.
pub(super) fn unix_time(moment: Timestamp) -> Option<UnixTime> {
    let since_epoch = moment.duration_since(Timestamp::UNIX_EPOCH);
    Some(UnixTime::since_unix_epoch(since_epoch.try_into().ok()?))
}

/// The certificates in a file: one that can be shown, and those that vouch for it.
pub fn certificate_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = super::certificates(file)?;
    let well_formed = chain
        .iter()
        .all(|certificate| EndEntityCert::try_from(certificate).is_ok());
    if well_formed {
        Ok(chain)
    } else {
        Err(TlsError::NoCertificates(file.to_owned()))
    }
}

/// The private key in a file: PKCS #8, PKCS #1 or SEC 1.
pub fn private_key(file: &Path) -> Result<SigningKey, TlsError> {
    let pem = super::read(file)?;
    let no_key = || TlsError::NoKey(file.to_owned());
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| no_key())?;
    let key = super::provider().key_provider.load_private_key(key);
    key.map(SigningKey).map_err(|_| no_key())
}
