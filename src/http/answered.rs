//! An answer on its way out, and what the log will tell of it.

use bytes::Bytes;
use http::Response;

use super::account::Account;

/// An answer, and what only who answered knows of it.
pub(super) struct Answered {
    pub(super) response: Response<Bytes>,
    pub(super) account: Account,
}
