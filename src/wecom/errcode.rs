//! WeCom's numbers for what went wrong, and what each lets us do about it.
//!
//! One table, from WeCom's list of global error codes (document 90313) and from what was observed.
//! A number that is in no row is [`Class::Unknown`]: nothing is guessed from a message, whose
//! text changes and names our address.

use super::Fault;
use super::fault::Garbled;
use super::fault::Limit;
use super::fault::Outage;

/// WeCom's number for a quota that is spent.
pub(super) const QUOTA_SPENT: i64 = 45009;

/// Whether WeCom takes the app's secret for a wrong one.
pub(super) fn is_wrong_secret(errcode: i64) -> bool {
    matches!(errcode, 40001 | 40091)
}

/// What can be done about an errcode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// It is absent, for this app: an answer like any other, and remembered.
    Absent(Absence),
    /// WeCom is overloaded.
    Busy,
    /// Too many questions at a time.
    Concurrency,
    /// A person must change something before WeCom serves us.
    Configuration,
    /// Our quota is spent.
    Rate,
    /// The question was refused as it stands.
    Rejected,
    /// The answer would be too large.
    Size,
    /// The token is no longer good.
    Token,
    /// No row of the table.
    Unknown,
}

/// Why there is no meeting to show.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Absence {
    /// It was deleted or called off.
    Gone,
    /// WeCom does not let this app see it.
    NotAccessible,
    /// WeCom knows none of that name.
    NotFound,
}

impl Class {
    /// What can be done about `errcode`.
    pub(super) fn of(errcode: i64) -> Self {
        match errcode {
            40014 | 41001 | 42001 => Self::Token,
            -1 | 6000 | 81026 => Self::Busy,
            QUOTA_SPENT => Self::Rate,
            45033 => Self::Concurrency,
            // A wrong secret, the wrong corp, an address WeCom does not trust, a retired API …
            40001 | 40013 | 40056 | 40091 | 41002 | 41004 | 45031 | 48005 | 50003 | 50006
            | 60020 | 60031 | 90308 | 2_000_002 => Self::Configuration,
            // The app or the corp as a whole may not do this.
            48001..=48004 | 48006 | 301_002 | 400_028 | 400_226 | 680_106 | 730_007 => {
                Self::Configuration
            }
            50002 | 60011 | 730_005 | 730_010 | 730_011 => Self::Absent(Absence::NotAccessible),
            90602 | 730_003 | 730_004 => Self::Absent(Absence::NotFound),
            400_041 | 730_008 => Self::Absent(Absence::Gone),
            40033 | 40035 | 40058 | 40063 | 40206 => Self::Rejected,
            45029 => Self::Size,
            _ => Self::Unknown,
        }
    }

    /// The fault that such an errcode is, where it is no answer: an [`Absence`] means something only
    /// where a meeting was asked for, and a refused token only until it has been renewed.
    pub(super) fn fault(self, errcode: i64) -> Fault {
        match self {
            Self::Absent(_) | Self::Unknown => Fault::Unknown { errcode },
            Self::Busy => Fault::unavailable(Outage::Busy { errcode }),
            Self::Concurrency => Fault::rate_limited(Limit::Concurrency { errcode }),
            Self::Configuration | Self::Token => Fault::Refused { errcode },
            Self::Rate => Fault::rate_limited(Limit::Quota { errcode }),
            Self::Rejected => Fault::Rejected { errcode },
            Self::Size => Fault::Garbled(Garbled::TooLargeForWeCom { errcode }),
        }
    }
}
