//! How WeCom is asked, and how it says no. Knows no answer.

mod call;
mod errcode;

pub(crate) use self::call::Call;
pub(crate) use self::call::Key;
pub(crate) use self::call::Question;
pub use self::errcode::EGRESS_ADDRESS;
pub(crate) use self::errcode::Errcode;
pub use self::errcode::HINT;

/// One of WeCom's APIs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    /// `POST /cgi-bin/meeting/get_info`
    GetInfo,
    /// `GET /cgi-bin/gettoken`
    GetToken,
}
