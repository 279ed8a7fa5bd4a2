//! Flights, lifetimes and bounds, counted by how often something was fetched.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// A cache of numbers, and a source that counts how often it is asked.
struct Bench {
    cache: Arc<Cache<&'static str, u64, &'static str>>,
    clock: Clock,
    asked: Arc<AtomicUsize>,
}

const LIMITS: Limits = Limits {
    bytes_max: 1_000_000,
    flights_max: 8,
    waiters_max: 4,
    fault_kept: Duration::from_secs(1),
};

impl Bench {
    fn new(limits: Limits) -> Self {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let cache = Cache::new(limits, |_, _| 1_000, clock.clone(), TaskTracker::new());
        Self {
            cache: Arc::new(cache),
            clock,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asks for `key`; if it must be fetched, `brings` is what comes, once `gate` opens.
    fn ask(
        &self,
        key: &'static str,
        brings: Result<u64, &'static str>,
        gate: &Arc<Notify>,
    ) -> JoinHandle<Result<Found<u64>, Trouble<&'static str>>> {
        let Self {
            cache,
            clock,
            asked,
        } = self;
        let (cache, clock, asked) = (Arc::clone(cache), clock.clone(), Arc::clone(asked));
        let gate = Arc::clone(gate);
        tokio::spawn(async move {
            let fetch = || async move {
                asked.fetch_add(1, Ordering::SeqCst);
                let asked_at = clock.now();
                gate.notified().await;
                let lifetime = Duration::from_secs(10);
                brings.map(|value| Answer::new(value, asked_at, clock.now(), lifetime))
            };
            cache.get_or_fetch(&key, fetch).await
        })
    }

    /// Asks, and does not have to wait.
    async fn have(
        &self,
        key: &'static str,
        brings: Result<u64, &'static str>,
    ) -> Result<(u64, Source), Trouble<&'static str>> {
        let gate = Arc::new(Notify::new());
        gate.notify_one();
        let found = self.ask(key, brings, &gate).await.expect("the task ends")?;
        Ok((found.answer.value, found.source))
    }
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_fresh_answer_is_fetched_once() {
    let bench = Bench::new(LIMITS);

    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, Source::Fetched)));
    bench.clock.advance(Duration::from_millis(9_999));
    assert_eq!(bench.have("k", Ok(2)).await, Ok((1, Source::Remembered)));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.have("k", Ok(3)).await, Ok((3, Source::Fetched)));

    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn all_who_ask_at_a_time_share_one_flight_even_if_the_first_hangs_up() {
    let bench = Bench::new(LIMITS);
    let gate = Arc::new(Notify::new());

    let first = bench.ask("k", Ok(1), &gate);
    settle().await;
    let others = [bench.ask("k", Ok(2), &gate), bench.ask("k", Ok(3), &gate)];
    settle().await;
    first.abort();
    settle().await;
    gate.notify_one();

    for other in others {
        let found = other.await.expect("the task ends").expect("an answer");
        assert_eq!((found.answer.value, found.source), (1, Source::Collapsed));
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_fault_is_shared_and_remembered_for_its_time() {
    let bench = Bench::new(LIMITS);

    for _ in 0..5 {
        assert_eq!(
            bench.have("k", Err("down")).await,
            Err(Trouble::Fault("down"))
        );
    }
    assert_eq!(bench.asked(), 1);

    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, Source::Fetched)));
}

#[tokio::test]
async fn what_was_invalidated_on_its_way_is_given_to_those_who_wait_and_not_kept() {
    let bench = Bench::new(LIMITS);
    let (old_gate, new_gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let before = bench.ask("k", Ok(1), &old_gate);
    settle().await;

    bench.cache.invalidate(&"k");
    let after = bench.ask("k", Ok(2), &new_gate);
    settle().await;
    old_gate.notify_one();
    assert_eq!(
        before.await.expect("ends").expect("an answer").answer.value,
        1
    );
    assert!(
        bench.cache.peek(&"k").is_none(),
        "the old answer is not kept"
    );
    new_gate.notify_one();

    assert_eq!(
        after.await.expect("ends").expect("an answer").answer.value,
        2
    );
    assert_eq!(bench.have("k", Ok(3)).await, Ok((2, Source::Remembered)));
}

#[tokio::test]
async fn a_new_answer_is_not_pushed_out_by_an_older_flight_that_lands_after_it() {
    let bench = Bench::new(LIMITS);
    let gate = Arc::new(Notify::new());
    let before = bench.ask("k", Ok(1), &gate);
    settle().await;

    bench.cache.invalidate(&"k");
    assert_eq!(bench.have("k", Ok(2)).await, Ok((2, Source::Fetched)));
    gate.notify_one();
    before.await.expect("ends").expect("an answer");

    assert_eq!(bench.have("k", Ok(3)).await, Ok((2, Source::Remembered)));
}

#[tokio::test]
async fn a_flight_that_breaks_off_frees_its_place_and_tells_those_who_wait() {
    let bench = Bench::new(LIMITS);

    let broken = bench
        .cache
        .get_or_fetch(&"k", || async { panic!("on purpose") })
        .await;

    assert_eq!(broken, Err(Trouble::Broken));
    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, Source::Fetched)));
}

#[tokio::test]
async fn waiters_and_flights_are_bounded() {
    let bench = Bench::new(Limits {
        flights_max: 1,
        ..LIMITS
    });
    let gate = Arc::new(Notify::new());
    let mut waiting: Vec<_> = (0..LIMITS.waiters_max)
        .map(|_| bench.ask("k", Ok(1), &gate))
        .collect();
    settle().await;

    assert_eq!(bench.have("k", Ok(2)).await, Err(Trouble::Crowded));
    assert_eq!(bench.have("other", Ok(2)).await, Err(Trouble::Crowded));

    gate.notify_one();
    for waiter in waiting.drain(..) {
        waiter.await.expect("the task ends").expect("an answer");
    }
    assert_eq!(bench.have("other", Ok(2)).await, Ok((2, Source::Fetched)));
}

#[tokio::test]
async fn what_is_kept_stays_within_its_bytes() {
    let bytes_max = 100_000;
    let bench = Bench::new(Limits {
        bytes_max,
        ..LIMITS
    });
    for index in 0..1_000 {
        let key: &'static str = Box::leak(format!("k{index}").into_boxed_str());
        bench.have(key, Ok(index)).await.expect("an answer");
    }

    let weighed = bench.cache.store.settle();
    assert!(
        (bytes_max / 2..=bytes_max).contains(&weighed),
        "{weighed} bytes are kept"
    );
}
