//! A meeting's names, as they come.

use std::hint::black_box;

use super::Deed;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;

/// Dashes, and full-width digits, as an input method for Chinese writes them.
pub(super) fn code() -> Deed {
    Box::new(|| {
        let code = black_box("446\u{2013}153\u{2013}２７３").parse::<MeetingCode>();
        assert!(black_box(code).is_ok());
    })
}

pub(super) fn id() -> Deed {
    Box::new(|| {
        let id = black_box("hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg").parse::<MeetingId>();
        assert!(black_box(id).is_ok());
    })
}
