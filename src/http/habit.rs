//! What a caller says with every request, so that it is understood when it is said again.
//!
//! Whoever keeps a connection asks for one meeting after the other with the same header fields, but
//! for an id and a trace. So a head is compared with the one before it, if that was answered at once:
//! where nothing else is otherwise, what was made of that holds for this one too. For as long as the
//! same may ask, that is, and the proof of who it is has not ended. The target is vetted each time, and
//! of a key or a token nothing is kept but its BLAKE3: as good as the SHA-256 that a key is told by
//! else, and sooner had.

use std::ops::Range;
use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use memchr::memchr;

use super::access::Access;
use super::access::Proof;
use super::at_once::Asking;
use super::fields::Fields;
use super::front::TRACEPARENT;
use super::head;
use super::head::Head;
use super::request_id;
use super::request_id::X_REQUEST_ID;
use crate::meeting::view::Encoding;
use crate::service::Wish;

/// Bytes that are remembered at most, on each of many connections. With a head whose target is not too
/// long, these are never too many.
const BYTES_MAX: usize = 2 * 1024;

/// What a caller said with the last request, and what was made of it.
pub(super) struct Habit {
    /// From behind the request line to the end of the head, without what was cut.
    text: Vec<u8>,
    /// In their order.
    cuts: Vec<Cut>,
    /// What was borne, a key or a token: nothing else is kept of it.
    borne: Option<blake3::Hash>,
    proof: Proof,
    wish: Wish,
    encoding: Encoding,
    /// Where in the text the tags are of what the caller has already.
    tags: Option<Range<usize>>,
    /// Who could ask then.
    access: Arc<Access>,
    since: Timestamp,
}

/// A value that is not kept: it is another each time, or nobody's business.
struct Cut {
    /// Where it stood, in what is left.
    place: usize,
    of: Passing,
}

/// Whose it is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Passing {
    Authorization,
    RequestId,
    Traceparent,
}

impl Passing {
    const ALL: [Self; 3] = [Self::Authorization, Self::RequestId, Self::Traceparent];

    fn name(self) -> HeaderName {
        match self {
            Self::Authorization => AUTHORIZATION,
            Self::RequestId => X_REQUEST_ID,
            Self::Traceparent => TRACEPARENT,
        }
    }

    /// Whether a value that ends with its line may be one. As it would be read, that is: nothing stands
    /// before it or behind.
    fn may_be(self, value: &[u8]) -> bool {
        match self {
            // Its digest tells.
            Self::Authorization => true,
            Self::RequestId | Self::Traceparent => request_id::is_fit(value),
        }
    }
}

impl Habit {
    /// What can be told of the next request by this one, given who may ask now. `None` if there is too
    /// much of it, or something that would have to be read anew each time.
    pub(super) fn of(
        head: &Head<'_>,
        asking: &Asking<'_>,
        access: &Arc<Access>,
        now: Timestamp,
    ) -> Option<Self> {
        let whole = Some(head.lines).filter(|lines| lines.len() <= BYTES_MAX)?;
        let mut cuts: Vec<(Passing, &[u8])> = Vec::new();
        for of in Passing::ALL {
            let mut values = head.fields.lines(of.name());
            match (values.next(), values.next()) {
                (None, _) => {}
                (Some(value), None) if of.may_be(value) => cuts.push((of, value)),
                _ => return None,
            }
        }
        let mut places: Vec<_> = cuts
            .iter()
            .map(|(of, value)| Some((place_in(whole, value)?, *of, value.len())))
            .collect::<Option<_>>()?;
        places.sort_unstable_by_key(|(place, ..)| *place);
        let mut habit = Self {
            text: Vec::with_capacity(whole.len()),
            cuts: Vec::with_capacity(places.len()),
            borne: head.fields.only(AUTHORIZATION).map(blake3::hash),
            proof: asking.proof,
            wish: asking.wish,
            encoding: asking.encoding,
            tags: None,
            access: Arc::clone(access),
            since: now,
        };
        let mut rest = 0;
        for (start, of, length) in places {
            habit.text.extend_from_slice(whole.get(rest..start)?);
            let place = habit.text.len();
            habit.cuts.push(Cut { place, of });
            rest = start + length;
        }
        habit.text.extend_from_slice(whole.get(rest..)?);
        if let Some(tags) = asking.tags {
            let place = place_in(whole, tags)?;
            let cut = cuts
                .iter()
                .map(|(_, value)| (place_in(whole, value), value.len()));
            let cut_before = cut.filter(|(cut, _)| *cut < Some(place));
            let start = place - cut_before.map(|(_, length)| length).sum::<usize>();
            habit.tags = Some(start..start + tags.len());
        }
        Some(habit)
    }

    /// What is asked by the head at the beginning of what was received, and how long it is; if it is as
    /// the last one was, and what that one came to still holds.
    pub(super) fn heard<'a>(
        &'a self,
        received: &'a [u8],
        access: &Arc<Access>,
        now: Timestamp,
    ) -> Option<(Asking<'a>, usize)> {
        let holds =
            Arc::ptr_eq(access, &self.access) && (self.since..self.proof.good_until).contains(&now);
        let behind = received.strip_prefix(b"GET ").filter(|_| holds)?;
        let (target, behind) = behind.split_at_checked(memchr(b' ', behind)?)?;
        let target = str::from_utf8(target).ok();
        let target = target.filter(|target| head::is_plain_target(target))?;
        let mut rest = behind.strip_prefix(b" HTTP/1.1\r\n")?;
        let mut asking = Asking {
            target,
            request_id: None,
            traceparent: None,
            tags: self.tags.clone().and_then(|place| self.text.get(place)),
            proof: self.proof,
            wish: self.wish,
            encoding: self.encoding,
        };
        let mut done = 0;
        for Cut { place, of } in &self.cuts {
            rest = rest.strip_prefix(self.text.get(done..*place)?)?;
            done = *place;
            let value;
            (value, rest) = rest.split_at_checked(memchr(b'\r', rest)?)?;
            let value = Some(value).filter(|value| of.may_be(value))?;
            match of {
                // How long the comparison takes does not tell how much of them is the same.
                Passing::Authorization => {
                    self.borne.filter(|borne| blake3::hash(value) == *borne)?;
                }
                Passing::RequestId => asking.request_id = Some(value),
                Passing::Traceparent => asking.traceparent = Some(value),
            }
        }
        rest = rest.strip_prefix(self.text.get(done..)?)?;
        Some((asking, received.len() - rest.len()))
    }
}

/// Where a part of a text begins.
fn place_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let place = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let is_there = whole.get(place..place + part.len()) == Some(part);
    is_there.then_some(place)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::access::Origin;
    use super::super::access::Peer;
    use super::super::access::Roster;
    use super::super::access::Settings;
    use super::super::head::HeadReader;
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn of_a_key_nothing_is_kept_but_its_digest() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let listen = (Ipv4Addr::LOCALHOST, 1).into();
        let roster = Roster::new(&Settings::default(), &[], listen).expect("good settings");
        let access = Arc::new(Access::new(roster, clock.clone()));
        let request = |key: &str| {
            format!(
                "GET /m HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nAccept: */*\r\n\r\n"
            )
        };
        let head = request("canary");
        let origin = Origin::at(Peer::at(None));
        let learnt = HeadReader::default().inspect(head.as_bytes(), |head| {
            let now = clock.wall();
            let asking = Asking {
                target: head.target,
                request_id: None,
                traceparent: None,
                tags: None,
                proof: access.recognise(head.fields, &origin, now).expect("known"),
                wish: Wish::default(),
                encoding: Encoding::Identity,
            };
            Ok(Habit::of(head, &asking, &access, now))
        });
        let (habit, _) = learnt.expect("good").expect("complete");
        let habit = habit.expect("a habit");

        assert!(!habit.text.escape_ascii().to_string().contains("canary"));
        for (key, is_known) in [("canary", true), ("canarx", false), ("canary2", false)] {
            let again = request(key);
            let known = habit.heard(again.as_bytes(), &access, clock.wall());
            let length = known.map(|(_, length)| length);
            assert_eq!(length, is_known.then_some(again.len()), "{key}");
        }
    }
}
