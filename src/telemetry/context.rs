//! Which trace something belongs to, as a caller tells it (W3C Trace Context).
//!
//! Pure: text in, numbers out.

use std::fmt;
use std::num::NonZeroU64;
use std::num::NonZeroU128;
use std::sync::Arc;

/// The longest `tracestate` that is passed on; of a longer one, nothing is (section 3.3.1.5).
const STATE_BYTES_MAX: usize = 512;

/// The name of a trace. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    pub(super) fn random() -> Self {
        let mut random = std::iter::repeat_with(|| fastrand::u128(..));
        Self(
            random
                .find_map(NonZeroU128::new)
                .unwrap_or(NonZeroU128::MIN),
        )
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// A number that is as random as the trace's: what is drawn from it, everybody draws alike.
    pub(super) fn lot(self) -> u64 {
        u64::try_from(self.0.get() & u128::from(u64::MAX)).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The name of a span in its trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SpanId(NonZeroU64);

impl SpanId {
    pub(super) fn random() -> Self {
        let mut random = std::iter::repeat_with(|| fastrand::u64(..));
        Self(random.find_map(NonZeroU64::new).unwrap_or(NonZeroU64::MIN))
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

/// The span of a caller that a request is part of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parent {
    /// Its trace.
    pub trace_id: TraceId,
    pub(super) span_id: SpanId,
    /// Whether the caller has it collected.
    pub(super) is_sampled: bool,
    /// What others along the way put down for themselves.
    pub(super) state: Option<Arc<str>>,
}

impl Parent {
    /// The one that these fields name: `traceparent`, and `tracestate`. `None` if the first is not as
    /// it should be (section 3.2.2); the second is passed on as it is, or not at all.
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let mut digits = |length| hexadecimal(parts.next()?, length);
        let version = digits(2)?;
        let (trace_id, span_id, flags) = (digits(32)?, digits(16)?, digits(2)?);
        // Later versions may say more, and none is called ff.
        let is_known = version == 0 && parts.next().is_none();
        let is_later = (1..0xff).contains(&version);
        (is_known || is_later).then_some(())?;
        Some(Self {
            trace_id: TraceId(NonZeroU128::new(trace_id)?),
            span_id: SpanId(NonZeroU64::new(u64::try_from(span_id).ok()?)?),
            is_sampled: flags & 1 == 1,
            state: tracestate
                .filter(|state| !state.is_empty() && state.len() <= STATE_BYTES_MAX)
                .map(Arc::from),
        })
    }
}

/// So many digits, in lower case.
fn hexadecimal(text: &str, length: usize) -> Option<u128> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_good = text.len() == length && text.bytes().all(is_digit);
    u128::from_str_radix(text, 16).ok().filter(|_| is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_names_a_trace_and_a_span_and_whether_they_are_collected() {
        for (field, is_sampled) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                true,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                false,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
                true,
            ),
            (
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                true,
            ),
        ] {
            let parent = Parent::read(field, Some("vendor=1")).expect(field);

            assert_eq!(parent.trace_id.to_string(), TRACE, "{field}");
            assert_eq!(
                parent.span_id.to_bytes(),
                0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()
            );
            assert_eq!(parent.is_sampled, is_sampled, "{field}");
            assert_eq!(parent.state.as_deref(), Some("vendor=1"));
        }
    }

    #[test]
    fn a_traceparent_that_is_not_as_it_should_be_names_none() {
        for field in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Parent::read(field, None), None, "{field}");
        }
    }

    #[test]
    fn a_state_that_is_too_long_is_not_passed_on() {
        let field = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (length, is_passed_on) in [(0, false), (1, true), (512, true), (513, false)] {
            let parent = Parent::read(field, Some(&"x".repeat(length))).expect("a parent");

            assert_eq!(parent.state.is_some(), is_passed_on, "{length}");
        }
    }
}
