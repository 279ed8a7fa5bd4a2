//! How many questions one corp has under way at a time, and who waits for a turn.
//!
//! WeCom counts what a corp asks one API at a time, tells the limit to nobody, and answers 45033
//! beyond it. So the window is halved when that is said, at most once a second (those who were sent
//! together are refused together), and grows back by an eighth every few seconds.
//!
//! Waiting for a turn is bounded in three ways: each has a deadline, so many may wait and no more,
//! and who could not have a turn in time is told so at once instead of at the deadline.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::time::Instant as Moment;

use super::report::QuestionsReport;
use crate::clock::Clock;
use crate::places::Place;
use crate::places::Places;

/// The window grows back by an eighth this often.
const GROWS_EVERY: Duration = Duration::from_secs(5);

/// The window is halved this often at most.
const HALVED_EVERY: Duration = Duration::from_secs(1);

/// So many may wait for each that may be under way …
const WAITING_A_PLACE: usize = 32;

/// … but where few may be under way, so many at least.
const WAITING_MIN: usize = 256;

/// What one corp has under way at one API.
#[derive(Debug)]
pub(super) struct Window {
    width_max: usize,
    places: Arc<Places>,
    waiting: AtomicUsize,
    /// Held to look and to note, never across an `.await`.
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    /// When it was last halved, and to what. `None` while it is as wide as may be.
    halved: Option<(Instant, usize)>,
    /// How long a question took of late.
    takes: Duration,
}

/// A turn to ask. Given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    window: Arc<Window>,
    since: Moment,
    _place: Place,
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Window {
    pub(super) fn new(width_max: usize, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            width_max,
            places: Places::new(width_max),
            waiting: AtomicUsize::new(0),
            state: Mutex::default(),
            clock,
        })
    }

    /// Whether both may be equally wide.
    pub(super) fn is_as_wide_as(&self, other: &Self) -> bool {
        self.width_max == other.width_max
    }

    /// A turn to ask, once it has come; `None` where it does not come in time for an answer before
    /// `deadline`, or too many wait.
    pub(super) async fn turn(self: &Arc<Self>, deadline: Moment) -> Option<Turn> {
        self.adjust();
        let place = if let Some(place) = self.places.try_take() {
            place
        } else {
            let waiting = self.stand_in_line(deadline)?;
            let place = tokio::time::timeout_at(deadline, self.places.take()).await;
            drop(waiting);
            let place = place.ok()?;
            // It came, and too late: it is for the next, who may have the time.
            if Moment::now() + self.state().takes > deadline {
                return None;
            }
            place
        };
        Some(Turn {
            window: Arc::clone(self),
            since: Moment::now(),
            _place: place,
        })
    }

    /// Notes that WeCom finds it too wide.
    pub(super) fn halve(&self) {
        let now = self.clock.now();
        let width = self.width(now);
        let mut state = self.state();
        let is_news = |(at, _)| now >= at + HALVED_EVERY;
        if state.halved.is_none_or(is_news) {
            state.halved = Some((now, (width / 2).max(1)));
        }
        drop(state);
        self.adjust();
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.places.taken()
    }

    /// How many there are, and may be.
    pub(super) fn report(&self) -> QuestionsReport {
        QuestionsReport {
            under_way: self.under_way(),
            waiting: self.waiting.load(Ordering::Relaxed),
            window: self.width(self.clock.now()),
            window_max: self.width_max,
        }
    }

    /// Whether less than half of what may be is under way.
    pub(super) fn has_room_to_spare(&self) -> bool {
        self.under_way() * 2 < self.width(self.clock.now())
    }

    /// How many may be under way.
    fn width(&self, now: Instant) -> usize {
        let halved = self.state().halved;
        halved.map_or(self.width_max, |(at, width)| {
            let steps = now.saturating_duration_since(at).as_secs() / GROWS_EVERY.as_secs();
            let grown = self.width_max.div_ceil(8) * usize::try_from(steps).unwrap_or(usize::MAX);
            width.saturating_add(grown).min(self.width_max)
        })
    }

    fn adjust(&self) {
        self.places.resize(self.width(self.clock.now()));
    }

    fn stand_in_line(&self, deadline: Moment) -> Option<Waiting<'_>> {
        let waiting_max = (self.width_max * WAITING_A_PLACE).max(WAITING_MIN);
        let ahead = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        let in_time = Moment::now() + self.wait_behind(ahead) <= deadline;
        (in_time && ahead < waiting_max).then_some(waiting)
    }

    /// How long it takes until all those ahead have had their turn, and this one has been answered.
    fn wait_behind(&self, ahead: usize) -> Duration {
        let width = self.width(self.clock.now());
        let rounds = ahead / width + 1;
        let takes = self.state().takes;
        takes.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    /// A panic while it is held would leave the state whole: every change to it is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let mut state = self.window.state();
        state.takes = (state.takes * 7 + took) / 8;
        drop(state);
        self.window.adjust();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn clock() -> Clock {
        Clock::standing_at(Timestamp::UNIX_EPOCH)
    }

    fn soon() -> Moment {
        Moment::now() + Duration::from_secs(10)
    }

    #[test]
    fn it_is_halved_at_most_once_a_second_and_grows_back_by_eighths() {
        let clock = clock();
        let window = Window::new(64, clock.clone());
        let width_after = |wait: Duration, halved: bool| {
            clock.advance(wait);
            if halved {
                window.halve();
            }
            window.width(clock.now())
        };

        for (wait_ms, halved, width) in [
            (0, false, 64),
            (0, true, 32),
            (999, true, 32),
            (1, true, 16),
            (4_999, false, 16),
            (1, false, 24),
            (25_000, false, 64),
            (3_600_000, false, 64),
            (0, true, 32),
        ] {
            let wait = Duration::from_millis(wait_ms);
            assert_eq!(width_after(wait, halved), width, "{wait_ms} {halved}");
        }
    }

    #[test]
    fn however_often_it_is_halved_one_question_may_be_asked() {
        let clock = clock();
        let window = Window::new(3, clock.clone());
        for _ in 0..10 {
            window.halve();
            clock.advance(HALVED_EVERY);
        }
        assert_eq!(window.width(clock.now()), 1);
    }

    #[tokio::test]
    async fn those_under_way_when_it_is_halved_are_finished_before_others_begin() {
        let window = Window::new(4, clock());
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(window.turn(soon()).await.expect("a turn"));
        }

        window.halve();

        for under_way in [3, 2] {
            turns.pop();
            assert_eq!(window.under_way(), under_way);
            assert!(window.places.try_take().is_none());
        }
        turns.pop();
        assert!(window.turn(soon()).await.is_some());
    }

    #[tokio::test]
    async fn who_could_not_be_answered_in_time_is_told_so_at_once() {
        let window = Window::new(1, clock());
        let _turn = window.turn(soon()).await.expect("a turn");
        window.state().takes = Duration::from_secs(4);

        let first = window.stand_in_line(soon());
        let second = window.stand_in_line(soon());
        assert!(first.is_some() && second.is_some());
        assert!(window.turn(soon()).await.is_none(), "12 s are too long");

        drop(first);
        assert!(window.stand_in_line(soon()).is_some());
    }

    #[tokio::test]
    async fn a_turn_that_comes_too_late_for_an_answer_is_none() {
        let window = Window::new(1, clock());
        let turn = window.turn(soon()).await.expect("a turn");
        let waiting = tokio::spawn({
            let window = Arc::clone(&window);
            async move { window.turn(soon()).await.is_some() }
        });
        while window.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }

        window.state().takes = Duration::from_secs(100);
        drop(turn);

        assert!(!waiting.await.expect("no panic"));
        assert_eq!(window.under_way(), 0);
    }

    #[tokio::test]
    async fn whose_deadline_comes_first_gets_no_turn() {
        let window = Window::new(1, clock());
        let _turn = window.turn(soon()).await.expect("a turn");
        let deadline = Moment::now() + Duration::from_millis(10);

        assert!(window.turn(deadline).await.is_none());
        assert_eq!(window.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn so_many_may_wait_and_no_more() {
        let window = Window::new(1, clock());
        let _turn = window.turn(soon()).await.expect("a turn");

        let in_line: Vec<_> = (0..300)
            .map_while(|_| window.stand_in_line(soon()))
            .collect();

        assert_eq!(in_line.len(), 256);
    }
}
