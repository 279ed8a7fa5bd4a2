//! A request that only reads, which is all that callers send.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::Method;
use http::request::Parts;

use super::problem::Problem;

/// What a request says besides its path. HEAD is answered as GET is; the server leaves the body out.
pub(super) struct Reading {
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Reading {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        match parts.method {
            Method::GET | Method::HEAD => Ok(Self {
                query: parts.uri.query().map(str::to_owned),
                headers: std::mem::take(&mut parts.headers),
            }),
            _ => Err(Problem::method_not_allowed("GET, HEAD")),
        }
    }
}
