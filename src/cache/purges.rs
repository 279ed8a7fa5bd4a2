//! What was purged, for as long as anything may be kept that it is about.
//!
//! A purge touches nothing that is kept: it is a mark, and whoever recalls something looks for the
//! marks on it. So a purge of one meeting costs the same whatever is kept, nobody waits for it, and
//! an answer that was asked for before it and lands after it is judged like one that was there.
//!
//! Purges are told apart by their number, not by their time: an answer that was asked for in the same
//! moment, but after the purge, is not meant by it. Whoever recalls something that is younger than the
//! last one, or was found not to be meant by it, sees that by the number alone, and waits for nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Marks at most. Beyond that they are made one, which is about everything.
pub(super) const MARKS_MAX: usize = 16 * 1024;

/// How thorough a purge is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thoroughness {
    /// The answers are dropped.
    Drop,
    /// The answers become stale: they are served while they are renewed.
    Expire,
}

/// The purges that may still be about something. `S` names what a purge is about; its default is
/// everything.
pub(super) struct Purges<S> {
    /// How many purges there were. Raised while the marks are held, when those of the purge are there:
    /// whoever sees the number finds them.
    epoch: AtomicU64,
    marks: RwLock<Marks<S>>,
}

struct Marks<S> {
    /// In the order in which they were made. Nothing stands before a thorough one.
    by_scope: HashMap<S, Vec<Mark>>,
    /// The longest time for which anything was kept, or on its way: a mark that is older is about nothing.
    kept_max: Duration,
}

/// How many purges there had been of which something knows: those after that may be about it.
pub(super) struct Epoch(AtomicU64);

#[derive(Clone, Copy)]
struct Mark {
    epoch: u64,
    at: Instant,
    /// When the last purge was for which it stands.
    last_at: Instant,
    thoroughness: Thoroughness,
}

/// What the purges since then make of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is gone.
    Dropped,
    /// It was no longer fresh from that moment on.
    ExpiredAt(Instant),
    /// It is what it was.
    Untouched,
}

impl Epoch {
    pub(super) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn raise(&self, number: u64) {
        self.0.fetch_max(number, Ordering::Relaxed);
    }
}

impl Clone for Epoch {
    fn clone(&self) -> Self {
        self.number().into()
    }
}

impl From<u64> for Epoch {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

impl<S: Default + Eq + Hash> Purges<S> {
    pub(super) fn new() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            marks: RwLock::new(Marks {
                by_scope: HashMap::new(),
                kept_max: Duration::ZERO,
            }),
        }
    }

    /// How many purges there were.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Tells that something is kept, or on its way, for so long.
    pub(super) fn kept_for(&self, span: Duration) {
        if self.read(|marks| marks.kept_max < span) {
            self.write(|marks| marks.kept_max = marks.kept_max.max(span));
        }
    }

    /// Marks what is in these scopes.
    pub(super) fn mark(&self, scopes: Vec<S>, thoroughness: Thoroughness, now: Instant) {
        self.write(|marks| {
            let mark = Mark {
                epoch: self.epoch() + 1,
                at: now,
                last_at: now,
                thoroughness,
            };
            marks.clear_away(now);
            for scope in scopes {
                marks.put(scope, mark);
            }
            if marks.all().count() > MARKS_MAX {
                marks.make_one(mark.epoch, now);
            }
            self.epoch.store(mark.epoch, Ordering::Release);
        });
    }

    /// What the purges make of something in `scopes`, which is only called if there were any of which
    /// its `epoch` does not know. Those that leave it as it is, it knows from then on.
    pub(super) fn judge(&self, epoch: &Epoch, scopes: impl FnOnce() -> Vec<S>) -> Verdict {
        // Read before the marks: of a purge in between, it is not known.
        let last = self.epoch();
        let known = epoch.number();
        if last <= known {
            return Verdict::Untouched;
        }
        let scopes = scopes();
        let verdict = self.read(|marks| {
            let of_scopes = scopes.iter().filter_map(|scope| marks.by_scope.get(scope));
            let since = of_scopes.flatten().filter(|mark| mark.epoch > known);
            since.fold(Verdict::Untouched, |verdict, mark| verdict.and(*mark))
        });
        if verdict == Verdict::Untouched {
            epoch.raise(last);
        }
        verdict
    }

    /// A panic while it is held leaves every mark whole.
    fn read<T>(&self, look: impl FnOnce(&Marks<S>) -> T) -> T {
        look(&self.marks.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Marks<S>) -> T) -> T {
        change(&mut self.marks.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Default + Eq + Hash> Marks<S> {
    fn all(&self) -> impl Iterator<Item = &Mark> {
        self.by_scope.values().flatten()
    }

    fn put(&mut self, scope: S, mark: Mark) {
        let marks = self.by_scope.entry(scope).or_default();
        if mark.thoroughness == Thoroughness::Drop {
            marks.clear();
        }
        marks.push(mark);
    }

    /// Forgets the marks that are older than anything that is kept.
    fn clear_away(&mut self, now: Instant) {
        let kept_max = self.kept_max;
        self.by_scope.retain(|_, marks| {
            marks.retain(|mark| now.saturating_duration_since(mark.last_at) <= kept_max);
            !marks.is_empty()
        });
    }

    /// Has one mark of that number stand for all of them: too much is then purged, never too little.
    fn make_one(&mut self, epoch: u64, now: Instant) {
        let Some(first) = self.all().min_by_key(|mark| mark.at).copied() else {
            return;
        };
        let is_thorough = |mark: &Mark| mark.thoroughness == Thoroughness::Drop;
        let thoroughness = if self.all().any(is_thorough) {
            Thoroughness::Drop
        } else {
            Thoroughness::Expire
        };
        let mark = Mark {
            epoch,
            at: first.at,
            last_at: now,
            thoroughness,
        };
        self.by_scope.clear();
        self.put(S::default(), mark);
    }
}

impl Verdict {
    /// The verdict with one mark more. What was stale at one moment is not made fresh by another.
    fn and(self, mark: Mark) -> Self {
        match (self, mark.thoroughness) {
            (Self::Dropped, _) | (_, Thoroughness::Drop) => Self::Dropped,
            (Self::ExpiredAt(at), Thoroughness::Expire) => Self::ExpiredAt(at.min(mark.at)),
            (Self::Untouched, Thoroughness::Expire) => Self::ExpiredAt(mark.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default is everything; the others are about one thing each.
    type Scope = Option<usize>;

    fn now() -> Instant {
        crate::clock::Clock::of_the_machine().now()
    }

    fn purges() -> Purges<Scope> {
        let purges = Purges::new();
        purges.kept_for(Duration::from_secs(60));
        purges
    }

    #[test]
    fn a_purge_is_about_what_was_there_before_it_and_in_its_scope() {
        let (purges, now) = (purges(), now());
        let before = purges.epoch();

        purges.mark(vec![Some(1)], Thoroughness::Drop, now);

        for (epoch, scope, expected) in [
            (before, 1, Verdict::Dropped),
            (before, 2, Verdict::Untouched),
            (purges.epoch(), 1, Verdict::Untouched),
        ] {
            let verdict = purges.judge(&epoch.into(), || vec![None, Some(scope)]);
            assert_eq!(verdict, expected, "{scope}, of purge {epoch}");
        }
    }

    #[test]
    fn what_was_expired_twice_is_stale_from_the_first_time_on() {
        let (purges, now) = (purges(), now());
        let at = |second| now + Duration::from_secs(second);

        for second in [1, 2, 3] {
            purges.mark(vec![Some(1)], Thoroughness::Expire, at(second));
        }

        for (epoch, expected) in [(0, at(1)), (1, at(2)), (2, at(3))] {
            let verdict = purges.judge(&epoch.into(), || vec![Some(1)]);
            assert_eq!(verdict, Verdict::ExpiredAt(expected), "of purge {epoch}");
        }
    }

    #[test]
    fn marks_are_forgotten_when_nothing_is_left_that_they_are_about() {
        let (purges, now) = (purges(), now());
        let marks = |purges: &Purges<Scope>| purges.read(|marks| marks.all().count());
        purges.mark(vec![Some(1)], Thoroughness::Drop, now);

        purges.mark(vec![], Thoroughness::Drop, now + Duration::from_secs(60));
        assert_eq!(marks(&purges), 1);
        purges.mark(vec![], Thoroughness::Drop, now + Duration::from_secs(61));

        assert_eq!(marks(&purges), 0);
    }

    #[test]
    fn what_many_marks_were_made_is_not_forgotten_before_the_last_of_them() {
        let (purges, now) = (purges(), now());
        let at = |second| now + Duration::from_secs(second);
        purges.mark(vec![Some(0)], Thoroughness::Drop, now);
        let scopes = (1..=MARKS_MAX).map(Some).collect();
        purges.mark(scopes, Thoroughness::Drop, at(59));

        for (second, expected) in [(119, Verdict::Dropped), (120, Verdict::Untouched)] {
            purges.mark(vec![], Thoroughness::Drop, at(second));

            let verdict = purges.judge(&0.into(), || vec![None, Some(MARKS_MAX)]);
            assert_eq!(verdict, expected, "after {second} s");
        }
    }

    #[test]
    fn more_marks_than_may_be_are_made_one_that_purges_too_much() {
        let now = now();
        for (thoroughness, expected) in [
            (Thoroughness::Drop, Verdict::Dropped),
            (Thoroughness::Expire, Verdict::ExpiredAt(now)),
        ] {
            let purges = purges();
            purges.mark(vec![Some(0)], thoroughness, now);
            let scopes = (1..=MARKS_MAX).map(Some).collect();
            purges.mark(scopes, thoroughness, now + Duration::from_secs(1));

            let verdict = purges.judge(&0.into(), || vec![None, Some(MARKS_MAX + 1)]);

            assert_eq!(verdict, expected);
            assert_eq!(purges.read(|marks| marks.all().count()), 1);
        }
    }
}
