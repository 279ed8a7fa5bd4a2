//! The house against a naive cache, written from the contract's words: whatever callers, operators,
//! WeCom and the clock do, both must tell callers the same, at the same price in questions.
//!
//! The model takes one request at a time and counts whole milliseconds. It does without everything
//! that makes the house fast: one map, no flights, no bounds, no tasks. Where the contract leaves a
//! choice, a comment says which one it follows.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use proptest::test_runner::TestCaseResult;
use proptest::test_runner::TestError;
use proptest::test_runner::TestRunner;
use serde_json::json;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::house::House;
use crate::house::Reply;

/// Small, and no two alike, so that every window is crossed often and none is taken for another.
const NOT_STARTED_MS: u64 = 6_000;
const IN_PROGRESS_MS: u64 = 2_500;
const ENDED_MS: u64 = 21_000;
const CANCELLED_MS: u64 = 17_000;
const EXPIRED_MS: u64 = 9_000;
const UNKNOWN_MS: u64 = 300;
const BY_CODE_MAX_MS: u64 = 4_200;
const ABSENT_MS: u64 = 3_100;
const FAULT_MS: u64 = 700;
const LIFETIME_MIN_MS: u64 = 1_000;

/// How long a meeting that has a start lasts.
const MEETING_S: u64 = 5;

/// A background renewal on loopback takes a few milliseconds.
const RENEWED_WITHIN: Duration = Duration::from_secs(5);

/// For how long stale answers are served, and how often newer ones can be had.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a number names its unit")]
struct Terms {
    while_revalidate_ms: u64,
    if_error_ms: u64,
    min_refresh_ms: u64,
}

/// Either of the two windows may be the longer one. (A lifetime may be shorter than the pause
/// between two refreshes: once the answer is stale, that pause holds nobody back.)
const TERMS: [Terms; 2] = [
    Terms {
        while_revalidate_ms: 2_000,
        if_error_ms: 13_000,
        min_refresh_ms: 1_400,
    },
    Terms {
        while_revalidate_ms: 11_000,
        if_error_ms: 4_000,
        min_refresh_ms: 1_400,
    },
];

/// How many seconds old an answer is, and may be for a caller: few enough that the two often meet.
const AGES_S: [u64; 3] = [0, 2, 4];

/// For how many seconds an answer has been stale, and may have been for a caller: few enough that
/// the two often meet.
const STALE_S: [u64; 3] = [0, 3, 7];

impl Terms {
    fn settings(self) -> Vec<(&'static str, String)> {
        let Self {
            while_revalidate_ms,
            if_error_ms,
            min_refresh_ms,
        } = self;
        let settings = [
            ("cache.stale_while_revalidate", while_revalidate_ms),
            ("cache.stale_if_error", if_error_ms),
            ("cache.min_refresh_interval", min_refresh_ms),
            ("cache.fresh_for.not_started", NOT_STARTED_MS),
            ("cache.fresh_for.in_progress", IN_PROGRESS_MS),
            ("cache.fresh_for.ended", ENDED_MS),
            ("cache.fresh_for.cancelled", CANCELLED_MS),
            ("cache.fresh_for.expired", EXPIRED_MS),
            ("cache.fresh_for.unknown", UNKNOWN_MS),
            ("cache.fresh_for.by_code_max", BY_CODE_MAX_MS),
            ("cache.fresh_for.absent", ABSENT_MS),
            ("cache.fresh_for.fault", FAULT_MS),
        ];
        settings
            .map(|(key, ms)| (key, format!("{ms}ms")))
            .into_iter()
            .collect()
    }
}

/// What a caller can ask for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Name {
    Code(&'static str),
    Id(&'static str),
}

impl Name {
    fn path(self) -> String {
        match self {
            Self::Code(code) => format!("/meetings/by-code/{code}"),
            Self::Id(id) => format!("/meetings/{id}"),
        }
    }
}

/// What stays as it is about a meeting.
#[derive(Clone, Copy, Debug)]
struct Character {
    id: &'static str,
    code: &'static str,
    r#type: u8,
}

const ONE_TIME: u8 = 0;
const RECURRING: u8 = 1;
const PERSONAL_ROOM: u8 = 5;

const SHARED_CODE: &str = "446153273";

/// The first two share a number: it stands for the one that WeCom touched last.
const CHARACTERS: [Character; 4] = [
    Character {
        id: "once",
        code: SHARED_CODE,
        r#type: ONE_TIME,
    },
    Character {
        id: "other",
        code: SHARED_CODE,
        r#type: ONE_TIME,
    },
    Character {
        id: "series",
        code: "555000111",
        r#type: RECURRING,
    },
    Character {
        id: "room",
        code: "777000222",
        r#type: PERSONAL_ROOM,
    },
];

/// Every name there is, and two that never stand for anything.
const NAMES: [Name; 9] = [
    Name::Id("once"),
    Name::Code(SHARED_CODE),
    Name::Id("other"),
    Name::Id("series"),
    Name::Code("555000111"),
    Name::Id("room"),
    Name::Code("777000222"),
    Name::Id("nobody"),
    Name::Code("999999999"),
];

/// What WeCom tells of a meeting from now on.
#[derive(Clone, Copy, Debug)]
struct Change {
    who: Character,
    status: u8,
    /// Whether its id and its number are in the answer.
    tells_names: bool,
    /// In how many seconds it begins; `None` where WeCom tells no times.
    begins_in_s: Option<u64>,
}

/// `max-stale` of a request: how stale an answer may be.
#[derive(Clone, Copy, Debug, Default)]
enum MaxStale {
    However,
    Seconds(u64),
    #[default]
    Unsaid,
}

/// `Cache-Control` of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Directives {
    max_age_s: Option<u64>,
    max_stale: MaxStale,
    min_fresh_s: Option<u64>,
    no_cache: bool,
    only_if_cached: bool,
}

impl Directives {
    fn header(self) -> String {
        let Self {
            max_age_s,
            max_stale,
            min_fresh_s,
            no_cache,
            only_if_cached,
        } = self;
        let directives = [
            max_age_s.map(|seconds| format!("max-age={seconds}")),
            match max_stale {
                MaxStale::However => Some("max-stale".to_owned()),
                MaxStale::Seconds(seconds) => Some(format!("max-stale={seconds}")),
                MaxStale::Unsaid => None,
            },
            min_fresh_s.map(|seconds| format!("min-fresh={seconds}")),
            no_cache.then(|| "no-cache".to_owned()),
            only_if_cached.then(|| "only-if-cached".to_owned()),
        ];
        let directives: Vec<String> = directives.into_iter().flatten().collect();
        directives.join(", ")
    }
}

/// A moment in the life of what is kept under a name.
#[derive(Clone, Copy, Debug)]
enum Edge {
    Aged { seconds: u64 },
    FaultForgotten,
    Refreshable,
    Stale,
    StaleFor { seconds: u64 },
    StaleForErrors,
    StaleForRevalidation,
}

/// How WeCom fails, and what becomes of it.
#[derive(Clone, Copy, Debug)]
struct Failure {
    /// `None` for an HTTP status of 500.
    errcode: Option<i32>,
    status: u16,
    code: &'static str,
}

impl Failure {
    fn trouble(self) -> Trouble {
        self.errcode.map_or(Trouble::status(500), Trouble::errcode)
    }
}

/// Those that hold nobody back for longer than a fault is remembered.
const FAILURES: [Failure; 4] = [
    Failure {
        errcode: Some(-1),
        status: 503,
        code: "wecom_unavailable",
    },
    Failure {
        errcode: None,
        status: 503,
        code: "wecom_unavailable",
    },
    Failure {
        errcode: Some(48002),
        status: 502,
        code: "wecom_refused_us",
    },
    Failure {
        errcode: Some(40035),
        status: 400,
        code: "rejected_by_wecom",
    },
];

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change(Change),
    Delete(Character),
    Fail(Failure),
    Lookup(Name, Directives),
    /// Of what was looked up last.
    LookupAgain(Directives),
    Purge {
        what: Option<Name>,
        softly: bool,
    },
    Recover,
    TurnBy {
        ms: u64,
    },
    /// To an edge of what was looked up last, or a millisecond before or after it.
    TurnTo(Edge, i64),
}

fn any_name() -> impl Strategy<Value = Name> {
    prop_oneof![
        2 => select(&NAMES[..2]),
        1 => select(&NAMES[..]),
    ]
}

fn any_directives() -> impl Strategy<Value = Directives> {
    let max_age_s = prop::option::weighted(0.4, select(&AGES_S[..]));
    let min_fresh_s = prop::option::weighted(0.3, 0..8_u64);
    let max_stale = || {
        prop_oneof![
            1 => Just(MaxStale::However),
            4 => select(&STALE_S[..]).prop_map(MaxStale::Seconds),
        ]
    };
    let some = (
        max_age_s,
        prop_oneof![2 => Just(MaxStale::Unsaid), 1 => max_stale()],
        min_fresh_s,
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.2),
    );
    let some = some.prop_map(
        |(max_age_s, max_stale, min_fresh_s, no_cache, only_if_cached)| Directives {
            max_age_s,
            max_stale,
            min_fresh_s,
            no_cache,
            only_if_cached,
        },
    );
    let stale = max_stale().prop_map(|max_stale| Directives {
        max_stale,
        ..Directives::default()
    });
    prop_oneof![
        3 => Just(Directives::default()),
        3 => some,
        1 => stale,
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let status = select(&[1, 1, 1, 2, 3, 4, 5, 9][..]);
    let begins_in_s = prop::option::weighted(0.3, 0..10_u64);
    let parts = (
        select(&CHARACTERS[..]),
        status,
        prop::bool::weighted(0.7),
        begins_in_s,
    );
    parts.prop_map(|(who, status, tells_names, begins_in_s)| Change {
        who,
        status,
        tells_names,
        begins_in_s,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let edge = prop_oneof![
        3 => select(&AGES_S[..]).prop_map(|seconds| Edge::Aged { seconds }),
        1 => Just(Edge::FaultForgotten),
        3 => Just(Edge::Refreshable),
        3 => Just(Edge::Stale),
        4 => select(&STALE_S[..]).prop_map(|seconds| Edge::StaleFor { seconds }),
        1 => Just(Edge::StaleForErrors),
        1 => Just(Edge::StaleForRevalidation),
    ];
    let turn_by = prop_oneof![
        6 => select(&[100, 700, 1_000, 1_500, 2_000, 3_000][..]),
        2 => 1..8_000_u64,
        1 => select(&[20_000, 60_000, 180_000][..]),
    ];
    let what = prop::option::weighted(0.8, any_name());
    prop_oneof![
        7 => (any_name(), any_directives()).prop_map(|(name, wish)| Step::Lookup(name, wish)),
        9 => any_directives().prop_map(Step::LookupAgain),
        4 => (edge, -1..=1_i64).prop_map(|(edge, off_ms)| Step::TurnTo(edge, off_ms)),
        2 => turn_by.prop_map(|ms| Step::TurnBy { ms }),
        3 => any_change().prop_map(Step::Change),
        1 => select(&CHARACTERS[..]).prop_map(Step::Delete),
        2 => select(&FAILURES[..]).prop_map(Step::Fail),
        2 => Just(Step::Recover),
        1 => (what, any::<bool>()).prop_map(|(what, softly)| Step::Purge { what, softly }),
    ]
}

/// What a caller is told.
#[derive(Debug, Default, Eq, PartialEq)]
struct Told {
    /// The status, and the code of the problem if it is one.
    outcome: (u16, String),
    title: Option<String>,
    cache_status: Option<String>,
    cache_control: String,
    age: Option<String>,
}

impl Told {
    fn by(reply: &Reply) -> Self {
        let header = |name| reply.header(name).map(str::to_owned);
        let title = |reply: &Reply| reply.json()["title"].as_str().map(str::to_owned);
        Self {
            outcome: reply.outcome(),
            title: (reply.status == 200).then(|| title(reply)).flatten(),
            cache_status: header("cache-status"),
            cache_control: header("cache-control").expect("every answer has one"),
            age: header("age"),
        }
    }

    fn fault(failure: Failure, why: &str) -> Self {
        Self {
            outcome: (failure.status, failure.code.to_owned()),
            cache_status: Some(format!("wecom-meeting-proxy; {why}")),
            cache_control: "no-store".to_owned(),
            ..Self::default()
        }
    }

    fn not_cached() -> Self {
        Self {
            outcome: (504, "not_cached".to_owned()),
            cache_control: "no-store".to_owned(),
            ..Self::default()
        }
    }
}

/// What WeCom tells of a meeting that was not deleted.
#[derive(Clone, Copy, Debug)]
struct Sheet {
    change: Change,
    version: u64,
    begins_ms: Option<u64>,
}

/// What WeCom says about a name.
#[derive(Clone, Copy, Debug)]
enum Finding {
    Gone,
    Meeting {
        sheet: Sheet,
        /// The id that it is known to have.
        known_id: Option<&'static str>,
    },
    NotFound,
}

/// An answer that is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    finding: Finding,
    asked_ms: u64,
    /// When it ceases to be fresh.
    ends_ms: u64,
}

/// What is kept under one name.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    kept: Option<Kept>,
    fault: Option<(Failure, u64)>,
}

/// The naive cache, and the WeCom behind it.
struct Model {
    terms: Terms,
    now_ms: u64,
    sheets: HashMap<&'static str, Option<Sheet>>,
    ids_by_code: HashMap<&'static str, &'static str>,
    failure: Option<Failure>,
    versions: u64,
    entries: HashMap<Name, Entry>,
    questions: u64,
    last: Name,
}

/// What follows from a lookup.
struct Expected {
    told: Told,
    /// Whether WeCom is asked behind the caller's back.
    renews: bool,
}

impl From<Told> for Expected {
    fn from(told: Told) -> Self {
        Self {
            told,
            renews: false,
        }
    }
}

impl Model {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            now_ms: 0,
            sheets: HashMap::new(),
            ids_by_code: HashMap::new(),
            failure: None,
            versions: 0,
            entries: HashMap::new(),
            questions: 0,
            last: NAMES[0],
        }
    }

    /// Sections 2.3, 2.4 and 4 of the contract, for a caller who comes alone.
    fn lookup(&mut self, name: Name, wish: Directives) -> Expected {
        self.last = name;
        let Entry { kept, fault } = self.recall(name);
        let Some(kept) = kept else {
            return match fault {
                _ if wish.only_if_cached => Told::not_cached().into(),
                Some((failure, _)) => Told::fault(failure, "fwd=uri-miss").into(),
                None => self.ask_and_wait(name, "uri-miss").into(),
            };
        };
        let age_ms = self.now_ms - kept.asked_ms;
        let fresh_for_ms = kept.ends_ms.saturating_sub(self.now_ms);
        let stale_for_ms = self.now_ms.saturating_sub(kept.ends_ms);
        let younger_than_s = if wish.no_cache {
            Some(0)
        } else {
            wish.max_age_s
        };
        let will_do = younger_than_s.is_none_or(|s| age_ms < s * 1_000)
            && wish.min_fresh_s.is_none_or(|s| s * 1_000 <= fresh_for_ms);
        if self.now_ms < kept.ends_ms {
            let held_back = fault.is_some() || age_ms < self.terms.min_refresh_ms;
            return if will_do || held_back {
                self.hit(kept, None).into()
            } else if wish.only_if_cached {
                Told::not_cached().into()
            } else {
                self.ask_and_wait(name, "request").into()
            };
        }
        let takes_it_stale = will_do
            && match wish.max_stale {
                MaxStale::However => true,
                MaxStale::Seconds(s) => stale_for_ms <= s * 1_000,
                MaxStale::Unsaid => false,
            };
        if let Some((failure, _)) = fault {
            // The contract does not say whether a caller who wants a newer answer, or none but
            // what is kept, takes this one: there is no better to be had at present.
            return if stale_for_ms <= self.terms.if_error_ms {
                self.hit(kept, Some("stale-if-error")).into()
            } else if takes_it_stale {
                self.hit(kept, Some("max-stale")).into()
            } else if wish.only_if_cached {
                Told::not_cached().into()
            } else {
                // WeCom was asked for the one who came first; this one is told as if nothing were
                // kept, as nothing of use is.
                Told::fault(failure, "fwd=uri-miss").into()
            };
        }
        if will_do && stale_for_ms < self.terms.while_revalidate_ms {
            // `only-if-cached` keeps a caller from waiting for a question; it does not forbid that
            // one is asked behind.
            let told = self.hit(kept, Some("stale-while-revalidate"));
            // What becomes of it is seen by whoever comes next.
            let _ = self.ask(name);
            Expected { told, renews: true }
        } else if takes_it_stale {
            self.hit(kept, Some("max-stale")).into()
        } else if wish.only_if_cached {
            Told::not_cached().into()
        } else {
            self.ask_and_wait(name, "stale").into()
        }
    }

    /// What is kept and may be of use to anybody: until the later of the two stale windows has
    /// passed, both with their last millisecond. What is older is as if it were not there, for
    /// `max-stale` too.
    fn recall(&self, name: Name) -> Entry {
        let Entry { kept, fault } = self.entries.get(&name).copied().unwrap_or_default();
        let stale_max_ms = self.terms.while_revalidate_ms.max(self.terms.if_error_ms);
        Entry {
            kept: kept.filter(|kept| self.now_ms <= kept.ends_ms + stale_max_ms),
            fault: fault.filter(|(_, until_ms)| self.now_ms < *until_ms),
        }
    }

    fn hit(&self, kept: Kept, detail: Option<&str>) -> Told {
        let ttl = if self.now_ms < kept.ends_ms {
            format!("ttl={}", (kept.ends_ms - self.now_ms) / 1_000)
        } else {
            match (self.now_ms - kept.ends_ms) / 1_000 {
                0 => "ttl=0".to_owned(),
                seconds => format!("ttl=-{seconds}"),
            }
        };
        let is_negative = !matches!(kept.finding, Finding::Meeting { .. });
        match detail.or(is_negative.then_some("negative")) {
            Some(detail) => self.tell(kept, &format!("hit; {ttl}; detail={detail}")),
            None => self.tell(kept, &format!("hit; {ttl}")),
        }
    }

    fn tell(&self, kept: Kept, how: &str) -> Told {
        let (outcome, title) = match kept.finding {
            Finding::Gone => ((410, "meeting_gone"), None),
            Finding::Meeting { sheet, .. } => ((200, ""), Some(format!("v{}", sheet.version))),
            Finding::NotFound => ((404, "meeting_not_found"), None),
        };
        let (status, code) = outcome;
        let lifetime_s = (kept.ends_ms - kept.asked_ms) / 1_000;
        let age_s = (self.now_ms - kept.asked_ms) / 1_000;
        Told {
            outcome: (status, code.to_owned()),
            title,
            cache_status: Some(format!("wecom-meeting-proxy; {how}")),
            cache_control: format!("private, max-age={lifetime_s}"),
            age: Some(age_s.to_string()),
        }
    }

    fn ask_and_wait(&mut self, name: Name, why: &str) -> Told {
        let before = self.recall(name).kept;
        let Err(failure) = self.ask(name) else {
            let kept = self.recall(name).kept.expect("it was just kept");
            let ttl = (kept.ends_ms - self.now_ms) / 1_000;
            return self.tell(kept, &format!("fwd={why}; stored; ttl={ttl}"));
        };
        // The contract has no row for a caller who wanted a newer answer than a fresh one, in
        // vain: it is told as one that is stale.
        let usable = before.filter(|kept| self.now_ms <= kept.ends_ms + self.terms.if_error_ms);
        match usable {
            Some(kept) => self.tell(kept, "fwd=stale; detail=stale-if-error"),
            None => Told::fault(failure, &format!("fwd={why}")),
        }
    }

    /// Asks WeCom, and keeps what it says.
    fn ask(&mut self, name: Name) -> Result<(), Failure> {
        self.questions += 1;
        if let Some(failure) = self.failure {
            let entry = Entry {
                fault: Some((failure, self.now_ms + FAULT_MS)),
                ..self.recall(name)
            };
            self.entries.insert(name, entry);
            return Err(failure);
        }
        let finding = self.wecom_says(name);
        let entry = Entry {
            kept: Some(self.believe(name, finding)),
            fault: None,
        };
        self.entries.insert(name, entry);
        if let Some(other) = other_name(name, finding) {
            let newest = self.recall(other).kept;
            if newest.is_none_or(|newest| newest.asked_ms < self.now_ms) {
                let entry = Entry {
                    kept: Some(self.believe(other, finding)),
                    fault: None,
                };
                self.entries.insert(other, entry);
            }
        }
        Ok(())
    }

    fn wecom_says(&self, name: Name) -> Finding {
        let (id, asked_id) = match name {
            Name::Code(code) => (self.ids_by_code.get(code).copied(), None),
            Name::Id(id) => (Some(id), Some(id)),
        };
        match id.and_then(|id| self.sheets.get(id)) {
            Some(Some(sheet)) => {
                let told_id = sheet.change.tells_names.then_some(sheet.change.who.id);
                Finding::Meeting {
                    sheet: *sheet,
                    known_id: told_id.or(asked_id),
                }
            }
            Some(None) => Finding::Gone,
            None => Finding::NotFound,
        }
    }

    fn believe(&self, name: Name, finding: Finding) -> Kept {
        let asked_ms = self.now_ms;
        let lifetime_ms = match finding {
            Finding::Gone | Finding::NotFound => ABSENT_MS,
            Finding::Meeting { sheet, .. } => {
                let by_name_ms = match name {
                    Name::Code(_) => BY_CODE_MAX_MS,
                    Name::Id(_) => u64::MAX,
                };
                let begins_ms = sheet.begins_ms.into_iter();
                let boundaries = begins_ms.flat_map(|ms| [ms, ms + MEETING_S * 1_000]);
                let to_boundary = boundaries.filter_map(|ms| ms.checked_sub(asked_ms));
                let to_boundary_ms = to_boundary.filter(|ms| *ms > 0).min();
                by_status_ms(sheet.change)
                    .min(by_name_ms)
                    .min(to_boundary_ms.unwrap_or(u64::MAX))
            }
        };
        Kept {
            finding,
            asked_ms,
            ends_ms: asked_ms + lifetime_ms.max(LIFETIME_MIN_MS),
        }
    }

    /// A fault is forgotten together with the answer it stands beside, softly too: who purges wants
    /// WeCom asked.
    fn purge(&mut self, what: Option<Name>, softly: bool) {
        let now_ms = self.now_ms;
        let is_meant = |name: &Name, entry: &Entry| match (what, entry.kept) {
            (None, _) => true,
            (Some(Name::Id(id)), Some(Kept { finding, .. })) => {
                let known = |known_id| known_id == Some(id);
                let is_known =
                    matches!(finding, Finding::Meeting { known_id, .. } if known(known_id));
                *name == Name::Id(id) || is_known
            }
            // What is kept under an id is not looked up by its number: that may have been another's
            // by the time it was found.
            (Some(what), _) => *name == what,
        };
        for (name, entry) in &mut self.entries {
            if is_meant(name, entry) {
                let kept = entry.kept.filter(|_| softly);
                let kept = kept.map(|kept| Kept {
                    ends_ms: kept.ends_ms.min(now_ms),
                    ..kept
                });
                *entry = Entry { kept, fault: None };
            }
        }
    }

    /// How far it is to that edge of what was looked up last.
    fn distance_ms(&self, edge: Edge, off_ms: i64) -> u64 {
        let entry = self.entries.get(&self.last).copied().unwrap_or_default();
        let of_kept = |when: fn(Kept, Terms) -> u64| entry.kept.map(|kept| when(kept, self.terms));
        let at_ms = match edge {
            Edge::Aged { seconds } => entry.kept.map(|kept| kept.asked_ms + seconds * 1_000),
            Edge::FaultForgotten => entry.fault.map(|(_, until_ms)| until_ms),
            Edge::Refreshable => of_kept(|kept, terms| kept.asked_ms + terms.min_refresh_ms),
            Edge::Stale => of_kept(|kept, _| kept.ends_ms),
            Edge::StaleFor { seconds } => entry.kept.map(|kept| kept.ends_ms + seconds * 1_000),
            Edge::StaleForErrors => of_kept(|kept, terms| kept.ends_ms + terms.if_error_ms),
            Edge::StaleForRevalidation => {
                of_kept(|kept, terms| kept.ends_ms + terms.while_revalidate_ms)
            }
        };
        let at_ms = at_ms.and_then(|at_ms| at_ms.checked_add_signed(off_ms));
        at_ms.unwrap_or_default().saturating_sub(self.now_ms)
    }

    fn change(&mut self, change: Change) -> Sheet {
        self.versions += 1;
        let sheet = Sheet {
            change,
            version: self.versions,
            begins_ms: change
                .begins_in_s
                .map(|s| (self.now_ms / 1_000 + s) * 1_000),
        };
        self.sheets.insert(change.who.id, Some(sheet));
        self.ids_by_code.insert(change.who.code, change.who.id);
        sheet
    }

    fn delete(&mut self, who: Character) {
        self.sheets.insert(who.id, None);
        self.ids_by_code.insert(who.code, who.id);
    }
}

/// The contract goes by the status alone. A series or a personal room that is over is believed no
/// longer than a meeting that is to come: it will be held again under the same name.
fn by_status_ms(change: Change) -> u64 {
    let by_status_ms = match change.status {
        1 => NOT_STARTED_MS,
        2 => IN_PROGRESS_MS,
        3 => ENDED_MS,
        4 => CANCELLED_MS,
        5 => EXPIRED_MS,
        _ => UNKNOWN_MS,
    };
    match change.who.r#type {
        RECURRING | PERSONAL_ROOM => by_status_ms.min(NOT_STARTED_MS),
        _ => by_status_ms,
    }
}

/// Under which other name a finding is kept: one by number under the id that WeCom tells, one by id
/// under the number that WeCom tells if it is held once and not over; never for a personal room.
fn other_name(name: Name, finding: Finding) -> Option<Name> {
    let Finding::Meeting { sheet, .. } = finding else {
        return None;
    };
    let Change {
        who,
        status,
        tells_names,
        ..
    } = sheet.change;
    if !tells_names || who.r#type == PERSONAL_ROOM {
        return None;
    }
    match name {
        Name::Code(_) => Some(Name::Id(who.id)),
        Name::Id(_) if who.r#type == ONE_TIME && [1, 2].contains(&status) => {
            Some(Name::Code(who.code))
        }
        Name::Id(_) => None,
    }
}

/// The house and the model, to which the same happens.
struct Pair {
    house: House,
    model: Model,
    /// When the model's time began, in Unix seconds.
    morning_s: u64,
}

impl Pair {
    async fn open(terms: Terms) -> Self {
        let settings = terms.settings();
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let house = House::with(&settings).await;
        let morning_s = u64::try_from(house.clock.wall().as_second()).expect("after 1970");
        let mut pair = Self {
            house,
            model: Model::new(terms),
            morning_s,
        };
        for who in CHARACTERS {
            pair.change(Change {
                who,
                status: 1,
                tells_names: true,
                begins_in_s: None,
            });
        }
        pair
    }

    async fn take(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Change(change) => self.change(change),
            Step::Delete(who) => self.delete(who),
            Step::Fail(failure) => {
                let trouble = failure.trouble();
                self.house.wecom.set_trouble(Api::GetInfo, trouble);
                self.model.failure = Some(failure);
            }
            Step::Lookup(name, wish) => return self.lookup(name, wish).await,
            Step::LookupAgain(wish) => return self.lookup(self.model.last, wish).await,
            Step::Purge { what, softly } => return self.purge(what, softly).await,
            Step::Recover => {
                self.house.wecom.clear_troubles();
                self.model.failure = None;
            }
            Step::TurnBy { ms } => self.turn(ms),
            Step::TurnTo(edge, off_ms) => self.turn(self.model.distance_ms(edge, off_ms)),
        }
        Ok(())
    }

    async fn lookup(&mut self, name: Name, wish: Directives) -> TestCaseResult {
        let expected = self.model.lookup(name, wish);

        let reply = self.ask(name, wish).await;

        prop_assert_eq!(Told::by(&reply), expected.told);
        if expected.renews {
            prop_assert!(self.is_renewed(name).await, "{:?} is not renewed", name);
        }
        let asked = self.house.wecom.hits().get_info;
        prop_assert_eq!(asked, self.model.questions, "questions");
        Ok(())
    }

    async fn ask(&self, name: Name, wish: Directives) -> Reply {
        let wish = wish.header();
        let headers = [("cache-control", wish.as_str())];
        let some = usize::from(!wish.is_empty());
        self.house.get_with(&name.path(), &headers[..some]).await
    }

    /// Waits until a renewal has landed: until then, the answer goes on being served as one that
    /// is being renewed. Looking costs nothing: the look joins the renewal under way.
    async fn is_renewed(&self, name: Name) -> bool {
        let look = Directives {
            only_if_cached: true,
            ..Directives::default()
        };
        let has_landed = async |_: &House| {
            let reply = self.ask(name, look).await;
            let status = reply.header("cache-status").unwrap_or_default();
            !status.ends_with("stale-while-revalidate")
        };
        let landing = self.house.until("it is renewed", has_landed);
        tokio::time::timeout(RENEWED_WITHIN, landing).await.is_ok()
    }

    async fn purge(&mut self, what: Option<Name>, softly: bool) -> TestCaseResult {
        let what_path = what.map(Name::path).unwrap_or_default();
        let query = if softly { "?soft=true" } else { "" };

        self.model.purge(what, softly);
        let reply = self.house.purge(&format!("/cache{what_path}{query}")).await;

        prop_assert_eq!(reply.status, 204);
        Ok(())
    }

    fn turn(&mut self, ms: u64) {
        self.house.advance(Duration::from_millis(ms));
        self.model.now_ms += ms;
    }

    fn change(&mut self, change: Change) {
        let Sheet {
            version, begins_ms, ..
        } = self.model.change(change);
        let Change {
            who,
            status,
            tells_names,
            ..
        } = change;
        let mut info =
            json!({"title": format!("v{version}"), "status": status, "meeting_type": who.r#type});
        if tells_names {
            info["meetingid"] = who.id.into();
            info["meeting_code"] = who.code.into();
        }
        if let Some(begins_ms) = begins_ms {
            info["meeting_start"] = (self.morning_s + begins_ms / 1_000).into();
            info["meeting_duration"] = MEETING_S.into();
        }
        self.house
            .wecom
            .put_meeting(Meeting::new(who.id, who.code, info));
    }

    fn delete(&mut self, who: Character) {
        self.model.delete(who);
        let deleted = Meeting::new(who.id, who.code, json!({})).with_errcode(730_008);
        self.house.wecom.put_meeting(deleted);
    }
}

/// All of these happen, and then somebody looks at everything that is kept.
async fn happen(terms: Terms, steps: Vec<Step>) -> TestCaseResult {
    let look = Directives {
        only_if_cached: true,
        ..Directives::default()
    };
    let looks = NAMES.map(|name| Step::Lookup(name, look));
    let mut pair = Pair::open(terms).await;
    for (number, step) in steps.into_iter().chain(looks).enumerate() {
        let taken = pair.take(step).await;
        taken.map_err(|error| match error {
            TestCaseError::Fail(reason) => {
                TestCaseError::fail(format!("at step {number}, {step:?}: {reason}"))
            }
            rejected @ TestCaseError::Reject(_) => rejected,
        })?;
    }
    Ok(())
}

/// A failure names its seed, and the shortest sequence that still fails. With the seed in
/// `PROPTEST_RNG_SEED` the same cases are tried again.
#[test]
fn callers_are_told_what_a_naive_cache_would_tell_them_and_wecom_is_asked_as_often() {
    let config = ProptestConfig::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(fastrand::u64(..)),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        max_shrink_time: 20_000,
        rng_seed,
        ..config
    };
    let cases = (
        select(&TERMS[..]),
        prop::collection::vec(any_step(), 10..=40),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");

    let outcome = TestRunner::new(config).run(&cases, |(terms, steps)| {
        runtime.block_on(happen(terms, steps))
    });

    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("seed {rng_seed}: {reason}"),
        Err(TestError::Fail(reason, (terms, steps))) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            let steps = steps.join("\n  ");
            panic!("seed {rng_seed}: {reason}\nwith {terms:?}, after\n  {steps}")
        }
    }
}
