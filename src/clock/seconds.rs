//! What a moment is called to the second: put into words once, for everybody who asks in it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::Guard;
use jiff::Timestamp;

/// Calls moments by what `call` makes of them, which must be the same throughout a second.
pub struct Seconds {
    call: fn(Timestamp) -> String,
    latest: ArcSwap<Second>,
}

struct Second {
    number: i64,
    name: String,
}

/// What a moment is called.
pub struct Name(Guard<Arc<Second>>);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        let Self(second) = self;
        &second.name
    }
}

impl fmt::Debug for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seconds")
            .field(&self.latest.load().name)
            .finish()
    }
}

impl Seconds {
    /// Asked for the first time at about `now`.
    pub fn new(call: fn(Timestamp) -> String, now: Timestamp) -> Self {
        Self {
            call,
            latest: ArcSwap::from_pointee(Second::of(now, call)),
        }
    }

    /// What this moment is called.
    pub fn name(&self, moment: Timestamp) -> Name {
        let known = self.latest.load();
        if known.number == moment.as_second() {
            return Name(known);
        }
        let second = Arc::new(Second::of(moment, self.call));
        self.latest.store(Arc::clone(&second));
        Name(Guard::from_inner(second))
    }
}

impl Second {
    fn of(moment: Timestamp, call: fn(Timestamp) -> String) -> Self {
        Self {
            number: moment.as_second(),
            name: call(moment),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_called_by_its_second_whichever_was_asked_for_before() {
        let start = Timestamp::from_millisecond(784_111_777_400).expect("a time");
        let seconds = Seconds::new(|moment| moment.strftime("%T").to_string(), start);
        for (milliseconds, expected) in [
            (0, "08:49:37"),
            (599, "08:49:37"),
            (600, "08:49:38"),
            (0, "08:49:37"),
        ] {
            let moment = start + Duration::from_millis(milliseconds);
            assert_eq!(&*seconds.name(moment), expected);
        }
    }
}
