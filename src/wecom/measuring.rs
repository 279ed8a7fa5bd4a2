//! What WeCom answers, and what becomes of it, to be measured.

#![expect(
    clippy::expect_used,
    reason = "where there is nothing to be measured, the run ends"
)]

use std::hint::black_box;

use super::body;
use super::wire;
use super::wire::MeetingInfo;
use crate::meeting::Meeting;
use crate::meeting::Selector;
use crate::meeting::view::Part;
use crate::meeting::view::Views;

/// The sample in WeCom's documents.
const SAMPLE: &[u8] = include_bytes!("../../tests/samples/official-sample.wecom.json");

fn meeting() -> Meeting {
    let selector = Selector::Id("hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg".parse().expect("an id"));
    let object = body::object(black_box(SAMPLE)).expect("an object");
    wire::normalise(MeetingInfo(object), &selector, None)
}

pub(crate) fn normalise() -> Box<dyn FnMut()> {
    Box::new(|| {
        black_box(meeting());
    })
}

pub(crate) fn views() -> Box<dyn FnMut()> {
    let meeting = meeting();
    Box::new(move || {
        black_box(Views::of(&mut meeting.clone()));
    })
}

/// Besides cutting it, what it is cut from is made each time: it is cut once.
pub(crate) fn view() -> Box<dyn FnMut()> {
    let meeting = meeting();
    let everything = [Part::Extra, Part::Phones, Part::Secrets]
        .into_iter()
        .collect();
    Box::new(move || {
        let views = Views::of(&mut meeting.clone());
        black_box(views.text(everything));
    })
}
