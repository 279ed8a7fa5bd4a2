//! What is known about one app's token, and what each piece of news makes of it.
//!
//! Pure: it is told the time and the news, and asks nobody.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::wecom::Fault;
use crate::wecom::fault::Garbled;
use crate::wecom::fault::Limit;
use crate::wecom::reply;
use crate::wecom::report::TokenReport;

/// However long WeCom says that a token lives, we do not believe more (7,200 s is normal).
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Nor less: a token of no lifetime at all would have us ask for ever.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// The part of its life at whose end a token is no longer used, a twentieth but not more than this.
const MARGIN_MAX: Duration = Duration::from_secs(60);

/// Proof that WeCom knows us. Prints as `[REDACTED]`.
#[derive(Debug)]
pub(in crate::wecom) struct AccessToken {
    secret: SecretString,
    asked_at: Instant,
    /// When to ask for the next one: after four fifths of its life.
    renew_at: Instant,
    /// From when on it is no longer used.
    unusable_at: Instant,
    /// Whether it was asked for because another was refused.
    replaces_refused: bool,
    /// Whether WeCom has accepted it for any question.
    proven: AtomicBool,
}

impl AccessToken {
    /// The token itself, for the one query parameter that needs it.
    pub(in crate::wecom) fn reveal(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Notes that WeCom accepted it.
    pub(in crate::wecom) fn accepted(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

/// How an app stands with WeCom.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// WeCom gives it no token, for a reason that only a person can cure, and none is left.
    Refused,
    /// A token was had, or failed to be had for a reason that waiting may cure.
    Served,
    /// Not known yet.
    #[default]
    Unknown,
}

/// What is known about one app's token.
#[derive(Debug, Default)]
pub(super) struct State {
    token: Option<Arc<AccessToken>>,
    failure: Option<Failure>,
    refused: Option<Refused>,
    streak: Streak,
    standing: Standing,
}

/// Why the last attempt to have a token failed. Whoever asks before `again_at` inherits it.
#[derive(Clone, Debug)]
struct Failure {
    fault: Fault,
    again_at: Instant,
}

/// Failures of one kind without a success between.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    needs_a_person: bool,
    length: u32,
}

/// The last token that WeCom gave us, and then refused. It is never used again, even if WeCom gives
/// it again.
#[derive(Debug)]
struct Refused {
    secret: SecretString,
    errcode: i64,
    /// Whether another has come in its place.
    is_replaced: bool,
}

impl State {
    /// How the app stands with WeCom at `now`. As long as a token is usable, it is served, whatever
    /// became of the next one.
    pub(super) fn standing(&self, now: Instant) -> Standing {
        self.usable(now).map_or(self.standing, |_| Standing::Served)
    }

    /// Why the last attempt failed, and for how many times in a row; `None` if it did not.
    pub(super) fn failure(&self) -> Option<(&Fault, u32)> {
        Some((&self.failure.as_ref()?.fault, self.streak.length))
    }

    /// Until when the token that is held can be used, if one is held.
    pub(super) fn token_good_until(&self) -> Option<Instant> {
        self.token.as_ref().map(|token| token.unusable_at)
    }

    /// How old the token is that is held at `now`, and for how long it is still good.
    pub(super) fn token_report(&self, now: Instant) -> Option<TokenReport> {
        let token = self.token.as_ref()?;
        let expires_in = token.unusable_at.checked_duration_since(now)?;
        Some(TokenReport {
            age_seconds: now.saturating_duration_since(token.asked_at).as_secs(),
            expires_in_seconds: expires_in.as_secs(),
        })
    }

    /// Why there is no token at `now`, and from when on it is asked for again; `None` if there is
    /// one, or it is worth waiting for one.
    pub(super) fn missing(&self, now: Instant) -> Option<(Fault, Instant)> {
        self.known(now)?.err()?;
        let Failure { fault, again_at } = self.failure.as_ref()?;
        Some((fault.clone(), *again_at))
    }

    /// Notes that a person has acted: what only a person can cure is tried again at once.
    pub(super) fn take_heart(&mut self) {
        let may_be_cured = |failure: &mut Failure| failure.fault.needs_a_person();
        if self.failure.take_if(may_be_cured).is_some() {
            self.streak = Streak::default();
        }
    }

    /// What may be said at `now` without asking: a usable token, or a failure too recent to try
    /// again. `None` means that it is worth waiting.
    pub(super) fn known(&self, now: Instant) -> Option<Result<Arc<AccessToken>, Fault>> {
        if let Some(token) = self.usable(now) {
            return Some(Ok(Arc::clone(token)));
        }
        let failure = self
            .failure
            .as_ref()
            .filter(|failure| now < failure.again_at)?;
        Some(Err(failure.fault.clone()))
    }

    fn usable(&self, now: Instant) -> Option<&Arc<AccessToken>> {
        self.token.as_ref().filter(|token| now < token.unusable_at)
    }

    /// When to ask for a token; `None` for at once.
    pub(super) fn due(&self) -> Option<Instant> {
        match (&self.failure, &self.token) {
            (Some(failure), _) => Some(failure.again_at),
            (None, Some(token)) => Some(token.renew_at),
            (None, None) => None,
        }
    }

    pub(super) fn accept(&mut self, mut token: AccessToken, now: Instant) {
        if let Some(refused) = &mut self.refused {
            if refused.secret.expose_secret() == token.reveal() {
                let fault = Fault::Refused {
                    errcode: refused.errcode,
                };
                return self.fail(fault, now);
            }
            token.replaces_refused = !refused.is_replaced;
            refused.is_replaced = true;
        }
        if !token.replaces_refused {
            self.streak = Streak::default();
        }
        self.token = Some(Arc::new(token));
        self.failure = None;
        self.standing = Standing::Served;
    }

    pub(super) fn fail(&mut self, fault: Fault, now: Instant) {
        let needs_a_person = fault.needs_a_person();
        if self.failure.is_none() && self.token.as_ref().is_some_and(|token| token.is_proven()) {
            self.streak = Streak::default();
        }
        let before = Some(self.streak).filter(|streak| streak.needs_a_person == needs_a_person);
        let length = 1 + before.map_or(0, |streak| streak.length);
        self.streak = Streak {
            needs_a_person,
            length,
        };
        self.standing = if needs_a_person {
            Standing::Refused
        } else {
            Standing::Served
        };
        // A block says itself how long it lasts.
        let again_at = fault
            .until()
            .unwrap_or_else(|| now + pause_after(&fault, length));
        self.failure = Some(Failure {
            fault: fault.lasting_until(again_at),
            again_at,
        });
    }

    /// Whether anything changed: a refusal of a token that is no longer held is old news.
    pub(super) fn refuse(&mut self, token: &AccessToken, errcode: i64, now: Instant) -> bool {
        let is_same = |held: &mut Arc<AccessToken>| held.reveal() == token.reveal();
        let Some(held) = self.token.take_if(is_same) else {
            return false;
        };
        let secret = held.secret.clone();
        self.refused = Some(Refused {
            secret,
            errcode,
            is_replaced: false,
        });
        if held.is_proven() || token.is_proven() {
            self.streak = Streak::default();
        } else if held.replaces_refused {
            // The token that replaced a refused one is refused as well: a third will not help.
            self.fail(Fault::Refused { errcode }, now);
        }
        true
    }
}

/// How long to let WeCom be, after so many failures of this kind in a row.
fn pause_after(fault: &Fault, in_a_row: u32) -> Duration {
    let (first, longest) = match fault {
        Fault::RateLimited {
            reason: Limit::OwnQuota | Limit::Quota { .. },
            ..
        } => (Duration::from_secs(60), Duration::from_secs(60)),
        Fault::Refused { .. } => (Duration::from_secs(5), Duration::from_secs(600)),
        Fault::Crowded
        | Fault::Garbled(_)
        | Fault::NoSuchApp
        | Fault::RateLimited {
            reason: Limit::Concurrency { .. } | Limit::Status429,
            ..
        }
        | Fault::Rejected { .. }
        | Fault::TimedOut
        | Fault::Unavailable { .. }
        | Fault::Unknown { .. } => (Duration::from_millis(500), Duration::from_secs(10)),
    };
    let doubled = 2_u32.saturating_pow(in_a_row.saturating_sub(1));
    first.saturating_mul(doubled).min(longest)
}

/// The token in WeCom's answer to a question sent at `asked_at`.
pub(super) fn granted(
    object: &Map<String, Value>,
    asked_at: Instant,
    granted_at: Instant,
) -> Result<AccessToken, Fault> {
    let incomplete = |name| Fault::Garbled(Garbled::Incomplete(name));
    let text = object
        .get("access_token")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    let seconds = object
        .get("expires_in")
        .and_then(reply::number)
        .and_then(|seconds| u64::try_from(seconds).ok());
    let life = Duration::from_secs(seconds.ok_or(incomplete("expires_in"))?);
    let life = life.clamp(LIFE_MIN, LIFE_MAX);
    let margin = (life / 20).min(MARGIN_MAX);
    Ok(AccessToken {
        secret: text.ok_or(incomplete("access_token"))?.into(),
        asked_at,
        // However short its life and long its way: never in a loop.
        renew_at: (asked_at + life * 4 / 5).max(granted_at + LIFE_MIN),
        unusable_at: asked_at + life.saturating_sub(margin),
        replaces_refused: false,
        proven: AtomicBool::new(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::wecom::fault::Outage;

    const REFUSED: Fault = Fault::Refused { errcode: 40001 };
    const BROKEN: Fault = Fault::Unavailable {
        outage: Outage::Broken,
        until: None,
    };

    #[test]
    fn pauses_grow_with_each_failure_up_to_a_longest() {
        let slow_down = Fault::rate_limited(Limit::Quota { errcode: 45009 });
        let crowded = Fault::rate_limited(Limit::Concurrency { errcode: 45033 });
        for (fault, in_a_row, pause_ms) in [
            (&REFUSED, 1, 5_000),
            (&REFUSED, 2, 10_000),
            (&REFUSED, 7, 320_000),
            (&REFUSED, 8, 600_000),
            (&REFUSED, u32::MAX, 600_000),
            (&BROKEN, 1, 500),
            (&BROKEN, 5, 8_000),
            (&BROKEN, 6, 10_000),
            (&slow_down, 1, 60_000),
            (&slow_down, 9, 60_000),
            (&crowded, 1, 500),
            (&crowded, 9, 10_000),
        ] {
            let pause = Duration::from_millis(pause_ms);
            assert_eq!(
                pause_after(fault, in_a_row),
                pause,
                "{fault} for the {in_a_row}th time"
            );
        }
    }

    fn token(text: &str, now: Instant) -> AccessToken {
        let object = serde_json::json!({"access_token": text, "expires_in": "7200"});
        granted(object.as_object().expect("an object"), now, now).expect("a token")
    }

    fn usable(state: &State, now: Instant) -> Option<String> {
        let known = state.known(now)?.ok()?;
        Some(known.reveal().to_owned())
    }

    #[test]
    fn a_token_is_renewed_after_four_fifths_and_unused_in_its_last_minute() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);

        assert_eq!(state.due(), Some(now + Duration::from_secs(5_760)));
        assert_eq!(
            usable(&state, now + Duration::from_secs(7_139)),
            Some("t1".to_owned())
        );
        assert_eq!(usable(&state, now + Duration::from_secs(7_140)), None);
    }

    #[test]
    fn a_late_refusal_of_an_old_token_leaves_the_new_one_alone() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);
        let old = state.token.clone().expect("a token");

        assert!(state.refuse(&old, 40014, now));
        state.accept(token("t2", now), now);
        assert!(!state.refuse(&old, 40014, now));

        assert_eq!(usable(&state, now), Some("t2".to_owned()));
    }

    #[test]
    fn a_refused_token_that_is_given_again_is_a_failure() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);
        let held = state.token.clone().expect("a token");
        held.accepted();

        state.refuse(&held, 42001, now);
        state.accept(token("t1", now), now);

        let fault = state.known(now).expect("known").expect_err("a failure");
        assert_eq!(fault, Fault::Refused { errcode: 42001 });
        assert_eq!(state.standing, Standing::Refused);
    }

    #[test]
    fn a_second_token_refused_without_ever_being_accepted_ends_the_asking() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        for text in ["t1", "t2"] {
            assert!(state.known(now).is_none(), "{text} is worth asking for");
            state.accept(token(text, now), now);
            let held = state.token.clone().expect("a token");
            state.refuse(&held, 40014, now);
        }

        assert!(state.known(now).is_some_and(|known| known.is_err()));
        assert_eq!(state.due(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn tokens_that_are_refused_one_after_another_are_asked_for_ever_more_seldom() {
        let mut now = Clock::of_the_machine().now();
        let mut state = State::default();
        let mut refuse_next = |text: &str| {
            state.accept(token(text, now), now);
            let held = state.token.clone().expect("a token");
            state.refuse(&held, 40014, now);
            let pause = state.due().map_or(Duration::ZERO, |due| due - now);
            now += pause;
            pause.as_secs()
        };

        let pauses = ["t1", "t2", "t3", "t4", "t5"].map(&mut refuse_next);

        assert_eq!(pauses, [0, 5, 10, 20, 40]);
    }

    #[test]
    fn a_token_that_was_renewed_in_time_is_replaced_when_it_is_refused() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);
        let first = state.token.clone().expect("a token");
        state.refuse(&first, 40014, now);
        state.accept(token("t2", now), now);

        // Nobody used the second; the third came in its time, and is refused.
        state.accept(token("t3", now), now);
        let third = state.token.clone().expect("a token");
        state.refuse(&third, 42001, now);

        assert!(state.known(now).is_none(), "a fourth is worth asking for");
    }

    #[test]
    fn a_refusal_is_of_the_token_whichever_copy_of_it_was_used() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);
        let copy = state.token.clone().expect("a token");
        state.accept(token("t1", now), now);

        assert!(state.refuse(&copy, 40014, now));
        assert!(state.known(now).is_none());
    }

    #[test]
    fn a_token_of_no_lifetime_is_not_asked_for_in_a_loop() {
        let asked_at = Clock::of_the_machine().now();
        let granted_at = asked_at + Duration::from_secs(3);
        let object = serde_json::json!({"access_token": "t1", "expires_in": 0});
        let object = object.as_object().expect("an object");

        let token = granted(object, asked_at, granted_at).expect("a token");

        assert_eq!(token.renew_at, granted_at + Duration::from_secs(1));
    }

    #[test]
    fn a_failed_renewal_leaves_the_old_token_in_use() {
        let now = Clock::of_the_machine().now();
        let mut state = State::default();
        state.accept(token("t1", now), now);

        state.fail(BROKEN, now);

        assert_eq!(usable(&state, now), Some("t1".to_owned()));
        assert_eq!(state.due(), Some(now + Duration::from_millis(500)));
    }

    #[test]
    fn a_grant_without_a_token_or_a_lifetime_is_garbled() {
        let now = Clock::of_the_machine().now();
        for object in [
            serde_json::json!({"expires_in": 7200}),
            serde_json::json!({"access_token": "", "expires_in": 7200}),
            serde_json::json!({"access_token": "t1"}),
            serde_json::json!({"access_token": "t1", "expires_in": -1}),
        ] {
            let object = object.as_object().expect("an object");
            assert!(
                matches!(granted(object, now, now), Err(Fault::Garbled(_))),
                "{object:?}"
            );
        }
    }
}
