//! Flights, memories and bounds, counted by how often something was fetched.

use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// A cache of numbers, and a source that counts how often it is asked.
struct Bench {
    cache: Arc<Cache<&'static str, u64, &'static str, Scope>>,
    clock: Clock,
    asked: Arc<AtomicUsize>,
}

const LIMITS: Limits = Limits {
    bytes_max: 1_000_000,
    flights_max: 8,
    waiters_max: 4,
    stale_max: Duration::from_secs(30),
    fault_kept: Duration::from_secs(1),
    flight_max: Duration::from_secs(10),
};

fn mebibytes(mebibytes: u64) -> Limits {
    Limits {
        bytes_max: mebibytes * 1024 * 1024,
        ..LIMITS
    }
}

/// Every value weighs the same; those over a million are minor.
const VALUES: Values<&'static str, u64, Scope> = Values {
    key_bytes: |key| key.len(),
    bytes: |_| 1_000,
    is_minor: |value| *value > 1_000_000,
    other_name: |_, _| None,
    lend: |value| {
        let value = *value;
        Arc::new(move || Some(value))
    },
    scopes: |key, _| vec![None, Some(key)],
};

/// One key, or everything.
type Scope = Option<&'static str>;

/// Where a value came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    Memory,
    Other,
    Own,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Not {
    Broken,
    Fault(&'static str),
    Full,
}

type Outcome = Result<(u64, From), Not>;

fn surroundings(clock: &Clock) -> Surroundings {
    Surroundings {
        clock: clock.clone(),
        metrics: Metrics::default(),
        tasks: TaskTracker::new(),
    }
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self::keeping(VALUES, limits)
    }

    fn keeping(values: Values<&'static str, u64, Scope>, limits: Limits) -> Self {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let cache = Cache::new(limits, values, surroundings(&clock));
        Self {
            cache: Arc::new(cache),
            clock,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asks for `key`, where only a fresh answer will do; if it must be fetched, `brings` is what
    /// comes, once `gate` opens.
    fn ask(
        &self,
        key: &'static str,
        brings: Result<u64, &'static str>,
        gate: &Arc<Notify>,
    ) -> JoinHandle<Outcome> {
        let Self {
            cache,
            clock,
            asked,
        } = self;
        let (cache, clock, asked) = (Arc::clone(cache), clock.clone(), Arc::clone(asked));
        let gate = Arc::clone(gate);
        tokio::spawn(async move {
            let settle = {
                let clock = clock.clone();
                move |memory: Memory<u64, &'static str>| match memory {
                    Memory {
                        answer: Some(answer),
                        ..
                    } if answer.is_fresh(clock.now()) => Some(Ok((answer.value, From::Memory))),
                    memory => memory
                        .fault_in_force(clock.now())
                        .map(|remembered| Err(Not::Fault(remembered.fault))),
                }
            };
            let fetch = |_: &_| async move {
                asked.fetch_add(1, Ordering::SeqCst);
                let asked_at = clock.now();
                gate.notified().await;
                let answer = brings.map(|value| {
                    Answer::new(value, asked_at, clock.now(), Duration::from_secs(10))
                })?;
                Ok(Fetched {
                    answer,
                    other_name: None,
                })
            };
            outcome(cache.board(&key, settle, fetch)).await
        })
    }

    /// Asks, and does not have to wait.
    async fn have(&self, key: &'static str, brings: Result<u64, &'static str>) -> Outcome {
        let gate = Arc::new(Notify::new());
        gate.notify_one();
        self.ask(key, brings, &gate).await.expect("the task ends")
    }

    fn size(&self) -> (u64, u64) {
        holdings(&self.cache)
    }

    fn purge_everything(&self) {
        let everything = vec![Scope::default()];
        self.cache.purge(everything, Thoroughness::Drop, |_| true);
    }

    /// The value that is remembered, whatever its age.
    fn remembered(&self, key: &'static str) -> Option<u64> {
        self.cache
            .recall(&key, self.clock.now())
            .answer
            .map(|answer| answer.value)
    }

    /// Drops what is remembered under `key`, or on its way.
    fn invalidate(&self, key: &'static str) {
        self.purge(key, Thoroughness::Drop);
    }

    /// Has it be stale instead.
    fn expire(&self, key: &'static str) {
        self.purge(key, Thoroughness::Expire);
    }

    fn purge(&self, key: &'static str, thoroughness: Thoroughness) {
        let may_be_meant = |known: &_| *known == key;
        self.cache
            .purge(vec![Some(key)], thoroughness, may_be_meant);
    }
}

/// How much is kept: entries, and bytes.
fn holdings<K, V, E, S>(cache: &Cache<K, V, E, S>) -> (u64, u64)
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    S: Default + Eq + Hash + Send + Sync + 'static,
{
    cache.tidy();
    cache.size()
}

async fn outcome(boarded: Boarded<u64, &'static str, Outcome>) -> Outcome {
    let (seat, from) = match boarded {
        Boarded::Full => return Err(Not::Full),
        Boarded::Joined(seat) => (seat, From::Other),
        Boarded::Settled(settled) => return settled,
        Boarded::Started(seat) => (seat, From::Own),
    };
    let landed = seat.outcome().await.ok_or(Not::Broken)?;
    landed
        .outcome
        .map(|answer| (answer.value, from))
        .map_err(Not::Fault)
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

    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, From::Own)));
    bench.clock.advance(Duration::from_millis(9_999));
    assert_eq!(bench.have("k", Ok(2)).await, Ok((1, From::Memory)));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.have("k", Ok(3)).await, Ok((3, From::Own)));

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
        assert_eq!(other.await.expect("the task ends"), Ok((1, From::Other)));
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_fault_is_shared_and_remembered_for_its_time() {
    let bench = Bench::new(LIMITS);

    for _ in 0..5 {
        assert_eq!(bench.have("k", Err("down")).await, Err(Not::Fault("down")));
    }
    assert_eq!(bench.asked(), 1);

    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, From::Own)));
}

#[tokio::test]
async fn what_was_invalidated_on_its_way_is_given_to_those_who_wait_and_not_kept() {
    let bench = Bench::new(LIMITS);
    let (old_gate, new_gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let before = bench.ask("k", Ok(1), &old_gate);
    settle().await;

    bench.invalidate("k");
    let after = bench.ask("k", Ok(2), &new_gate);
    settle().await;
    old_gate.notify_one();
    assert_eq!(before.await.expect("ends"), Ok((1, From::Own)));
    assert_eq!(bench.remembered("k"), None, "the old answer is not kept");
    new_gate.notify_one();

    assert_eq!(after.await.expect("ends"), Ok((2, From::Own)));
    assert_eq!(bench.have("k", Ok(3)).await, Ok((2, From::Memory)));
}

#[tokio::test]
async fn what_was_invalidated_on_its_way_is_not_kept_though_others_were_since() {
    let bench = Bench::new(LIMITS);
    let gate = Arc::new(Notify::new());
    let waiting = bench.ask("k", Ok(1), &gate);
    settle().await;

    bench.invalidate("k");
    for seconds in [5, 5] {
        bench.clock.advance(Duration::from_secs(seconds));
        bench.invalidate("other");
    }
    gate.notify_one();

    assert_eq!(waiting.await.expect("ends"), Ok((1, From::Own)));
    assert_eq!(bench.remembered("k"), None);
}

#[tokio::test]
async fn a_new_answer_is_not_pushed_out_by_an_older_flight_that_lands_after_it() {
    let bench = Bench::new(LIMITS);
    let gate = Arc::new(Notify::new());
    let before = bench.ask("k", Ok(1), &gate);
    settle().await;

    bench.invalidate("k");
    assert_eq!(bench.have("k", Ok(2)).await, Ok((2, From::Own)));
    gate.notify_one();
    before.await.expect("ends").expect("an answer");

    assert_eq!(bench.have("k", Ok(3)).await, Ok((2, From::Memory)));
}

#[tokio::test]
async fn a_flight_that_breaks_off_frees_its_place_and_tells_those_who_wait() {
    let bench = Bench::new(LIMITS);

    let fetch = |_: &_| async { panic!("on purpose") };
    let broken = outcome(bench.cache.board(&"k", |_| None, fetch)).await;

    assert_eq!(broken, Err(Not::Broken));
    assert_eq!(bench.have("k", Ok(1)).await, Ok((1, From::Own)));
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

    assert_eq!(bench.have("k", Ok(2)).await, Err(Not::Full));
    assert_eq!(bench.have("other", Ok(2)).await, Err(Not::Full));

    gate.notify_one();
    for waiter in waiting.drain(..) {
        waiter.await.expect("the task ends").expect("an answer");
    }
    assert_eq!(bench.have("other", Ok(2)).await, Ok((2, From::Own)));
}

#[tokio::test]
async fn what_is_purged_on_its_way_counts_as_under_way_until_it_lands() {
    let bench = Bench::new(Limits {
        flights_max: 1,
        ..LIMITS
    });
    let gate = Arc::new(Notify::new());
    let waiting = bench.ask("k", Ok(1), &gate);
    settle().await;

    bench.invalidate("k");
    assert_eq!(bench.have("k", Ok(2)).await, Err(Not::Full));
    assert_eq!(bench.cache.under_way(), 1);

    gate.notify_one();
    let landed = waiting.await.expect("the task ends");
    assert_eq!(landed, Ok((1, From::Own)));
    assert_eq!(bench.cache.under_way(), 0);
    assert_eq!(bench.have("k", Ok(2)).await, Ok((2, From::Own)));
}

/// Another key each time.
fn key(number: u64) -> &'static str {
    Box::leak(format!("k{number}").into_boxed_str())
}

#[tokio::test]
async fn what_is_kept_stays_within_its_bytes() {
    let bytes_max = 100_000;
    let bench = Bench::new(Limits {
        bytes_max,
        ..LIMITS
    });
    for number in 0..1_000 {
        bench
            .have(key(number), Ok(number))
            .await
            .expect("an answer");
    }

    let weighed = bench.size().1;
    assert!(
        (bytes_max / 2..=bytes_max).contains(&weighed),
        "{weighed} bytes are kept"
    );
}

#[tokio::test]
async fn what_comes_into_a_full_cache_is_kept_however_much_the_rest_is_asked_for() {
    let bench = Bench::new(Limits {
        bytes_max: 100_000,
        ..LIMITS
    });
    let crowd: Vec<&str> = (0..100).map(key).collect();
    for _ in 0..10 {
        for key in &crowd {
            bench.have(key, Ok(1)).await.expect("an answer");
        }
        bench.cache.tidy();
    }

    bench.have("newcomer", Ok(2)).await.expect("an answer");
    bench.cache.tidy();

    assert_eq!(bench.remembered("newcomer"), Some(2));
}

#[tokio::test]
async fn what_is_minor_pushes_nothing_else_out() {
    let bench = Bench::new(Limits {
        bytes_max: 100_000,
        ..LIMITS
    });
    let major: Vec<&str> = (0..20).map(key).collect();
    for key in &major {
        bench.have(key, Ok(1)).await.expect("an answer");
    }

    for number in 0..2_000 {
        bench
            .have(key(1_000 + number), Ok(2_000_000))
            .await
            .expect("an answer");
        bench
            .have(key(9_000 + number), Err("down"))
            .await
            .expect_err("a fault");
    }
    bench.cache.tidy();

    let left = major
        .iter()
        .filter(|key| bench.remembered(key) == Some(1))
        .count();
    assert_eq!(left, 20);
}

#[tokio::test]
async fn a_fault_stands_beside_the_answer_and_not_in_its_place() {
    let bench = Bench::new(LIMITS);
    bench.have("k", Ok(1)).await.expect("an answer");
    bench.clock.advance(Duration::from_secs(10));

    assert_eq!(bench.have("k", Err("down")).await, Err(Not::Fault("down")));

    assert_eq!(bench.remembered("k"), Some(1));
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(
        bench.remembered("k"),
        Some(1),
        "as long as a stale answer may be of use"
    );
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.remembered("k"), None);
}

#[tokio::test]
async fn what_is_expired_is_remembered_and_no_longer_fresh() {
    let bench = Bench::new(LIMITS);
    bench.have("k", Ok(1)).await.expect("an answer");
    bench.clock.advance(Duration::from_secs(2));

    bench.expire("k");

    let answer = bench
        .cache
        .recall(&"k", bench.clock.now())
        .answer
        .expect("an answer");
    assert!(!answer.is_fresh(bench.clock.now()));
    assert_eq!(answer.lifetime(), Duration::from_secs(2));
}

#[tokio::test]
async fn what_is_expired_in_its_last_moment_of_use_is_remembered_as_long_as_if_it_were_not() {
    let bench = Bench::new(LIMITS);
    bench.have("k", Ok(1)).await.expect("an answer");
    bench.clock.advance(Duration::from_secs(40));

    bench.expire("k");

    assert_eq!(bench.remembered("k"), Some(1));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.remembered("k"), None);
}

#[tokio::test]
async fn an_answer_under_another_name_gives_way_to_a_newer_one_and_to_one_under_way() {
    let bench = Bench::new(LIMITS);
    let fetch = |value, name: &'static str| {
        let clock = bench.clock.clone();
        move |_: &_| async move {
            let answer =
                |value| Answer::new(value, clock.now(), clock.now(), Duration::from_secs(10));
            Ok(Fetched {
                answer: answer(value),
                other_name: Some((name, answer(value))),
            })
        }
    };
    let gate = Arc::new(Notify::new());
    let under_way = bench.ask("busy", Ok(5), &gate);
    settle().await;

    for (key, value, name) in [("a", 1, "free"), ("b", 2, "busy")] {
        outcome(bench.cache.board(&key, |_| None, fetch(value, name)))
            .await
            .expect("an answer");
    }
    assert_eq!(bench.remembered("free"), Some(1));
    assert_eq!(bench.remembered("busy"), None);

    outcome(bench.cache.board(&"c", |_| None, fetch(3, "free")))
        .await
        .expect("an answer");
    assert_eq!(
        bench.remembered("free"),
        Some(1),
        "the one that came at the same time stays"
    );
    bench.clock.advance(Duration::from_secs(1));
    outcome(bench.cache.board(&"d", |_| None, fetch(4, "free")))
        .await
        .expect("an answer");
    assert_eq!(bench.remembered("free"), Some(4));

    gate.notify_one();
    assert_eq!(under_way.await.expect("ends"), Ok((5, From::Own)));
}

#[tokio::test]
async fn what_has_grown_is_counted_again_if_it_is_still_the_same() {
    let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
    let values: Values<&str, Arc<AtomicUsize>, Scope> = Values {
        key_bytes: |key| key.len(),
        bytes: |size| size.load(Ordering::SeqCst),
        is_minor: |_| false,
        other_name: |_, _| None,
        lend: |size| {
            let size = Arc::downgrade(size);
            Arc::new(move || size.upgrade())
        },
        scopes: |key, _| vec![None, Some(key)],
    };
    let cache: Cache<_, _, (), _> = Cache::new(LIMITS, values, surroundings(&clock));
    let size = Arc::new(AtomicUsize::new(1_000));
    let fetch = |_: &_| {
        let answer = Answer::new(
            Arc::clone(&size),
            clock.now(),
            clock.now(),
            Duration::from_secs(9),
        );
        async move {
            Ok(Fetched {
                answer,
                other_name: None,
            })
        }
    };
    let Boarded::Started(seat) = cache.board(&"k", |_| None::<()>, fetch) else {
        panic!("nothing was under way");
    };
    seat.outcome()
        .await
        .expect("landed")
        .outcome
        .expect("an answer");
    let before = holdings(&cache).1;

    size.store(5_000, Ordering::SeqCst);
    cache.reweigh(&"k", |known| !Arc::ptr_eq(known, &size));
    assert_eq!(holdings(&cache).1, before, "it is another");
    cache.reweigh(&"k", |known| Arc::ptr_eq(known, &size));

    assert_eq!(holdings(&cache).1, before + 4_000);
    assert!(
        cache
            .recall(&"k", clock.now())
            .answer
            .is_some_and(|answer| answer.is_fresh(clock.now()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lands_while_the_bounds_change_is_remembered() {
    let bench = Bench::new(mebibytes(16));
    for number in 0..2_000 {
        bench.have(key(number), Ok(0)).await.expect("an answer");
    }

    let cache = Arc::clone(&bench.cache);
    let adjusting = tokio::task::spawn_blocking(move || {
        (0..20).for_each(|turn| cache.adjust(mebibytes(17 + turn)));
    });
    let mut value = 0;
    while !adjusting.is_finished() {
        value += 1;
        // What was there is no longer fresh.
        bench.clock.advance(Duration::from_secs(10));
        assert_eq!(bench.have("k", Ok(value)).await, Ok((value, From::Own)));
        assert_eq!(bench.remembered("k"), Some(value));
    }

    adjusting.await.expect("ends");
    assert!(value > 20, "{value} answers");
    assert_eq!(bench.remembered("k"), Some(value));
}

/// A value of so many bytes, and by which other name it is known.
type Body = Arc<(Vec<u8>, Option<&'static str>)>;

/// Keeps bodies, and has them asked for by either of two names.
struct Library {
    cache: Cache<&'static str, Body, (), Scope>,
    clock: Clock,
}

impl Library {
    fn new(bytes_max: u64) -> Self {
        let values = Values {
            key_bytes: |key: &&str| key.len(),
            bytes: |body: &Body| body.0.len(),
            is_minor: |_| false,
            other_name: |_, body| body.1,
            lend: |body| {
                let body = Arc::downgrade(body);
                Arc::new(move || body.upgrade())
            },
            scopes: |key, _| vec![None, Some(*key)],
        };
        let limits = Limits {
            bytes_max,
            ..LIMITS
        };
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let cache = Cache::new(limits, values, surroundings(&clock));
        Self { cache, clock }
    }

    /// Has a body of so many bytes come for `key`, and for the other name if there is one. Whether
    /// it is kept.
    async fn bring(
        &self,
        key: &'static str,
        bytes: usize,
        other_name: Option<&'static str>,
    ) -> bool {
        let (body, now) = (Body::new((vec![0; bytes], other_name)), self.clock.now());
        let answer = Answer::new(body, now, now, Duration::from_secs(9));
        let other_name = other_name.map(|name| (name, answer.clone()));
        let fetched = Fetched { answer, other_name };
        let fetch = |_: &_| async { Ok(fetched) };
        let Boarded::Started(seat) = self.cache.board(&key, |_| None::<()>, fetch) else {
            panic!("nothing was under way");
        };
        seat.outcome().await.expect("landed").is_kept
    }

    /// Bytes of what is remembered under a name.
    fn remembered(&self, key: &'static str) -> Option<usize> {
        self.cache
            .recall(&key, self.clock.now())
            .answer
            .map(|answer| answer.value.0.len())
    }

    fn weighed(&self) -> u64 {
        holdings(&self.cache).1
    }
}

#[tokio::test]
async fn what_is_known_by_two_names_is_counted_once() {
    let library = Library::new(1_000_000);

    library.bring("code", 50_000, Some("id")).await;

    assert_eq!(library.remembered("code"), Some(50_000));
    assert_eq!(library.remembered("id"), Some(50_000));
    let weighed = library.weighed();
    assert!((50_000..53_000).contains(&weighed), "{weighed} bytes");
}

#[tokio::test]
async fn what_was_lent_stays_when_another_answer_takes_the_place_of_its_owner() {
    let library = Library::new(1_000_000);
    library.bring("code", 50_000, Some("id")).await;

    library.clock.advance(Duration::from_secs(1));
    library.bring("code", 10_000, None).await;

    assert_eq!(library.remembered("code"), Some(10_000));
    assert_eq!(library.remembered("id"), Some(50_000));
    let weighed = library.weighed();
    assert!((60_000..63_000).contains(&weighed), "{weighed} bytes");
}

#[tokio::test]
async fn what_was_lent_is_gone_with_its_owner_when_there_is_no_room() {
    let library = Library::new(100_000);
    library.bring("code", 50_000, Some("id")).await;

    library.bring("large", 80_000, None).await;
    let weighed = library.weighed();

    assert!(weighed <= 100_000, "{weighed} bytes");
    // Which of the two goes is the store's business. What it drops it destroys when no other thread
    // may be looking at it.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while library.remembered("id") != library.remembered("code") {
        assert!(
            tokio::time::Instant::now() < deadline,
            "one outlives the other"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_larger_than_the_cache_is_said_not_to_be_kept() {
    let library = Library::new(100_000);

    for (bytes, expected) in [(80_000, true), (93_000, false)] {
        assert_eq!(library.bring("k", bytes, None).await, expected, "{bytes}");
        let remembered = expected.then_some(bytes);
        assert_eq!(library.remembered("k"), remembered, "{bytes}");
    }
}

#[tokio::test]
async fn a_purge_of_everything_leaves_nothing_and_takes_no_room() {
    let bench = Bench::new(LIMITS);
    bench.have("k", Ok(1)).await.expect("an answer");
    let store = Arc::downgrade(&bench.cache.store.load_full());

    bench.purge_everything();

    assert_eq!(bench.remembered("k"), None);
    assert_eq!(bench.size(), (0, 0));
    bench.cache.tasks.close();
    bench.cache.tasks.wait().await;
    assert!(store.upgrade().is_none(), "it is given back");
}

/// Whoever judges what is kept under the key `gate` comes to it, and goes on when it is come to again.
static GATE: Barrier = Barrier::new(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lands_after_a_purge_of_everything_while_the_bounds_change_is_remembered() {
    let values = Values {
        scopes: |&key, _| {
            if key == "gate" {
                GATE.wait();
                GATE.wait();
            }
            vec![None, Some(key)]
        },
        ..VALUES
    };
    let bench = Bench::keeping(values, mebibytes(16));
    for key in ["gate", "k", "other"] {
        bench.have(key, Ok(1)).await.expect("an answer");
    }
    // So that there is something to judge.
    bench.invalidate("another");

    let cache = Arc::clone(&bench.cache);
    let adjusting = tokio::task::spawn_blocking(move || cache.adjust(mebibytes(17)));
    GATE.wait();
    bench.purge_everything();
    assert_eq!(bench.have("k", Ok(2)).await, Ok((2, From::Own)));
    GATE.wait();
    adjusting.await.expect("ends");

    assert_eq!(bench.remembered("k"), Some(2));
    assert_eq!(bench.remembered("other"), None);
    assert_eq!(bench.size().0, 1);
}

#[tokio::test]
async fn an_answer_that_was_overtaken_by_a_purge_of_another_key_is_kept() {
    let bench = Bench::new(LIMITS);
    let gate = Arc::new(Notify::new());
    let waiting = bench.ask("k", Ok(1), &gate);
    settle().await;

    let other = vec![Some("other")];
    bench.cache.purge(other, Thoroughness::Drop, |_| true);
    gate.notify_one();
    waiting.await.expect("ends").expect("an answer");

    assert_eq!(bench.remembered("k"), Some(1));
}
