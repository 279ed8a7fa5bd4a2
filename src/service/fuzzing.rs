//! What must be true of how long a meeting is believed, whatever it says of itself.

use std::time::Duration;

use jiff::Timestamp;

use super::FreshFor;
use super::alias;
use super::lifetime::Occasion;
use crate::meeting::Meeting;
use crate::meeting::Moment;
use crate::meeting::Selector;

/// It is not believed for longer than is set, nor past its beginning; and its other name is of the
/// other kind.
pub(crate) fn believed(meeting: &Meeting, selector: &Selector) {
    let fresh_for = FreshFor::default();
    let longest = fresh_for.ended.mul_f64(1.1);
    let asked = Timestamp::UNIX_EPOCH;
    for throw in [0.0, 0.999] {
        let occasion = Occasion { asked, throw };
        let lifetime = fresh_for.meeting(meeting, selector, occasion).span;
        assert!(lifetime <= longest, "{lifetime:?}");
        let start = meeting.start_time.map(Moment::as_unix);
        let to_come = start.and_then(|start| u64::try_from(start).ok());
        if let Some(start) = to_come.filter(|start| 0 < *start) {
            assert!(lifetime <= Duration::from_secs(start), "{lifetime:?}");
        }
    }
    match (selector, alias::other_name(selector, meeting)) {
        (Selector::Code(_), other) => assert!(!matches!(other, Some(Selector::Code(_)))),
        (Selector::Id(_), other) => assert!(!matches!(other, Some(Selector::Id(_)))),
    }
}
