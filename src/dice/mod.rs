//! Randomness, passed in: fair in production, loaded in a test. And together with the time:
//! everything that a test turns or loads.

use crate::clock::Clock;

/// Throws a number. Clones throw independently.
#[derive(Clone, Copy, Debug)]
pub struct Dice(Option<f64>);

impl Dice {
    /// Every number is as likely as any other.
    pub fn fair() -> Self {
        Self(None)
    }

    /// Always throws this number, at least 0 and less than 1.
    pub fn loaded(number: f64) -> Self {
        Self(Some(number))
    }

    /// A number, at least 0 and less than 1.
    pub fn throw(self) -> f64 {
        self.0.unwrap_or_else(fastrand::f64)
    }
}

/// The time, and randomness.
#[derive(Clone, Debug)]
pub struct Chance {
    /// The time.
    pub clock: Clock,
    /// What varies lifetimes and pauses, and decides who renews early.
    pub dice: Dice,
}

impl Chance {
    /// The machine's time, and fair dice.
    pub fn real() -> Self {
        Self {
            clock: Clock::of_the_machine(),
            dice: Dice::fair(),
        }
    }
}
