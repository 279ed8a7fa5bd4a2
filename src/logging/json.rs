//! How a line is written for machines: one object of JSON, its fields side by side.
//!
//! Each is written where it stands in the line, in one pass: the line of a request is much of what a
//! hit costs beyond the bytes it sends. Knows no span; none stands in a line.

use std::cell::Cell;
use std::fmt;
use std::fmt::Write;

use jiff::Timestamp;
use tracing::Event;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::paper::Paper;
use crate::clock::Clock;
use crate::clock::Seconds;

/// Bytes of nearly every line. The memory of a longer one is given back.
const LINE_BYTES: usize = 1024;

thread_local! {
    /// The memory of the line before.
    static SPARE: Cell<String> = const { Cell::new(String::new()) };
}

/// Writes lines as JSON.
pub(super) struct Json {
    paper: Paper,
    clock: Clock,
    seconds: Seconds,
}

impl Json {
    /// Onto that paper.
    pub(super) fn new(paper: Paper, clock: Clock) -> Self {
        Self {
            paper,
            seconds: Seconds::new(second, clock.wall()),
            clock,
        }
    }
}

impl<S: Subscriber> Layer<S> for Json {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line(SPARE.take());
        line.0.reserve(LINE_BYTES);
        line.text("{\"timestamp\":\"");
        line.moment(self.clock.wall(), &self.seconds);
        line.text("\",\"level\":\"");
        line.text(metadata.level().as_str());
        line.text("\"");
        event.record(&mut line);
        // A path of words.
        line.text(",\"target\":\"");
        line.text(metadata.target());
        line.text("\"}\n");
        let Line(mut line) = line;
        self.paper.leave(line.as_bytes());
        if line.capacity() <= LINE_BYTES {
            line.clear();
            SPARE.set(line);
        }
    }
}

/// A moment as RFC 3339 has it, to the second, without what follows.
fn second(moment: Timestamp) -> String {
    moment.strftime("%FT%T").to_string()
}

/// A line that is being written.
struct Line(String);

impl Line {
    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// As RFC 3339 has it, to the microsecond.
    fn moment(&mut self, moment: Timestamp, seconds: &Seconds) {
        self.text(&seconds.name(moment));
        self.text(".");
        let microseconds = moment.subsec_nanosecond().unsigned_abs() / 1_000;
        // All six digits, behind another.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(1_000_000 + microseconds).get(1..);
        self.text(digits.unwrap_or_default());
        self.text("Z");
    }

    /// A name of ours: words and dots.
    fn name(&mut self, field: &Field) {
        self.text(",\"");
        self.text(field.name());
        self.text("\":");
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        self.escaped(text);
        self.0.push('"');
    }

    /// Text as it stands between the quotes of a string (RFC 8259, section 7).
    fn escaped(&mut self, text: &str) {
        // Most has nothing to be escaped.
        if is_plain(text.as_bytes()) {
            self.text(text);
        } else {
            text.chars().for_each(|letter| self.letter(letter));
        }
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '"' | '\\' => self.0.extend(['\\', letter]),
            '\n' => self.text("\\n"),
            '\0'..' ' => {
                self.text("\\u00");
                let code = u32::from(letter);
                let digits = [code >> 4, code & 0xf];
                let digits = digits.map(|digit| char::from_digit(digit, 16).unwrap_or('0'));
                self.0.extend(digits);
            }
            _ => self.0.push(letter),
        }
    }
}

/// Whether nothing in a text must be escaped. Looks at eight bytes at a time, and at the last once more.
fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else {
        return text
            .iter()
            .all(|byte| !matches!(byte, ..b' ' | b'"' | b'\\'));
    };
    let (eights, _) = text.as_chunks();
    let found = eights
        .iter()
        .fold(odd(*last), |found, &eight| found | odd(eight));
    found & each(0x80) == 0
}

/// Eight bytes side by side in a number, each with its highest bit set if it must be escaped. It may be
/// set in others too, but only where there is such a one.
fn odd(bytes: [u8; 8]) -> u64 {
    let bytes = u64::from_ne_bytes(bytes);
    let below = |bytes: u64, bound| bytes.wrapping_sub(each(bound)) & !bytes;
    let controls = below(bytes, b' ');
    let quotes = below(bytes ^ each(b'"'), 1);
    let backslashes = below(bytes ^ each(b'\\'), 1);
    controls | quotes | backslashes
}

/// Eight times this byte.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// What others write between the quotes of a string.
impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escaped(text);
        Ok(())
    }
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        self.text(if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.0.push('"');
        // Where it fails to say what it is, it has said less.
        let _ = write!(self, "{value:?}");
        self.0.push('"');
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        if value.is_finite() {
            self.text(zmij::Buffer::new().format_finite(value));
        } else {
            self.text("null");
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        self.text(itoa::Buffer::new().format(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.quoted(value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.text(itoa::Buffer::new().format(value));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_byte_that_must_be_escaped_is_seen_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let must = matches!(byte, ..b' ' | b'"' | b'\\');
            for length in 1..20 {
                for place in 0..length {
                    let mut text = vec![b'~'; length];
                    text[place] = byte;
                    assert_eq!(is_plain(&text), !must, "{byte} at {place} of {length}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    proptest! {
        #[test]
        fn any_text_is_read_again_as_it_was_written(text in any::<String>()) {
            let mut line = Line(String::new());

            line.quoted(&text);

            let read: String = serde_json::from_str(&line.0).expect("a string of JSON");
            prop_assert_eq!(read, text);
        }

        #[test]
        fn a_moment_is_read_again_to_the_microsecond(
            second in 0_i64..253_402_207_200,
            nanosecond in 0..1_000_000_000,
        ) {
            let mut line = Line(String::new());
            let moment = Timestamp::new(second, nanosecond).expect("a moment");

            line.moment(moment, &Seconds::new(super::second, moment));

            let read: Timestamp = line.0.parse().expect("a moment");
            prop_assert_eq!(read.as_microsecond(), moment.as_microsecond());
        }
    }
}
