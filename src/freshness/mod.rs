//! How old an answer is, and whether it may still be believed (RFC 9111, section 4.2).
//!
//! Pure arithmetic: it is told the time, and does not know what the answer is about.
//!
//! ```text
//! asked      arrived              asked + lifetime
//!   |-----------|-------------------------|------------------------------>
//!   | age = 0   |          fresh          | stale: staleness = 0, 1, 2 …
//! ```
//!
//! Age counts from the moment the question was *sent*: what happened at WeCom while the answer
//! was on its way is not in the answer.

use std::time::Duration;
use std::time::Instant;

/// The shortest lifetime, counted from the answer's arrival. A slow WeCom must not make answers
/// that are dead before anybody has seen them.
pub const LIFETIME_MIN: Duration = Duration::from_secs(1);

/// A value, with its age and its lifetime. Of those there may be a great many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer<V> {
    /// What was answered.
    pub value: V,
    asked_at: Instant,
    on_its_way: Span,
    lifetime: Span,
    is_cut_short: bool,
}

/// A [`Duration`] in half the room: of at most 136 years.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    whole_s: u32,
    rest_ns: u32,
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self {
            whole_s: u32::try_from(span.as_secs()).unwrap_or(u32::MAX),
            rest_ns: span.subsec_nanos(),
        }
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::new(span.whole_s.into(), span.rest_ns)
    }
}

impl<V> Answer<V> {
    /// An answer to a question sent at `asked_at` and arrived at `arrived_at`, to be believed
    /// for `fresh_for` from the asking, and at least for [`LIFETIME_MIN`] from the arrival.
    pub fn new(value: V, asked_at: Instant, arrived_at: Instant, fresh_for: Duration) -> Self {
        let on_its_way = arrived_at.saturating_duration_since(asked_at);
        let lifetime = fresh_for.max(on_its_way + LIFETIME_MIN);
        Self {
            value,
            asked_at,
            on_its_way: on_its_way.into(),
            lifetime: lifetime.into(),
            is_cut_short: false,
        }
    }

    /// The same answer, its value borrowed.
    pub fn as_ref(&self) -> Answer<&V> {
        Answer {
            value: &self.value,
            asked_at: self.asked_at,
            on_its_way: self.on_its_way,
            lifetime: self.lifetime,
            is_cut_short: self.is_cut_short,
        }
    }

    /// The same answer, with what `change` makes of its value.
    pub fn map<W>(self, change: impl FnOnce(V) -> W) -> Answer<W> {
        let Self {
            value,
            asked_at,
            on_its_way,
            lifetime,
            is_cut_short,
        } = self;
        Answer {
            value: change(value),
            asked_at,
            on_its_way,
            lifetime,
            is_cut_short,
        }
    }

    /// The same answer, no longer believed from `at` on.
    #[must_use]
    pub fn expired(self, at: Instant) -> Self {
        let (age, lifetime) = (self.age(at), self.lifetime());
        Self {
            lifetime: lifetime.min(age).into(),
            is_cut_short: self.is_cut_short || age < lifetime,
            ..self
        }
    }

    /// Whether somebody ended its lifetime before its time.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// When the question was sent.
    pub fn asked_at(&self) -> Instant {
        self.asked_at
    }

    /// How long the answer took to arrive.
    pub fn on_its_way(&self) -> Duration {
        self.on_its_way.into()
    }

    /// Since the question was sent.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.asked_at)
    }

    /// The whole lifetime this answer was given, from the asking.
    pub fn lifetime(&self) -> Duration {
        self.lifetime.into()
    }

    /// What is left of the lifetime. Zero once it is over.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.lifetime().saturating_sub(self.age(now))
    }

    /// How long the lifetime has been over. Zero while it is not.
    pub fn staleness(&self, now: Instant) -> Duration {
        self.age(now).saturating_sub(self.lifetime())
    }

    /// Whether the lifetime has not yet passed.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.age(now) < self.lifetime()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_until_its_lifetime_from_the_asking_has_passed() {
        let asked = crate::clock::Clock::of_the_machine().now();
        let at = |age_ms| asked + Duration::from_millis(age_ms);
        let answer = Answer::new((), asked, at(200), Duration::from_secs(60));

        for (age_ms, fresh, remaining_ms, staleness_ms) in [
            (200, true, 59_800, 0),
            (59_999, true, 1, 0),
            (60_000, false, 0, 0),
            (90_000, false, 0, 30_000),
        ] {
            assert_eq!(answer.is_fresh(at(age_ms)), fresh, "at {age_ms} ms");
            let remaining = Duration::from_millis(remaining_ms);
            assert_eq!(answer.remaining(at(age_ms)), remaining, "at {age_ms} ms");
            let staleness = Duration::from_millis(staleness_ms);
            assert_eq!(answer.staleness(at(age_ms)), staleness, "at {age_ms} ms");
        }
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_is_believed_for_a_second_after_its_arrival() {
        let asked = crate::clock::Clock::of_the_machine().now();
        let arrived = asked + Duration::from_secs(5);

        let answer = Answer::new((), asked, arrived, Duration::from_secs(2));

        assert_eq!(answer.lifetime(), Duration::from_secs(6));
        assert!(answer.is_fresh(arrived));
    }
}
