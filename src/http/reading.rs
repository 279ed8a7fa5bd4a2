//! Requests that only read, which is all that callers send.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::Method;
use http::request::Parts;

use super::problem::Problem;

/// Whether a method only reads. HEAD is answered as GET is; the server leaves the body out.
pub(super) fn check(method: &Method) -> Result<(), Problem> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::method_not_allowed("GET, HEAD")),
    }
}

/// A request that only reads.
pub(super) struct Reading {
    pub(super) headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Reading {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        check(&parts.method)?;
        Ok(Self {
            headers: std::mem::take(&mut parts.headers),
        })
    }
}
