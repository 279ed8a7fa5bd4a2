//! What can happen: the meetings there are, what becomes of them, and what callers wish for.

use super::*;

/// Small, and no two alike, so that every window is crossed often and none is taken for another.
pub(super) const NOT_STARTED_MS: u64 = 6_000;
pub(super) const IN_PROGRESS_MS: u64 = 2_500;
pub(super) const ENDED_MS: u64 = 21_000;
pub(super) const CANCELLED_MS: u64 = 17_000;
pub(super) const EXPIRED_MS: u64 = 9_000;
pub(super) const UNKNOWN_MS: u64 = 300;
pub(super) const BY_CODE_MAX_MS: u64 = 4_200;
pub(super) const ABSENT_MS: u64 = 3_100;
pub(super) const FAULT_MS: u64 = 700;
pub(super) const LIFETIME_MIN_MS: u64 = 1_000;
pub(super) const STALE_KEPT_MIN_MS: u64 = 60_000;

/// How long a meeting that has a start lasts.
pub(super) const MEETING_S: u64 = 5;

/// A background renewal on loopback takes a few milliseconds.
pub(super) const RENEWED_WITHIN: Duration = Duration::from_secs(5);

/// For how long stale answers are served, and how often newer ones can be had.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a number names its unit")]
pub(super) struct Terms {
    pub(super) while_revalidate_ms: u64,
    pub(super) if_error_ms: u64,
    pub(super) min_refresh_ms: u64,
}

/// Either of the two windows may be the longer one, or both may be shut. A lifetime may be shorter than
/// the pause between two refreshes.
pub(super) const TERMS: [Terms; 3] = [
    Terms {
        while_revalidate_ms: 2_000,
        if_error_ms: 13_000,
        min_refresh_ms: 1_400,
    },
    Terms {
        while_revalidate_ms: 71_000,
        if_error_ms: 4_000,
        min_refresh_ms: 1_400,
    },
    Terms {
        while_revalidate_ms: 0,
        if_error_ms: 0,
        min_refresh_ms: 1_400,
    },
];

/// How many seconds old an answer is, and may be for a caller: few enough that the two often meet.
pub(super) const AGES_S: [u64; 3] = [0, 2, 4];

/// For how many seconds an answer has been stale, and may have been for a caller: few enough that
/// the two often meet.
pub(super) const STALE_S: [u64; 3] = [0, 3, 7];

impl Terms {
    /// How long what is stale is kept: for as long as the longer window, and a minute at least.
    pub(super) fn stale_max_ms(self) -> u64 {
        let windows_ms = self.while_revalidate_ms.max(self.if_error_ms);
        windows_ms.max(STALE_KEPT_MIN_MS)
    }

    pub(super) fn settings(self) -> Vec<(&'static str, String)> {
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
pub(super) enum Name {
    Code(&'static str),
    Id(&'static str),
}

impl Name {
    pub(super) fn path(self) -> String {
        match self {
            Self::Code(code) => format!("/meetings/by-code/{code}"),
            Self::Id(id) => format!("/meetings/{id}"),
        }
    }
}

/// What stays as it is about a meeting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Character {
    pub(super) id: &'static str,
    pub(super) code: &'static str,
    pub(super) r#type: u8,
}

pub(super) const ONE_TIME: u8 = 0;
pub(super) const RECURRING: u8 = 1;
pub(super) const PERSONAL_ROOM: u8 = 5;

pub(super) const SHARED_CODE: &str = "446153273";

/// The first two share a number: it stands for the one that WeCom touched last.
pub(super) const CHARACTERS: [Character; 4] = [
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
pub(super) const NAMES: [Name; 9] = [
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
pub(super) struct Change {
    pub(super) who: Character,
    pub(super) status: u8,
    /// Whether its id and its number are in the answer.
    pub(super) tells_names: bool,
    /// In how many seconds it begins; `None` where WeCom tells no times.
    pub(super) begins_in_s: Option<u64>,
}

/// `max-stale` of a request: how stale an answer may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum MaxStale {
    However,
    Seconds(u64),
    #[default]
    Unsaid,
}

/// `Cache-Control` of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Directives {
    pub(super) max_age_s: Option<u64>,
    pub(super) max_stale: MaxStale,
    pub(super) min_fresh_s: Option<u64>,
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
}

impl Directives {
    pub(super) fn header(self) -> String {
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
pub(super) enum Edge {
    Aged { seconds: u64 },
    FaultForgotten,
    Forgotten,
    Refreshable,
    Stale,
    StaleFor { seconds: u64 },
    StaleForErrors,
    StaleForRevalidation,
}

/// How WeCom fails, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// `None` for an HTTP status of 500.
    pub(super) errcode: Option<i32>,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

impl Failure {
    pub(super) fn trouble(self) -> Trouble {
        self.errcode.map_or(Trouble::status(500), Trouble::errcode)
    }
}

/// Those that hold nobody back for longer than a fault is remembered.
pub(super) const FAILURES: [Failure; 4] = [
    Failure {
        errcode: Some(81026),
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
pub(super) enum Step {
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

pub(super) fn any_name() -> impl Strategy<Value = Name> {
    prop_oneof![
        2 => select(&NAMES[..2]),
        1 => select(&NAMES[..]),
    ]
}

pub(super) fn any_directives() -> impl Strategy<Value = Directives> {
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

pub(super) fn any_change() -> impl Strategy<Value = Change> {
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

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let edge = prop_oneof![
        3 => select(&AGES_S[..]).prop_map(|seconds| Edge::Aged { seconds }),
        1 => Just(Edge::FaultForgotten),
        1 => Just(Edge::Forgotten),
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
