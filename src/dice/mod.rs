//! Randomness, passed in: fair in production, loaded in a test.

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
