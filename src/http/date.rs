//! The `Date` of answers (RFC 9110, section 6.6.1).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// A date as HTTP has it, to the second.
pub(super) fn date(now: Timestamp) -> String {
    // Every moment has one.
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_rfc_has_it() {
        let moment = Timestamp::from_millisecond(784_111_777_400).expect("a time");
        assert_eq!(date(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
