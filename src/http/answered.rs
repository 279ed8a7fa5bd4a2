//! An answer on its way out, and what the log will tell of it.

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body_util::Either;
use http_body_util::Full;

use super::account::Account;

/// The body of an answer: bytes that are there already, or what a router made.
pub(super) type Content = Either<Full<Bytes>, Body>;

/// An answer, and what only who answered knows of it.
pub(super) struct Answered {
    pub(super) response: Response<Content>,
    pub(super) account: Account,
}

/// No bytes.
pub(super) fn empty() -> Content {
    Content::Left(Full::default())
}
