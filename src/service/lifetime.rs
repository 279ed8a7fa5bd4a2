//! How long an answer is believed: `[cache.fresh_for]`.

use std::time::Duration;

use serde::Deserialize;

use crate::meeting::Meeting;
use crate::meeting::Selector;
use crate::meeting::Status;
use crate::setting;

/// How long an answer is believed, by what it says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreshFor {
    /// A meeting that is to come.
    #[serde(deserialize_with = "setting::span")]
    pub not_started: Duration,
    /// A meeting that is being held.
    #[serde(deserialize_with = "setting::span")]
    pub in_progress: Duration,
    /// A meeting that was held.
    #[serde(deserialize_with = "setting::span")]
    pub ended: Duration,
    /// A meeting that was called off.
    #[serde(deserialize_with = "setting::span")]
    pub cancelled: Duration,
    /// A meeting whose time passed.
    #[serde(deserialize_with = "setting::span")]
    pub expired: Duration,
    /// A meeting of a status that no document explains, or of none.
    #[serde(deserialize_with = "setting::span")]
    pub unknown: Duration,
    /// At most, for what was asked by code: a number is handed on to other meetings.
    #[serde(deserialize_with = "setting::span")]
    pub by_code_max: Duration,
    /// "No such meeting".
    #[serde(deserialize_with = "setting::span")]
    pub absent: Duration,
    /// That WeCom gave no answer.
    #[serde(deserialize_with = "setting::span")]
    pub fault: Duration,
}

impl Default for FreshFor {
    fn default() -> Self {
        Self {
            not_started: Duration::from_secs(60),
            in_progress: Duration::from_secs(10),
            ended: Duration::from_secs(600),
            cancelled: Duration::from_secs(600),
            expired: Duration::from_secs(60),
            unknown: Duration::from_secs(10),
            by_code_max: Duration::from_secs(30),
            absent: Duration::from_secs(10),
            fault: Duration::from_secs(1),
        }
    }
}

impl FreshFor {
    /// How long to believe `meeting`, which was found by `selector`.
    pub(super) fn meeting(&self, meeting: &Meeting, selector: &Selector) -> Duration {
        let by_status = match meeting.status {
            Some(Status::NotStarted) => self.not_started,
            Some(Status::InProgress) => self.in_progress,
            Some(Status::Ended) => self.ended,
            Some(Status::Cancelled) => self.cancelled,
            Some(Status::Expired) => self.expired,
            Some(Status::Unknown) | None => self.unknown,
        };
        self.at_most(by_status, selector)
    }

    /// How long to believe that there is no meeting behind `selector`.
    pub(super) fn absence(&self, selector: &Selector) -> Duration {
        self.at_most(self.absent, selector)
    }

    fn at_most(&self, duration: Duration, selector: &Selector) -> Duration {
        match selector {
            Selector::Code(_) => duration.min(self.by_code_max),
            Selector::Id(_) => duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_is_believed_by_its_status_and_by_its_number_not_for_long() {
        let fresh_for = FreshFor::default();
        let id = Selector::Id("m1".parse().expect("an id"));
        let code = Selector::Code("446153273".parse().expect("a code"));
        for (status, by_id_s, by_code_s) in [
            (Some(Status::NotStarted), 60, 30),
            (Some(Status::InProgress), 10, 10),
            (Some(Status::Ended), 600, 30),
            (Some(Status::Cancelled), 600, 30),
            (Some(Status::Expired), 60, 30),
            (Some(Status::Unknown), 10, 10),
            (None, 10, 10),
        ] {
            let meeting = Meeting {
                status,
                ..Meeting::default()
            };
            let seconds = |selector| fresh_for.meeting(&meeting, selector).as_secs();
            assert_eq!(
                (seconds(&id), seconds(&code)),
                (by_id_s, by_code_s),
                "{status:?}"
            );
        }
    }
}
