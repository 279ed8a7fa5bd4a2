//! Who may ask, what they may see, and how often: `[access]`.
//!
//! ```text
//! roster       who there is, as the settings say; never changes
//!   keys       by an API key
//!   jwt        by a token that somebody else signed
//!   certificate    by the certificate of its connection, where it says nothing else
//! limits       what a caller has left of its limit, and how often an address failed: all that changes
//! ```
//!
//! A request is judged by its key before anything else of it is looked at, and then counts towards
//! its caller's limit, whatever comes of it. A request without a good key is told the same, whatever
//! is wrong with it.

mod certificate;
mod jwt;
mod keys;
mod limits;
#[cfg(feature = "measuring")]
pub(in crate::http) mod measuring;
mod origin;
mod roster;
mod settings;

use std::sync::Arc;

use jiff::Timestamp;

use self::limits::Allowance;
use self::limits::Failures;
use self::roster::Rights;
use super::fields::Fields;
use super::fields::Put;
use super::problem::Kind;
use super::problem::Problem;
use crate::clock::Clock;
use crate::meeting::view::Reveal;
use crate::wecom::AppName;

pub(super) use self::certificate::Certificate;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use self::jwt::fuzzing;
pub use self::keys::KeyDigest;
pub use self::keys::KeySettings;
pub use self::keys::generate_key;
pub(super) use self::limits::Peer;
pub(super) use self::origin::Origin;
pub(super) use self::roster::Proof;
pub use self::roster::Roster;
pub use self::settings::Algorithm;
pub use self::settings::CallerSettings;
pub use self::settings::JwtSettings;
pub use self::settings::Mode;
pub use self::settings::Settings;

/// Somebody who proved who they are; or anybody, where no proof is asked for.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    rights: Arc<Rights>,
    /// `None` where there is no limit.
    allowance: Option<Arc<Allowance>>,
}

impl Caller {
    fn new(rights: &Arc<Rights>, clock: &Clock) -> Self {
        let allowance = rights.limit.map(|limit| Allowance::new(limit, clock));
        Self {
            rights: Arc::clone(rights),
            allowance: allowance.map(Arc::new),
        }
    }

    /// What we call them; `None` for anybody.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        let name = &self.rights.name;
        (!name.is_empty()).then(|| Arc::clone(name))
    }

    /// The app they ask as where they name none: their first.
    pub(super) fn app(&self) -> Result<AppName, Problem> {
        self.rights.apps.first().cloned().ok_or_else(unknown_app)
    }

    /// What they may see.
    pub(super) fn reveal(&self) -> Reveal {
        self.rights.reveal
    }

    /// Counts a request towards their limit.
    pub(super) fn spend(&self) -> Result<(), Problem> {
        self.allowance.as_ref().map_or(Ok(()), |it| it.spend())
    }

    /// Tells their limit, where they have one, and what is left of it.
    pub(super) fn tell_limit(&self, fields: &mut impl Put) {
        if let Some(allowance) = &self.allowance {
            allowance.tell(fields);
        }
    }

    /// Whether this one, before, is the same with the same limit.
    fn continues(&self, before: &Self) -> bool {
        let limit = |caller: &Self| caller.allowance.as_deref().map(Allowance::limit);
        self.rights.name == before.rights.name && limit(self) == limit(before)
    }
}

/// Tells callers apart, and knows which apps there are.
#[derive(Debug)]
pub struct Access {
    roster: Roster,
    /// In the order of the roster.
    callers: Vec<Caller>,
    failures: Arc<Failures>,
    clock: Clock,
}

impl Access {
    /// Those on the roster may ask. Nobody has asked yet.
    pub fn new(roster: Roster, clock: Clock) -> Self {
        let callers = roster.callers();
        Self {
            callers: callers.map(|rights| Caller::new(rights, &clock)).collect(),
            failures: Arc::new(Failures::new(&clock)),
            roster,
            clock,
        }
    }

    /// The same, in place of `old`: a caller whose limit did not change has left what it had left,
    /// and an address that failed too often still did.
    #[must_use]
    pub fn carrying_over(mut self, old: &Self) -> Self {
        for caller in &mut self.callers {
            if let Some(before) = old.callers.iter().find(|before| caller.continues(before)) {
                caller.allowance.clone_from(&before.allowance);
            }
        }
        self.failures = Arc::clone(&old.failures);
        self
    }

    /// The caller who sends a request with these header fields from there. Counts it towards their
    /// limit.
    pub(super) fn admit(&self, fields: &impl Fields, origin: &Origin) -> Result<Caller, Problem> {
        let proof = self.recognise(fields, origin, self.clock.wall());
        let caller = proof.and_then(|proof| self.caller(proof));
        let caller = caller.ok_or_else(|| self.failures.refuse(origin.peer()))?;
        caller.spend()?;
        Ok(caller.clone())
    }

    /// Who sends it, if they prove it at that time. Nothing is counted yet.
    pub(super) fn recognise(
        &self,
        fields: &(impl Fields + ?Sized),
        origin: &Origin,
        now: Timestamp,
    ) -> Option<Proof> {
        self.roster.recognise(fields, origin.names(), now)
    }

    /// Who was proved to be here, and nowhere else.
    pub(super) fn caller(&self, proof: Proof) -> Option<&Caller> {
        self.callers.get(proof.caller)
    }

    /// The app of that name, if this caller may ask as it.
    pub(super) fn app(&self, caller: &Caller, name: &str) -> Result<AppName, Problem> {
        let app = self.roster.app(name).ok_or_else(unknown_app)?;
        if !caller.rights.apps.contains(app) {
            return Err(Problem::new(
                Kind::AppNotAllowed,
                "ask as one of the apps your key covers",
            ));
        }
        Ok(app.clone())
    }
}

fn unknown_app() -> Problem {
    Problem::new(Kind::UnknownApp, "no app of that name is set up")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use http::HeaderMap;
    use http::HeaderValue;
    use http::StatusCode;
    use http::header::AUTHORIZATION;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::tls::Name;

    /// Callers with their keys, named as they are, and their limits a second.
    fn access(callers: &[(&str, Option<u32>)], clock: &Clock) -> Access {
        let caller = |&(name, requests_per_second): &(&str, Option<u32>)| CallerSettings {
            name: name.to_owned(),
            key_sha256: vec![KeySettings {
                sha256: KeyDigest::of(name.as_bytes()),
                expires: None,
            }],
            tls_san: vec![
                format!("spiffe://example.com/{name}"),
                format!("{name}.example.com"),
            ],
            requests_per_second,
            ..CallerSettings::default()
        };
        let settings = Settings {
            callers: callers.iter().map(caller).collect(),
            ..Settings::default()
        };
        let listen = (Ipv4Addr::LOCALHOST, 1).into();
        let roster = Roster::new(&settings, &[], listen).expect("good settings");
        Access::new(roster, clock.clone())
    }

    /// How a request goes.
    fn ask(access: &Access, key: &str) -> StatusCode {
        let mut headers = HeaderMap::new();
        let field = format!("Bearer {key}").parse().expect("a value");
        headers.insert(AUTHORIZATION, field);
        status(access.admit(&headers, &from(Certificate::default())))
    }

    /// How a request goes that comes with a certificate of these names, and no key.
    fn ask_by(access: &Access, names: &[&str]) -> StatusCode {
        let certificate = Certificate::from(names);
        status(access.admit(&HeaderMap::new(), &from(certificate)))
    }

    /// Somewhere with that certificate.
    fn from(certificate: Certificate) -> Origin {
        let origin = Origin::at(Peer::at(None));
        origin.note(|| certificate);
        origin
    }

    fn status(admitted: Result<Caller, Problem>) -> StatusCode {
        admitted.map_or_else(|problem| problem.status(), |_| StatusCode::OK)
    }

    const OK: StatusCode = StatusCode::OK;
    const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    #[test]
    fn what_is_used_up_stays_used_up_where_the_limit_did_not_change() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let old = access(&[("a", Some(1)), ("b", Some(1)), ("c", Some(1))], &clock);
        for key in ["a", "b", "c"] {
            assert_eq!([ask(&old, key), ask(&old, key)], [OK, TOO_MANY], "{key}");
        }

        let limits = [("d", Some(1)), ("c", None), ("b", Some(2)), ("a", Some(1))];
        let new = access(&limits, &clock).carrying_over(&old);

        let asked = ["a", "b", "c", "d"].map(|key| ask(&new, key));
        assert_eq!(asked, [TOO_MANY, OK, OK, OK]);
        clock.advance(Duration::from_secs(1));
        assert_eq!([ask(&new, "a"), ask(&new, "a")], [OK, TOO_MANY]);
    }

    #[test]
    fn who_failed_too_often_still_did_after_a_change() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let old = access(&[("a", None)], &clock);
        let refused = [(); 40].map(|()| ask(&old, "wrong"));
        assert_eq!(refused[39], TOO_MANY);

        let new = access(&[("a", None)], &clock).carrying_over(&old);

        assert_eq!([ask(&new, "wrong"), ask(&new, "a")], [TOO_MANY, OK]);
    }

    #[test]
    fn a_caller_is_found_by_what_its_certificate_calls_it() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let access = access(&[("a", None), ("b", None)], &clock);
        let (a, b) = ("spiffe://example.com/a", "spiffe://example.com/b");
        for (names, expected) in [
            (&[b][..], Some("b")),
            (
                &["spiffe://example.com/x", b, "proxy.example.com"],
                Some("b"),
            ),
            (&[b, "b.example.com"], Some("b")),
            (&["B.Example.COM"], Some("b")),
            (&[a, b], None),
            (&["spiffe://example.com/B"], None),
            (&["b"], None),
            (&[""], None),
            (&[], None),
        ] {
            let certificate = Certificate::from(names);
            let found = access.admit(&HeaderMap::new(), &from(certificate));
            let name = found.ok().and_then(|caller| caller.name());
            assert_eq!(name.as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn a_name_of_one_kind_is_not_one_of_the_other() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let access = access(&[("a", None)], &clock);
        let same = Name::Uri("a.example.com".to_owned());

        let certificate = Certificate::from_names([same]);

        let found = access.admit(&HeaderMap::new(), &from(certificate));
        assert!(found.is_err(), "{found:?}");
    }

    #[test]
    fn requests_by_certificate_and_by_key_count_towards_one_limit() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let access = access(&[("a", Some(2))], &clock);

        let asked = [
            ask_by(&access, &["a.example.com"]),
            ask(&access, "a"),
            ask_by(&access, &["a.example.com"]),
            ask(&access, "a"),
        ];

        assert_eq!(asked, [OK, OK, TOO_MANY, TOO_MANY]);
    }

    #[test]
    fn who_comes_with_a_key_is_judged_by_it_whatever_the_certificate_says() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let access = access(&[("a", None), ("b", None)], &clock);
        let certificate = Certificate::from(&["a.example.com"][..]);
        for (field, expected) in [
            ("Bearer b", Some("b")),
            ("Bearer wrong", None),
            ("Basic b", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, field.parse().expect("a value"));

            let found = access.admit(&headers, &from(certificate.clone()));

            let name = found.ok().and_then(|caller| caller.name());
            assert_eq!(name.as_deref(), expected, "{field:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_field_the_refusal_is_the_same(
            fields in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    "(B|b)earer {1,2}[a-z.]{0,5}".prop_map(String::into_bytes),
                    "Bearer( key)?,? ?key".prop_map(String::into_bytes),
                ],
                0..3,
            ),
        ) {
            let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
            let access = access(&[("the-key", None)], &clock);
            let mut headers = HeaderMap::new();
            let values = fields.iter().filter_map(|field| HeaderValue::from_bytes(field).ok());
            for value in values {
                headers.append(AUTHORIZATION, value);
            }

            let nowhere = from(Certificate::default());
            let refusal = |headers| format!("{:?}", access.admit(headers, &nowhere).err());

            prop_assert_eq!(refusal(&headers), refusal(&HeaderMap::new()));
        }
    }
}
