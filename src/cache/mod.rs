//! Remembers answers for as long as they are fresh, and has each question asked once, however many
//! ask it at a time.
//!
//! Two parts: a store that bounds the bytes, and a table of flights. The cache
//! knows neither meetings nor HTTP nor WeCom: a key is a name, an answer has an age, and a fault is
//! remembered briefly, so that a failing source is not asked again by everybody who comes.

mod flight;
mod store;

#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use self::flight::Boarding;
use self::flight::Flights;
use self::flight::Ticket;
use self::store::Kept;
use self::store::Store;
use crate::clock::Clock;
use crate::freshness::Answer;

/// How much may be kept, and how much may go on at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes kept in all: of the answers, their keys and their upkeep.
    pub bytes_max: u64,
    /// Questions under way at a time.
    pub flights_max: usize,
    /// Callers who wait for one and the same question.
    pub waiters_max: usize,
    /// How long a fault is remembered.
    pub fault_kept: Duration,
}

/// Answers of type `V` to questions of type `K`, or faults of type `E`.
pub struct Cache<K, V, E> {
    store: Arc<Store<K, V, E>>,
    flights: Arc<Flights<K, Result<Answer<V>, E>>>,
    fault_kept: Duration,
    clock: Clock,
    tasks: TaskTracker,
}

/// An answer, and where it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found<V> {
    /// The answer.
    pub answer: Answer<V>,
    /// Where it came from.
    pub source: Source,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// From a question that somebody else had already sent.
    Collapsed,
    /// From a question sent for this caller, and kept.
    Fetched,
    /// From memory.
    Remembered,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble<E> {
    /// The task that asked broke off: a fault of ours.
    Broken,
    /// More is under way, or more are waiting, than may be.
    Crowded,
    /// It was asked, just now or shortly before, in vain.
    Fault(E),
}

impl<K, V, E> Cache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty cache. `weigh` tells the bytes that a key and a value take; `tasks` is where
    /// questions are asked.
    pub fn new(
        limits: Limits,
        weigh: fn(&K, &V) -> usize,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Self {
        let Limits {
            bytes_max,
            flights_max,
            waiters_max,
            fault_kept,
        } = limits;
        Self {
            store: Arc::new(Store::new(bytes_max, weigh)),
            flights: Flights::new(flights_max, waiters_max),
            fault_kept,
            clock,
            tasks,
        }
    }

    /// What is remembered and still counts. Never waits.
    pub fn peek(&self, key: &K) -> Option<Result<Answer<V>, E>> {
        self.store.fresh(key, self.clock.now())
    }

    /// What is remembered, or else what `fetch` brings. However many ask at a time, one fetches, in
    /// a task of its own that goes on if they hang up; all who wait get what it brings.
    pub async fn get_or_fetch<F>(
        &self,
        key: &K,
        fetch: impl FnOnce() -> F,
    ) -> Result<Found<V>, Trouble<E>>
    where
        F: Future<Output = Result<Answer<V>, E>> + Send + 'static,
    {
        if let Some(remembered) = self.peek(key) {
            return found(remembered, Source::Remembered);
        }
        let (seat, source) = match self.flights.board(key, || self.peek(key)) {
            Boarding::Full => return Err(Trouble::Crowded),
            Boarding::Joined(seat) => (seat, Source::Collapsed),
            Boarding::Landed(remembered) => return found(remembered, Source::Remembered),
            Boarding::Started(seat, ticket) => {
                self.fly(ticket, fetch());
                (seat, Source::Fetched)
            }
        };
        found(seat.outcome().await.ok_or(Trouble::Broken)?, source)
    }

    /// Drops what is remembered under `key`. An answer on its way is given to those who wait for
    /// it, and not remembered; whoever asks from now on has it asked anew.
    pub fn invalidate(&self, key: &K) {
        self.flights.divert(key, || self.store.invalidate(key));
    }

    fn fly<F>(&self, ticket: Ticket<K, Result<Answer<V>, E>>, fetch: F)
    where
        F: Future<Output = Result<Answer<V>, E>> + Send + 'static,
    {
        let Self {
            store,
            fault_kept,
            clock,
            ..
        } = self;
        let (store, kept_for, clock) = (Arc::clone(store), *fault_kept, clock.clone());
        self.tasks.spawn(async move {
            let outcome = fetch.await;
            ticket.land(outcome, |key, outcome| {
                let kept = match outcome.clone() {
                    Ok(answer) => Kept::Answer(answer),
                    Err(fault) => Kept::Fault {
                        fault,
                        until: clock.now() + kept_for,
                        kept_for,
                    },
                };
                store.keep(key.clone(), kept);
            });
        });
    }
}

fn found<V, E>(outcome: Result<Answer<V>, E>, source: Source) -> Result<Found<V>, Trouble<E>> {
    match outcome {
        Ok(answer) => Ok(Found { answer, source }),
        Err(fault) => Err(Trouble::Fault(fault)),
    }
}
