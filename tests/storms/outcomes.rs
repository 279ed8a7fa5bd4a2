//! What callers may be told, by what has happened so far: the contract's table of problems.

use std::collections::BTreeSet;
use std::sync::Mutex;

use wecom_simulator::Api;
use wecom_simulator::Trouble;

/// A status, and the code of the problem if it is one.
pub(crate) type Outcome = (u16, &'static str);

pub(crate) const MEETING: Outcome = (200, "");
pub(crate) const GARBLED: Outcome = (502, "wecom_garbled");
pub(crate) const GONE: Outcome = (410, "meeting_gone");
pub(crate) const NOT_ACCESSIBLE: Outcome = (403, "not_accessible");
pub(crate) const NOT_CACHED: Outcome = (504, "not_cached");
pub(crate) const NOT_FOUND: Outcome = (404, "meeting_not_found");
pub(crate) const OVERLOADED: Outcome = (503, "overloaded");
pub(crate) const RATE_LIMITED: Outcome = (503, "wecom_rate_limited");
pub(crate) const REFUSED: Outcome = (502, "wecom_refused_us");
pub(crate) const REJECTED: Outcome = (400, "rejected_by_wecom");
pub(crate) const TIMEOUT: Outcome = (504, "wecom_timeout");
pub(crate) const UNAVAILABLE: Outcome = (503, "wecom_unavailable");
pub(crate) const UNKNOWN: Outcome = (502, "wecom_unknown_error");

/// What a slow WeCom comes to: who waits too long, and who would.
pub(crate) const SLOW: &[Outcome] = &[TIMEOUT, OVERLOADED];

/// What may have become of a request by now. It only grows: faults are remembered.
#[derive(Debug)]
pub(crate) struct Possible(Mutex<BTreeSet<Outcome>>);

impl Possible {
    /// On a good day: a meeting, or that our own quota is spent.
    pub(crate) fn to_begin_with() -> Self {
        Self(Mutex::new([MEETING, RATE_LIMITED].into()))
    }

    pub(crate) fn add(&self, outcomes: &[Outcome]) {
        self.0.lock().expect("a set").extend(outcomes);
    }

    pub(crate) fn has(&self, outcome: Outcome) -> bool {
        self.0.lock().expect("a set").contains(&outcome)
    }

    pub(crate) fn all(&self) -> Vec<Outcome> {
        self.0.lock().expect("a set").iter().copied().collect()
    }
}

/// What an `errcode` comes to.
pub(crate) fn of_errcode(api: Api, errcode: i32) -> Outcome {
    match (errcode, api) {
        (-1 | 6000 | 81026, _) => UNAVAILABLE,
        (40001 | 40014 | 42001 | 48002 | 60020, _) => REFUSED,
        (45009 | 45033, _) => RATE_LIMITED,
        (45029, _) => GARBLED,
        (90602, Api::GetInfo) => NOT_FOUND,
        (730_005, Api::GetInfo) => NOT_ACCESSIBLE,
        (730_008, Api::GetInfo) => GONE,
        (40035, Api::GetInfo) => REJECTED,
        _ => UNKNOWN,
    }
}

/// What a status comes to.
pub(crate) fn of_status(status: u16) -> Outcome {
    match status {
        429 => RATE_LIMITED,
        500.. => UNAVAILABLE,
        _ => GARBLED,
    }
}

/// A trouble, and what it comes to besides what is right.
#[derive(Clone, Debug)]
pub(crate) struct Blow {
    pub(crate) trouble: Trouble,
    pub(crate) outcomes: Vec<Outcome>,
}
