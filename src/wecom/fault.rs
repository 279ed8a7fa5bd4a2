//! Why WeCom gave us no answer.

use std::time::Instant;

use thiserror::Error;

/// Why WeCom gave us no answer.
///
/// The variants are what a caller of this room can act upon, not a copy of WeCom's list of a
/// thousand codes. None of them carries a URL, a token, a secret or WeCom's `errmsg`: all are safe
/// to log and to show.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// WeCom was not asked: more questions wait for their turn than can be asked in time.
    #[error("too many questions wait for their turn")]
    Crowded,
    /// An answer came, and it is none: no JSON object, too large, a redirect, an HTTP 4xx.
    #[error("WeCom's answer is of no use: {0}")]
    Garbled(Garbled),
    /// We are not set up to ask as that app.
    #[error("no app of that name is set up")]
    NoSuchApp,
    /// WeCom has had enough of us, or would have, were we to ask.
    #[error("{reason}")]
    RateLimited {
        /// What makes it so.
        reason: Limit,
        /// From when on asking again may work; `None` where that is not known.
        until: Option<Instant>,
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
    #[error("WeCom is not available: {outage}")]
    Unavailable {
        /// What makes it so.
        outage: Outage,
        /// From when on asking again may work; `None` where that is not known.
        until: Option<Instant>,
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
    /// It holds more values than any meeting has.
    #[error("it holds too many values")]
    TooManyValues,
    /// It is larger than WeCom sends.
    #[error("it is too large for WeCom (errcode {errcode})")]
    TooLargeForWeCom {
        /// WeCom's number for it.
        errcode: i64,
    },
}

/// Who says that we ask too much.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Limit {
    /// WeCom: too many questions are under way at a time (45033).
    #[error("WeCom asks us to slow down (errcode {errcode})")]
    Concurrency {
        /// WeCom's number for it.
        errcode: i64,
    },
    /// We ourselves: our own quota is spent, and WeCom was spared the question.
    #[error("our own quota of questions to WeCom is spent")]
    OwnQuota,
    /// WeCom: our quota there is spent (45009), and it is not being asked for a while.
    #[error("WeCom's quota is spent (errcode {errcode})")]
    Quota {
        /// WeCom's number for it.
        errcode: i64,
    },
    /// Something between WeCom and us (HTTP 429).
    #[error("we are asked to slow down with the HTTP status 429")]
    Status429,
}

/// What keeps WeCom from answering.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Outage {
    /// The connection was reset, or cut before the answer was complete.
    #[error("the connection broke")]
    Broken,
    /// WeCom says that it is busy.
    #[error("it is busy (errcode {errcode})")]
    Busy {
        /// WeCom's number for it.
        errcode: i64,
    },
    /// The certificate that was shown is not one that we trust, or has expired.
    #[error("the certificate shown is not trusted")]
    Distrusted,
    /// An HTTP status of 5xx.
    #[error("HTTP status {0}")]
    Status(u16),
    /// No connection could be had: there is no such name, nobody listens, or nothing comes through.
    #[error("no connection could be had")]
    Unreachable,
}

impl Fault {
    /// WeCom's number for it, if it gave one.
    pub fn errcode(&self) -> Option<i64> {
        match *self {
            Self::Garbled(Garbled::TooLargeForWeCom { errcode })
            | Self::RateLimited {
                reason: Limit::Concurrency { errcode } | Limit::Quota { errcode },
                ..
            }
            | Self::Refused { errcode }
            | Self::Rejected { errcode }
            | Self::Unavailable {
                outage: Outage::Busy { errcode },
                ..
            }
            | Self::Unknown { errcode } => Some(errcode),
            Self::Crowded
            | Self::Garbled(_)
            | Self::NoSuchApp
            | Self::RateLimited { .. }
            | Self::TimedOut
            | Self::Unavailable { .. } => None,
        }
    }

    /// Whether only a person can cure it: a wrong secret, an address that WeCom does not trust.
    /// Everything else may pass by itself.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether it may well have passed a moment later: WeCom itself says so (-1: at most three
    /// tries, document 90313; 6000), or a connection broke.
    pub(super) fn is_a_hiccup(&self) -> bool {
        match self {
            Self::Unavailable { outage, .. } => match outage {
                Outage::Broken | Outage::Unreachable => true,
                Outage::Busy { errcode } => matches!(errcode, -1 | 6000),
                Outage::Distrusted | Outage::Status(_) => false,
            },
            Self::Crowded
            | Self::Garbled(_)
            | Self::NoSuchApp
            | Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Rejected { .. }
            | Self::TimedOut
            | Self::Unknown { .. } => false,
        }
    }

    /// Whether it says that WeCom serves nobody, or not us; and not only that one question was odd.
    pub(super) fn is_of_wecom_as_a_whole(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::TimedOut
            | Self::Unavailable { .. } => true,
            Self::Crowded
            | Self::Garbled(_)
            | Self::NoSuchApp
            | Self::Rejected { .. }
            | Self::Unknown { .. } => false,
        }
    }

    /// Whether fewer questions at a time would have helped.
    pub(super) fn is_for_crowding(&self) -> bool {
        let Self::RateLimited { reason, .. } = self else {
            return false;
        };
        matches!(reason, Limit::Concurrency { .. } | Limit::Status429)
    }

    /// From when on asking again may work, where that is known.
    pub fn until(&self) -> Option<Instant> {
        match *self {
            Self::RateLimited { until, .. } | Self::Unavailable { until, .. } => until,
            Self::Crowded
            | Self::Garbled(_)
            | Self::NoSuchApp
            | Self::Refused { .. }
            | Self::Rejected { .. }
            | Self::TimedOut
            | Self::Unknown { .. } => None,
        }
    }

    /// The same, and known to last until then, if it is one of those that pass.
    #[must_use]
    pub(super) fn lasting_until(mut self, moment: Instant) -> Self {
        if let Self::RateLimited { until, .. } | Self::Unavailable { until, .. } = &mut self {
            *until = Some(moment);
        }
        self
    }

    /// A connection that broke, or could not be had.
    pub(super) fn unavailable(outage: Outage) -> Self {
        Self::Unavailable {
            outage,
            until: None,
        }
    }

    /// Too much is asked, and it is not known for how long.
    pub(super) fn rate_limited(reason: Limit) -> Self {
        Self::RateLimited {
            reason,
            until: None,
        }
    }
}
