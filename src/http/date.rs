//! The `Date` of answers (RFC 9110, section 6.6.1), written once a second for all of them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::clock::Clock;

/// A date as HTTP has it, to the second.
#[derive(Debug)]
pub(super) struct Date {
    second: i64,
    text: String,
}

impl Date {
    fn of(now: Timestamp) -> Self {
        // Every moment has one.
        let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        Self {
            second: now.as_second(),
            text: text.unwrap_or_default(),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Knows the date.
#[derive(Debug)]
pub(super) struct Calendar {
    clock: Clock,
    latest: ArcSwap<Date>,
}

impl Calendar {
    pub(super) fn new(clock: Clock) -> Self {
        let latest = ArcSwap::from_pointee(Date::of(clock.wall()));
        Self { clock, latest }
    }

    /// That of this moment.
    pub(super) fn today(&self) -> Arc<Date> {
        let now = self.clock.wall();
        let latest = self.latest.load_full();
        if latest.second == now.as_second() {
            return latest;
        }
        let date = Arc::new(Date::of(now));
        self.latest.store(Arc::clone(&date));
        date
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_date_is_that_of_the_second_in_which_it_is_asked_for() {
        let start = Timestamp::from_millisecond(784_111_777_400).expect("a time");
        let clock = Clock::standing_at(start);
        let calendar = Calendar::new(clock.clone());
        let today = || String::from_utf8(calendar.today().as_bytes().to_vec()).expect("text");
        assert_eq!(today(), "Sun, 06 Nov 1994 08:49:37 GMT");

        clock.advance(Duration::from_millis(599));
        assert_eq!(today(), "Sun, 06 Nov 1994 08:49:37 GMT");
        clock.advance(Duration::from_millis(1));
        assert_eq!(today(), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
