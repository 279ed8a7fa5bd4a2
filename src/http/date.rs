//! The `Date` of answers (RFC 9110, section 6.6.1), written once a second for all of them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

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
pub(super) struct Calendar(ArcSwap<Date>);

impl Calendar {
    pub(super) fn new(now: Timestamp) -> Self {
        Self(ArcSwap::from_pointee(Date::of(now)))
    }

    /// That of this moment.
    pub(super) fn at(&self, now: Timestamp) -> Arc<Date> {
        let Self(latest) = self;
        let known = latest.load_full();
        if known.second == now.as_second() {
            return known;
        }
        let date = Arc::new(Date::of(now));
        latest.store(Arc::clone(&date));
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
        let calendar = Calendar::new(start);
        for (milliseconds, expected) in [
            (0, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (599, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (600, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (0, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            let date = calendar.at(start + Duration::from_millis(milliseconds));
            assert_eq!(date.as_bytes(), expected.as_bytes());
        }
    }
}
