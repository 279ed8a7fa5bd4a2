//! Why WeCom gave us no answer.

use std::time::Duration;

use thiserror::Error;

/// Why WeCom gave us no answer.
///
/// The variants are what a caller of this room can act upon, not a copy of WeCom's list of a
/// thousand codes. None of them carries a URL, a token, a secret or WeCom's `errmsg`: all are safe
/// to log and to show.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// An answer came, and it is none: no JSON object, too large, a redirect, an HTTP 4xx.
    #[error("WeCom's answer is of no use: {0}")]
    Garbled(Garbled),
    /// We are not set up to ask as that app.
    #[error("no app of that name is set up")]
    NoSuchApp,
    /// WeCom has had enough of us. Asking again after the pause may work.
    #[error("WeCom asks us to slow down{}", suffix(*.errcode))]
    RateLimited {
        /// WeCom's number for it; `None` for an HTTP 429.
        errcode: Option<i64>,
        /// How long not to ask.
        pause: Duration,
    },
    /// WeCom will not serve us until a person changes something.
    #[error("WeCom refuses us (errcode {errcode})")]
    Refused {
        /// WeCom's number for it.
        errcode: i64,
    },
    /// WeCom takes the question for a wrong one.
    #[error("WeCom rejects the question (errcode {errcode})")]
    Rejected {
        /// WeCom's number for it.
        errcode: i64,
    },
    /// No answer came in time.
    #[error("WeCom did not answer in time")]
    TimedOut,
    /// WeCom cannot be reached, or says that it cannot answer. Asking again later may work.
    #[error("WeCom is not available{}", suffix(*.errcode))]
    Unavailable {
        /// WeCom's number for it; `None` for a connection that broke or an HTTP 5xx.
        errcode: Option<i64>,
    },
    /// WeCom says something that no document explains.
    #[error("WeCom answers with an unknown error (errcode {errcode})")]
    Unknown {
        /// WeCom's number for it.
        errcode: i64,
    },
}

/// What makes an answer one of no use.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Garbled {
    /// It is no JSON object.
    #[error("it is no JSON object")]
    NotJson,
    /// It lacks a field without which it means nothing.
    #[error("it lacks its {0}")]
    Incomplete(&'static str),
    /// It came with an HTTP status that WeCom does not use.
    #[error("it has the HTTP status {0}")]
    Status(u16),
    /// It is larger than we take (`wecom.max_response_bytes`).
    #[error("it is too large")]
    TooLarge,
    /// It is larger than WeCom sends.
    #[error("it is too large for WeCom (errcode {errcode})")]
    TooLargeForWeCom {
        /// WeCom's number for it.
        errcode: i64,
    },
}

impl Fault {
    /// WeCom's number for it, if it gave one.
    pub fn errcode(&self) -> Option<i64> {
        match *self {
            Self::Garbled(Garbled::TooLargeForWeCom { errcode }) => Some(errcode),
            Self::Garbled(_) | Self::NoSuchApp | Self::TimedOut => None,
            Self::RateLimited { errcode, .. } | Self::Unavailable { errcode } => errcode,
            Self::Refused { errcode } | Self::Rejected { errcode } | Self::Unknown { errcode } => {
                Some(errcode)
            }
        }
    }

    /// Whether only a person can cure it: a wrong secret, an address that WeCom does not trust.
    /// Everything else may pass by itself.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

fn suffix(errcode: Option<i64>) -> String {
    errcode
        .map(|errcode| format!(" (errcode {errcode})"))
        .unwrap_or_default()
}
