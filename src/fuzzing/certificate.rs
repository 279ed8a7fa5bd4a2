//! What a certificate calls its holder, whoever made it.

use rustls::pki_types::CertificateDer;

use crate::tls;
use crate::tls::Name;

/// A name is of one kind, and written as settings have it: else it would be that of another, or of
/// nobody, without anybody noticing.
pub(super) fn names(der: &[u8]) {
    let certificate = CertificateDer::from(der);
    for name in tls::names(&certificate) {
        if let Name::Dns(text) = &name {
            assert_eq!(Name::written(text), name);
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let fits = |byte: u8| fits(byte) || b"-_.*".contains(&byte);
            assert!(!text.is_empty() && text.bytes().all(fits), "{text:?}");
        }
    }
}
