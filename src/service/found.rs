//! What a lookup comes to: what was found and how it came here, or why nothing can be served.

use std::sync::Arc;
use std::time::Instant;

use super::Cause;
use super::Grounds;
use super::Rule;
use crate::cache::Lent;
use crate::freshness::Answer;
use crate::meeting::Selector;
use crate::meeting::view::Views;
use crate::metrics::Lookup;
use crate::wecom::Absent;
use crate::wecom::Fault;
use crate::wecom::Question;

/// What WeCom says of a meeting.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its views; or that there is none to show, as absence is knowledge.
    pub meeting: Result<Arc<Views>, Absent>,
    /// What set how long that is believed.
    pub rule: Rule,
    /// The other name under which it was kept as well.
    pub other_name: Option<Selector>,
}

impl Finding {
    /// Whether both are of one and the same answer of WeCom's.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.meeting, &other.meeting) {
            (Ok(views), Ok(others)) => Arc::ptr_eq(views, others),
            (Err(_) | Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }

    /// The question to which this is the answer too.
    pub(super) fn by_other_name(&self, question: &Question) -> Option<Question> {
        let selector = self.other_name.clone()?;
        Some(Question {
            selector,
            ..question.clone()
        })
    }

    /// Every name that it is known to have.
    pub(super) fn names(&self) -> impl Iterator<Item = Selector> {
        let id = self
            .meeting
            .as_ref()
            .ok()
            .and_then(|views| views.meeting_id());
        let id = id.and_then(|id| id.parse().ok()).map(Selector::Id);
        id.into_iter().chain(self.other_name.clone())
    }

    /// The same, as long as its views are kept elsewhere.
    pub(super) fn lent(&self) -> Lent<Self> {
        let Self {
            meeting,
            rule,
            other_name,
        } = self.clone();
        let meeting = meeting.map(|views| Arc::downgrade(&views));
        Arc::new(move || {
            let meeting = match &meeting {
                Ok(views) => Ok(views.upgrade()?),
                Err(absent) => Err(*absent),
            };
            Some(Self {
                meeting,
                rule,
                other_name: other_name.clone(),
            })
        })
    }
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
        matches!(self.source, Source::Collapsed(_) | Source::Fetched { .. })
    }

    /// As it is counted.
    pub fn lookup(&self) -> Lookup {
        match self.source {
            Source::Collapsed(_) => Lookup::Collapsed,
            Source::Fetched { .. } => Lookup::Miss,
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
    /// WeCom was asked.
    Fetched {
        /// Why.
        cause: Cause,
        /// Whether its answer is kept as it is.
        is_stored: bool,
    },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::kept_bytes;

    #[test]
    fn what_is_kept_of_a_meeting_takes_four_lines_of_the_processors_cache() {
        // The next size that the allocator has is 320.
        assert_eq!(kept_bytes::<Question, Finding, Fault>(), 256);
    }
}
