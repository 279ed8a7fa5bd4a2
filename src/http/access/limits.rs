//! How often somebody may ask: callers by their limit, and whoever fails to prove who they are by
//! their address.
//!
//! A good key is let in whatever its address did before: behind one address there may be a gateway
//! with all callers, and one of them may have a wrong key. So only what fails is slowed down.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;

use super::super::fields::Put;
use super::super::problem::Problem;
use super::super::words::Words;
use crate::clock::Clock;
use crate::pace::Pace;

/// Fields of draft-ietf-httpapi-ratelimit-headers-11.
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

const SECOND: Duration = Duration::from_secs(1);

/// How many requests of one address may fail at once ...
const FAILURES_AT_ONCE: u32 = 30;

/// ... and then a second, before it is told to wait.
const FAILURES_PER_SECOND: u32 = 1;

/// Failures are counted in so many slots. Addresses that share one slow each other down, which
/// costs them nothing but a 429 where there was a 401.
const FAILURE_SLOTS: usize = 1024;

/// How many requests a caller may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Limit {
    pub(super) per_second: u32,
    /// How many of those at once.
    pub(super) burst: u32,
}

impl Limit {
    /// The limit as `RateLimit-Policy` has it: over the shortest window, in whole seconds, in which
    /// a burst comes back.
    fn policy(self) -> String {
        let Self { per_second, burst } = self;
        let window = burst.div_ceil(per_second.max(1)).max(1);
        let quota = u64::from(per_second) * u64::from(window);
        format!("\"caller\";q={quota};w={window}")
    }
}

/// What a caller has left of its limit.
#[derive(Debug)]
pub(super) struct Allowance {
    limit: Limit,
    policy: String,
    pace: Pace,
}

impl Allowance {
    pub(super) fn new(limit: Limit, clock: &Clock) -> Self {
        Self {
            limit,
            policy: limit.policy(),
            pace: Pace::new(SECOND, limit.per_second, limit.burst, clock.clone()),
        }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    /// Counts a request.
    pub(super) fn spend(&self) -> Result<(), Problem> {
        let Err(too_soon) = self.pace.check() else {
            return Ok(());
        };
        let problem = Problem::too_many_requests("you have used up your limit", too_soon.wait);
        let mut fields = HeaderMap::new();
        self.tell_remaining(0, &mut fields);
        Err(problem.with_headers(&fields))
    }

    /// Tells the limit, and what is left of it.
    pub(super) fn tell(&self, fields: &mut impl Put) {
        self.tell_remaining(self.pace.remaining(), fields);
    }

    /// At one a second or more, the next request is never more than a second away: that is the
    /// window in which no more can be used, in the whole seconds that the field knows.
    fn tell_remaining(&self, remaining: u32, fields: &mut impl Put) {
        fields.put(RATELIMIT_POLICY, self.policy.as_bytes());
        let mut limit = Words::new();
        limit.text("\"caller\";r=").number(remaining.into());
        fields.put(RATELIMIT, limit.text(";t=1").as_bytes());
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http) struct Peer(IpAddr);

impl Peer {
    /// Whoever is at this address. One who is gone already, and has none any more, counts as one
    /// with all others of whom nothing is known.
    pub(in crate::http) fn at(address: Option<SocketAddr>) -> Self {
        Self(address.map_or(Ipv6Addr::UNSPECIFIED.into(), |address| address.ip()))
    }

    /// What is taken for one: an address of IPv4, or a network of IPv6, which is what one has there.
    fn neighbourhood(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [one, two, three, four, ..] = address.segments();
                Ipv6Addr::new(one, two, three, four, 0, 0, 0, 0).into()
            }
        }
    }
}

/// Counts the requests that fail to prove who sends them, by where they come from.
#[derive(Debug)]
pub(super) struct Failures {
    slots: Vec<Pace>,
    /// Which addresses share a slot is different in each process: nobody can choose their company.
    hasher: RandomState,
}

impl Failures {
    pub(super) fn new(clock: &Clock) -> Self {
        let slot = || Pace::new(SECOND, FAILURES_PER_SECOND, FAILURES_AT_ONCE, clock.clone());
        Self {
            slots: std::iter::repeat_with(slot).take(FAILURE_SLOTS).collect(),
            hasher: RandomState::new(),
        }
    }

    /// What a request is told that fails.
    pub(super) fn refuse(&self, peer: Peer) -> Problem {
        match self.slot(peer).map(Pace::check) {
            None | Some(Ok(_)) => Problem::unauthenticated(),
            Some(Err(too_soon)) => Problem::too_many_requests(
                "too many requests from your address had no good key",
                too_soon.wait,
            ),
        }
    }

    fn slot(&self, peer: Peer) -> Option<&Pace> {
        let slots = u64::try_from(self.slots.len()).ok()?;
        let number = self
            .hasher
            .hash_one(peer.neighbourhood())
            .checked_rem(slots)?;
        self.slots.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use jiff::Timestamp;

    use super::*;

    fn peer(text: &str) -> Peer {
        Peer(text.parse().expect("an address"))
    }

    #[test]
    fn a_policy_tells_the_rate_and_room_for_a_burst() {
        for (per_second, burst, expected) in [
            (200, 200, "\"caller\";q=200;w=1"),
            (200, 10, "\"caller\";q=200;w=1"),
            (10, 50, "\"caller\";q=50;w=5"),
            (10, 51, "\"caller\";q=60;w=6"),
            (1, u32::MAX, "\"caller\";q=4294967295;w=4294967295"),
        ] {
            assert_eq!(Limit { per_second, burst }.policy(), expected);
        }
    }

    #[test]
    fn failures_are_counted_by_address_and_only_slowed_down() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let failures = Failures::new(&clock);
        let status = |peer| failures.refuse(peer).status();
        let one = peer("192.0.2.1");

        for _ in 0..FAILURES_AT_ONCE {
            assert_eq!(status(one), StatusCode::UNAUTHORIZED);
        }
        assert_eq!(status(one), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            status(peer("::ffff:192.0.2.1")),
            StatusCode::TOO_MANY_REQUESTS
        );

        let mut others = (2..255).map(|last| peer(&format!("192.0.2.{last}")));
        let shares_no_slot = |other: &Peer| {
            let slots = [one, *other].map(|peer| failures.slot(peer).expect("a slot"));
            !std::ptr::eq(slots[0], slots[1])
        };
        let other = others.find(shares_no_slot).expect("another slot");
        assert_eq!(status(other), StatusCode::UNAUTHORIZED);

        clock.advance(SECOND);
        assert_eq!(status(one), StatusCode::UNAUTHORIZED);
        assert_eq!(status(one), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn a_network_of_ipv6_is_one_neighbourhood() {
        for (one, other, same) in [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let is_same = peer(one).neighbourhood() == peer(other).neighbourhood();
            assert_eq!(is_same, same, "{one}, {other}");
        }
    }
}
