//! What a caller is called by the certificate of its connection.

use rustls::pki_types::CertificateDer;

use crate::tls;
use crate::tls::Name;

/// The names in a certificate that was verified.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Certificate(Box<[Name]>);

impl Certificate {
    /// What this one calls its holder.
    pub(in crate::http) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(tls::names(certificate).into())
    }

    pub(super) fn names(&self) -> &[Name] {
        &self.0
    }
}

#[cfg(test)]
impl Certificate {
    pub(super) fn from_names(names: impl IntoIterator<Item = Name>) -> Self {
        Self(names.into_iter().collect())
    }
}

#[cfg(test)]
impl From<&[&str]> for Certificate {
    fn from(names: &[&str]) -> Self {
        Self::from_names(names.iter().map(|name| Name::written(name)))
    }
}
