//! The pause that WeCom gets after it has said that our quota is spent (45009).
//!
//! WeCom names no end of it: a block lasts as long as its window, a minute or an hour (document
//! 90312). So we let a minute pass, and then ask one single question. If that is answered, all may
//! ask again; if it comes straight back, the window must be the hour.
//!
//! ```text
//!            45009                 60 s pass              a question is admitted
//!   Open ─────────────► Closed ───────────────► (Closed) ───────────────────────► Probing
//!    ▲                    ▲                                                        │   │
//!    │                    └──────────────── 45009: now for 1 h ────────────────────┘   │
//!    └───────────────────────────────────── answered ──────────────────────────────────┘
//! ```

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::clock::Clock;

/// WeCom's window for most limits.
const FIRST: Duration = Duration::from_secs(60);

/// WeCom's other window.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// How soon it is worth coming back while the one question is under way.
const PROBE_TAKES: Duration = Duration::from_secs(1);

/// Whether one API may be asked for one corp.
#[derive(Debug)]
pub(super) struct Block {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Nobody asks before `until`; then one may.
    Closed {
        until: Instant,
    },
    Open,
    /// One question is under way, to see whether it is over.
    Probing,
}

/// Leave to ask one question. Dropped without a word about what came of it, the question tells
/// nothing about the block.
#[derive(Debug)]
pub(super) struct Leave {
    block: Arc<Block>,
    is_probe: bool,
}

impl Block {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Open),
            clock,
        })
    }

    /// Leave to ask; or when it is worth coming back.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Leave, Instant> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(until) = closed_until(*state, now) {
            return Err(until);
        }
        let is_probe = *state != State::Open;
        if is_probe {
            *state = State::Probing;
        }
        Ok(Leave {
            block: Arc::clone(self),
            is_probe,
        })
    }

    /// When it is worth coming back, if nobody may ask now.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        closed_until(*self.state(), self.clock.now())
    }

    /// Whether one question is under way, to see whether the block is over.
    pub(super) fn is_probing(&self) -> bool {
        *self.state() == State::Probing
    }

    /// A panic while it is held would leave the state whole: every change to it is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed_until(state: State, now: Instant) -> Option<Instant> {
    match state {
        State::Closed { until } => (now < until).then_some(until),
        State::Open => None,
        State::Probing => Some(now + PROBE_TAKES),
    }
}

impl Leave {
    /// WeCom answered, whatever it said.
    pub(super) fn answered(mut self) {
        if std::mem::take(&mut self.is_probe) {
            *self.block.state() = State::Open;
        }
    }

    /// WeCom said that our quota is spent. From when on it may be asked again.
    pub(super) fn refused(mut self) -> Instant {
        let now = self.block.clock.now();
        let was_probe = std::mem::take(&mut self.is_probe);
        let mut state = self.block.state();
        match *state {
            State::Open => *state = State::Closed { until: now + FIRST },
            State::Probing if was_probe => *state = State::Closed { until: now + AGAIN },
            // It was asked before the others were refused.
            State::Closed { .. } | State::Probing => {}
        }
        closed_until(*state, now).unwrap_or(now)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.is_probe {
            let until = self.block.clock.now();
            *self.block.state() = State::Closed { until };
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn closed(clock: &Clock) -> Arc<Block> {
        let block = Block::new(clock.clone());
        block.admit().expect("open").refused();
        block
    }

    fn clock() -> Clock {
        Clock::standing_at(Timestamp::UNIX_EPOCH)
    }

    /// For how long nobody may ask.
    fn pause(block: &Block, clock: &Clock) -> Option<Duration> {
        Some(block.closed_until()?.duration_since(clock.now()))
    }

    #[test]
    fn nobody_asks_for_a_minute_and_then_one() {
        let clock = clock();
        let block = closed(&clock);
        assert_eq!(pause(&block, &clock), Some(FIRST));

        clock.advance(FIRST.saturating_sub(Duration::from_nanos(1)));
        assert!(block.admit().is_err());
        clock.advance(Duration::from_nanos(1));

        let probe = block.admit().expect("the one");
        assert!(probe.is_probe);
        assert!(block.admit().is_err(), "a second one while it is under way");
        probe.answered();
        assert!(!block.admit().expect("open again").is_probe);
    }

    #[test]
    fn if_it_comes_straight_back_nobody_asks_for_an_hour() {
        let clock = clock();
        let block = closed(&clock);

        clock.advance(FIRST);
        let until = block.admit().expect("the one").refused();

        assert_eq!(until, clock.now() + AGAIN);
        clock.advance(AGAIN);
        block.admit().expect("the next").refused();
        assert_eq!(pause(&block, &clock), Some(AGAIN));
    }

    #[test]
    fn after_an_answer_the_next_block_is_a_short_one_again() {
        let clock = clock();
        let block = closed(&clock);
        clock.advance(FIRST);
        block.admit().expect("the one").answered();

        block.admit().expect("open").refused();

        assert_eq!(pause(&block, &clock), Some(FIRST));
    }

    #[test]
    fn a_question_that_tells_nothing_leaves_it_to_the_next() {
        let clock = clock();
        let block = closed(&clock);
        clock.advance(FIRST);

        drop(block.admit().expect("the one"));

        assert!(block.admit().expect("the next").is_probe);
    }

    #[test]
    fn refusals_of_questions_asked_before_do_not_make_it_longer() {
        let clock = clock();
        let block = Block::new(clock.clone());
        let before: Vec<_> = (0..3).map(|_| block.admit().expect("open")).collect();

        let mut until = before.into_iter().map(Leave::refused);

        let first = until.next();
        clock.advance(Duration::from_secs(1));
        assert!(until.all(|later| Some(later) == first));
        clock.advance(FIRST);
        let late = block.admit().expect("the one");
        assert!(late.is_probe);
    }
}
