//! A number of places, of which each can be taken by one at a time; the number can change.
//!
//! Who comes when all are taken waits in line, or is told so. When the number is lowered, nobody is
//! driven out: places that are given back are taken away. Knows nothing of what the places are for.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// Places to be taken. There is always at least one.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    /// Held to count, never across an `.await`.
    number: Mutex<Number>,
}

#[derive(Clone, Copy, Debug)]
struct Number {
    /// How many there are, free and taken.
    there: usize,
    /// How many there should be. Less than there are while too many are taken.
    wanted: usize,
}

/// A place that is taken. Given back when dropped.
#[derive(Debug)]
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    places: Arc<Places>,
}

impl Places {
    /// So many places, all of them free.
    pub fn new(number: usize) -> Arc<Self> {
        let number = bounded(number);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(number)),
            number: Mutex::new(Number {
                there: number,
                wanted: number,
            }),
        })
    }

    /// Takes a place, when it is this one's turn. The first in line is served first.
    pub async fn take(self: &Arc<Self>) -> Place {
        // Nobody closes the semaphore: it cannot fail, and if it did, nobody would be kept waiting.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        self.place(permit)
    }

    /// Takes a place if one is free and nobody is in line for it.
    pub fn try_take(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.place(Some(permit)))
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        let there = self.with(|number| number.there);
        there.saturating_sub(self.free.available_permits())
    }

    /// Has so many places from now on.
    pub fn resize(&self, wanted: usize) {
        let wanted = bounded(wanted);
        self.with(|number| {
            number.wanted = wanted;
            let more = wanted.saturating_sub(number.there);
            self.free.add_permits(more);
            let fewer = number.there.saturating_sub(wanted);
            let fewer = self.free.forget_permits(fewer);
            number.there = number.there + more - fewer;
        });
    }

    fn place(self: &Arc<Self>, permit: Option<OwnedSemaphorePermit>) -> Place {
        Place {
            permit,
            places: Arc::clone(self),
        }
    }

    /// A panic while it is held would leave the number whole: it is assigned at once.
    fn with<T>(&self, change: impl FnOnce(&mut Number) -> T) -> T {
        change(&mut self.number.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        self.places.with(|number| {
            if number.there > number.wanted {
                number.there -= 1;
                permit.forget();
            }
        });
    }
}

fn bounded(number: usize) -> usize {
    number.clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(places: &Arc<Places>) -> Vec<Place> {
        std::iter::from_fn(|| places.try_take()).collect()
    }

    #[test]
    fn there_are_as_many_places_as_were_asked_for_last() {
        let places = Places::new(4);
        for number in [4, 2, 7, 1] {
            places.resize(number);
            let taken = take_all(&places);
            assert_eq!((taken.len(), places.taken()), (number, number));
            drop(taken);
            assert_eq!(places.taken(), 0);
        }
    }

    #[test]
    fn fewer_places_drive_nobody_out_and_let_nobody_in_until_enough_have_left() {
        let places = Places::new(4);
        let mut taken = take_all(&places);

        places.resize(2);

        for left in [3, 2] {
            taken.pop();
            assert_eq!(places.taken(), left);
            assert!(places.try_take().is_none(), "{left} are taken");
        }
        taken.pop();
        assert!(places.try_take().is_some());
    }

    #[test]
    fn a_number_raised_while_too_many_are_taken_counts_those() {
        let places = Places::new(4);
        let taken = take_all(&places);
        places.resize(1);

        places.resize(5);

        assert_eq!(take_all(&places).len(), 1);
        drop(taken);
        assert_eq!(take_all(&places).len(), 5);
    }

    #[tokio::test]
    async fn who_waits_in_line_gets_the_place_that_is_added() {
        let places = Places::new(1);
        let first = places.take().await;
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        tokio::task::yield_now().await;

        places.resize(2);

        let second = waiting.await.expect("a place");
        assert_eq!(places.taken(), 2);
        drop((first, second));
        assert_eq!(places.taken(), 0);
    }
}
