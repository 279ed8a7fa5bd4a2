//! What a lookup comes to: what was found and how it came here, or why nothing can be served.

use std::sync::Arc;
use std::time::Instant;

use super::Cause;
use super::Grounds;
use super::Rule;
use crate::freshness::Answer;
use crate::meeting::view::Views;
use crate::metrics::Lookup;
use crate::wecom::Absent;
use crate::wecom::Fault;

/// What WeCom says of a meeting.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its views; or that there is none to show, as absence is knowledge.
    pub meeting: Result<Arc<Views>, Absent>,
    /// What set how long that is believed.
    pub rule: Rule,
}

/// What was found, and how it came here.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was found.
    pub answer: Answer<Finding>,
    /// How it came here.
    pub source: Source,
}

impl Found {
    /// Whether WeCom was asked for it just now, by whomever.
    pub fn was_asked_for(&self) -> bool {
        matches!(self.source, Source::Collapsed(_) | Source::Fetched(_))
    }

    /// As it is counted.
    pub fn lookup(&self) -> Lookup {
        match self.source {
            Source::Collapsed(_) => Lookup::Collapsed,
            Source::Fetched(_) => Lookup::Miss,
            Source::Remembered(Grounds::Fresh) if self.answer.value.meeting.is_err() => {
                Lookup::Negative
            }
            Source::Remembered(Grounds::Fresh) => Lookup::Hit,
            Source::Remembered(
                Grounds::MaxStale | Grounds::StaleIfError | Grounds::StaleWhileRevalidate,
            )
            | Source::StaleIfError => Lookup::Stale,
        }
    }
}

/// How an answer came here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// WeCom was being asked already, for somebody else.
    Collapsed(Cause),
    /// WeCom was asked, and its answer kept.
    Fetched(Cause),
    /// From memory, on these grounds.
    Remembered(Grounds),
    /// From memory, as WeCom was asked in vain.
    StaleIfError,
}

/// Why nothing can be served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The task that asked broke off: a fault of ours.
    Broken,
    /// More is under way, or more are waiting, than may be.
    Crowded,
    /// WeCom was asked, just now or shortly before, in vain; or is not being asked at present.
    Fault {
        /// Why there is no answer.
        fault: Fault,
        /// Why it was asked.
        cause: Cause,
        /// From when on it is worth asking again.
        until: Instant,
    },
    /// The caller wants no question, and there is nothing without one.
    NotCached,
}
