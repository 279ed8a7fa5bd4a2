//! What a certificate calls its holder (RFC 5280, section 4.2.1.6).

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// A name in a certificate. A name of one kind is never one of the other, however it is spelled.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Name {
    /// Of DNS, whose case means nothing: in lower case.
    Dns(String),
    /// A URI, as it is spelled.
    Uri(String),
}

impl Name {
    /// The name that people mean who write this: with a colon in it, a URI.
    pub fn written(text: &str) -> Self {
        if text.contains(':') {
            Self::Uri(text.to_owned())
        } else {
            Self::Dns(text.to_ascii_lowercase())
        }
    }
}

/// The names in a certificate, of the kinds that we know. Whether to believe it was decided before.
pub fn names(certificate: &CertificateDer<'_>) -> Vec<Name> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let dns = certificate.valid_dns_names().map(str::to_ascii_lowercase);
    let uris = certificate.valid_uri_names().map(str::to_owned);
    dns.map(Name::Dns).chain(uris.map(Name::Uri)).collect()
}
