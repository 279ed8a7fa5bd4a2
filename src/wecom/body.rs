//! The body of an answer: held and read without taking more than its due.
//!
//! WeCom, or what stands in for it, may send whatever it likes; and what it sends takes far more room
//! once it is read than while it is text. So large bodies are held a few at a time, and those that are
//! large or have many values are read one at a time, off the threads that serve callers. What has more
//! values than any meeting is not read.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use super::Fault;
use super::fault::Garbled;

/// A body up to this is held without asking for a place.
const SMALL_BYTES: usize = 64 * 1024;

/// A small body of no more values than this is read where it arrives: that takes about a millisecond.
const FEW_VALUES: usize = 4 * 1024;

/// Larger bodies that are held at a time.
const LARGE_MAX: usize = 3;

/// Values in an answer, at most. A meeting of 20,000 attendees has fewer; each takes some 100 bytes
/// while it is read.
const VALUES_MAX: usize = 192 * 1024;

/// Where large bodies are held, and where they are read.
#[derive(Debug)]
pub(super) struct Bench {
    held: Arc<Semaphore>,
    read: Arc<Semaphore>,
}

/// A body on its way.
pub(super) struct Arriving<'a> {
    bench: &'a Arc<Bench>,
    bytes_max: u64,
    bytes: Vec<u8>,
    place: Option<OwnedSemaphorePermit>,
}

/// A body that is complete, and was not read yet.
pub(super) struct Body {
    bench: Arc<Bench>,
    bytes: Vec<u8>,
    place: Option<OwnedSemaphorePermit>,
}

impl Bench {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            held: Arc::new(Semaphore::new(LARGE_MAX)),
            read: Arc::new(Semaphore::new(1)),
        })
    }
}

impl<'a> Arriving<'a> {
    /// One that may become so large.
    pub(super) fn new(bench: &'a Arc<Bench>, bytes_max: u64) -> Self {
        Self {
            bench,
            bytes_max,
            bytes: Vec::new(),
            place: None,
        }
    }

    /// Takes the next piece; waits for a place before it becomes a large one.
    pub(super) async fn take(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let length = self.bytes.len() + chunk.len();
        if length as u64 > self.bytes_max {
            return Err(Fault::Garbled(Garbled::TooLarge));
        }
        if length > SMALL_BYTES && self.place.is_none() {
            self.place = permit(&self.bench.held).await;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// That was all.
    pub(super) fn complete(self) -> Body {
        let Self {
            bench,
            bytes,
            place,
            ..
        } = self;
        Body {
            bench: Arc::clone(bench),
            bytes,
            place,
        }
    }
}

impl Body {
    /// What `read` makes of the object that it is.
    pub(super) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(Map<String, Value>) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let Self {
            bench,
            bytes,
            place,
        } = self;
        let values = values_at_most(&bytes);
        if values > VALUES_MAX {
            return Err(Fault::Garbled(Garbled::TooManyValues));
        }
        if place.is_none() && values <= FEW_VALUES {
            return object(&bytes).map(read);
        }
        let turn = permit(&bench.read).await;
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = object(&bytes).map(read);
            drop((turn, place));
            outcome
        });
        match reading.await {
            Ok(outcome) => outcome,
            // A fault of ours is one there, too.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Nobody closes the semaphore: it cannot fail, and if it did, nobody would be kept waiting.
async fn permit(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(semaphore).acquire_owned().await.ok()
}

/// The object that a text is.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, Fault> {
    // A byte order mark is none of the JSON, and may be passed over (RFC 8259, section 8.1).
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    // The message would quote the text.
    let not_json = |_| Fault::Garbled(Garbled::NotJson);
    let object = serde_json::from_slice(text).map_err(not_json);
    let Some(mended) = object.is_err().then(|| mended(text)).flatten() else {
        return object;
    };
    serde_json::from_slice(&mended).map_err(not_json)
}

/// The same with U+FFFD in place of every half of a character: an escape that says nothing without
/// the one beside it (a surrogate), as is left where a title is cut. It is JSON (RFC 8259, section
/// 8.2), and no text. `None` if there is no such half.
fn mended(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::new();
    let mut halves = 0;
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at_checked(start).unwrap_or((rest, &[]));
        let next = escape.get(ESCAPE_BYTES..).unwrap_or_default();
        let (length, is_half) = match (code_unit(escape), code_unit(next)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (2 * ESCAPE_BYTES, false),
            (Some(0xd800..=0xdfff), _) => (ESCAPE_BYTES, true),
            (Some(_), _) => (ESCAPE_BYTES, false),
            (None, _) => (2, false),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, &[]));
        mended.extend(before);
        mended.extend(if is_half { br"\ufffd" } else { escape });
        halves += usize::from(is_half);
        rest = after;
    }
    mended.extend(rest);
    (0 < halves).then_some(mended)
}

/// Bytes of an escape that is written as `\u` and four digits.
const ESCAPE_BYTES: usize = 6;

/// The number in such an escape, if the text begins with one.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.get(..ESCAPE_BYTES)?.strip_prefix(br"\u")?;
    let digits = str::from_utf8(digits).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_number)
}

/// No fewer values than a text of JSON has: each but the outermost stands behind an opening bracket
/// or a comma.
fn values_at_most(text: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_what_only_looks_like_them_is_not() {
        for (text, at_most) in [
            ("7", 1),
            ("{}", 2),
            (r#"{"a":1}"#, 2),
            (r#"{"a":1,"b":[2,3]}"#, 5),
            (r#"{"a":"[,{\",["}"#, 2),
            (r#"{"a\\":[]}"#, 3),
        ] {
            assert_eq!(values_at_most(text.as_bytes()), at_most, "{text}");
        }
    }

    #[test]
    fn half_a_character_costs_no_object() {
        for (written, read) in [
            (r"\ud83d\ude00", "\u{1f600}"),
            (r"a\ud83d", "a\u{fffd}"),
            (r"\uDE00a", "\u{fffd}a"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\ud83d\u4f1a", "\u{fffd}会"),
            (r"\ud83dude00", "\u{fffd}ude00"),
            (r"\\ud83d\ud83d", "\\ud83d\u{fffd}"),
        ] {
            let text = format!(r#"{{"title": "{written}", "{written}": 1}}"#);

            let object = object(text.as_bytes()).expect("an object");

            assert_eq!(object["title"], read, "{written}");
            assert_eq!(object[read], 1, "{written}");
        }
        for written in [r"\ud83", r"\ud83x", r"\", r"\ud83d\x"] {
            let text = format!(r#"{{"title": "\ud83d{written}"}}"#);

            let garbled = Fault::Garbled(Garbled::NotJson);
            assert_eq!(object(text.as_bytes()), Err(garbled), "{written}");
        }
    }

    #[tokio::test]
    async fn as_many_values_are_read_as_a_meeting_has_and_no_more() {
        for (zeros, expected) in [(VALUES_MAX - 3, Ok(1)), (VALUES_MAX, Err(()))] {
            let bench = Bench::new();
            let mut arriving = Arriving::new(&bench, 4 << 20);
            let text = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(zeros));
            arriving.take(text.as_bytes()).await.expect("room");

            let read = arriving.complete().read(|object| object.len()).await;

            let garbled = Fault::Garbled(Garbled::TooManyValues);
            assert_eq!(read, expected.map_err(|()| garbled), "{zeros}");
        }
    }

    #[tokio::test]
    async fn large_bodies_wait_for_a_place_and_small_ones_do_not() {
        let bench = Bench::new();
        let large = vec![b' '; SMALL_BYTES + 1];
        let mut held = Vec::new();
        for _ in 0..LARGE_MAX {
            let mut arriving = Arriving::new(&bench, 4 << 20);
            arriving.take(&large).await.expect("room");
            held.push(arriving.complete());
        }

        let mut one_more = Arriving::new(&bench, 4 << 20);
        let mut small = Arriving::new(&bench, 4 << 20);
        small.take(&large[1..]).await.expect("room");
        let waited = tokio::time::timeout(std::time::Duration::ZERO, one_more.take(&large)).await;
        assert!(waited.is_err(), "it waits");

        held.pop();
        one_more.take(&large).await.expect("room");
    }
}
