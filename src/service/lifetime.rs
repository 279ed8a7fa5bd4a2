//! How long an answer is believed: `[cache.fresh_for]`, and what the meeting itself says about when
//! it can change.
//!
//! | answer | believed for |
//! |---|---|
//! | a meeting | what is set for its status, ±10 % |
//! | … that repeats, or a personal room, ended, called off or expired | … but no longer than one that is to come: it is not over |
//! | … with a boundary ahead (start, end, an occurrence's start) | … but not past the nearest, nor up to a tenth before it |
//! | … found by its number | … but no longer than `by_code_max`, nor up to a tenth less: numbers are handed on |
//! | that there is none | `absent`, ±10 % |
//!
//! Pure: it is told the time and the throw of the dice. (That an answer is believed for a second at
//! least, whatever this says, is a rule of [`crate::freshness`].)

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::freshness::LIFETIME_MIN;
use crate::meeting::Meeting;
use crate::meeting::Moment;
use crate::meeting::OccurrenceStatus;
use crate::meeting::Selector;
use crate::meeting::Status;
use crate::meeting::Type;
use crate::setting;

/// By how much lifetimes are varied, so that what was asked together, or ends together, is not asked
/// again together: up and down, but a bound only down.
const JITTER: f64 = 0.1;

/// How long an answer is believed, by what it says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreshFor {
    /// A meeting that is to come.
    #[serde(deserialize_with = "setting::span")]
    pub not_started: Duration,
    /// A meeting that is being held.
    #[serde(deserialize_with = "setting::span")]
    pub in_progress: Duration,
    /// A meeting that was held.
    #[serde(deserialize_with = "setting::span")]
    pub ended: Duration,
    /// A meeting that was called off.
    #[serde(deserialize_with = "setting::span")]
    pub cancelled: Duration,
    /// A meeting whose time passed.
    #[serde(deserialize_with = "setting::span")]
    pub expired: Duration,
    /// A meeting of a status that no document explains, or of none.
    #[serde(deserialize_with = "setting::span")]
    pub unknown: Duration,
    /// At most, for what was asked by code: a number is handed on to other meetings.
    #[serde(deserialize_with = "setting::span")]
    pub by_code_max: Duration,
    /// "No such meeting".
    #[serde(deserialize_with = "setting::span")]
    pub absent: Duration,
    /// That WeCom gave no answer.
    #[serde(deserialize_with = "setting::span")]
    pub fault: Duration,
}

impl Default for FreshFor {
    fn default() -> Self {
        Self {
            not_started: Duration::from_secs(60),
            in_progress: Duration::from_secs(10),
            ended: Duration::from_secs(600),
            cancelled: Duration::from_secs(600),
            expired: Duration::from_secs(60),
            unknown: Duration::from_secs(10),
            by_code_max: Duration::from_secs(30),
            absent: Duration::from_secs(10),
            fault: Duration::from_secs(1),
        }
    }
}

/// When an answer came about, and how the dice fell: at least 0, less than 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion {
    pub(super) asked: Timestamp,
    pub(super) throw: f64,
}

/// What set a lifetime: of all that bounds it, the nearest. Kept with the answer, for people who
/// wonder.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// There is no such meeting: `fresh_for.absent`.
    Absent,
    /// It was found by its number: `fresh_for.by_code_max`.
    ByCodeMax,
    /// It ends then.
    End,
    /// It is over, and may be held again: `fresh_for.not_started`.
    MayComeBack,
    /// WeCom took so long that there would be nothing left: a second from the answer's arrival.
    Minimum,
    /// Its next occurrence begins then.
    OccurrenceStart,
    /// It begins then.
    Start,
    /// What is set for its status in `[cache.fresh_for]`.
    Status,
}

/// For how long to believe an answer, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Belief {
    /// Counted from the asking.
    pub(super) span: Duration,
    pub(super) rule: Rule,
}

impl Belief {
    fn at_most(self, span: Duration, rule: Rule) -> Self {
        if span < self.span {
            Self { span, rule }
        } else {
            self
        }
    }

    /// The same, and not less than an answer is believed that took so long.
    pub(super) fn of_answer(self, on_its_way: Duration) -> Self {
        let least = on_its_way + LIFETIME_MIN;
        if self.span < least {
            let rule = Rule::Minimum;
            Self { span: least, rule }
        } else {
            self
        }
    }
}

impl FreshFor {
    /// How long to believe `meeting`, which was found by `selector`.
    pub(super) fn meeting(
        &self,
        meeting: &Meeting,
        selector: &Selector,
        occasion: Occasion,
    ) -> Belief {
        let Belief { span, rule } = self.by_status(meeting);
        let believed = Belief {
            span: occasion.vary(span),
            rule,
        };
        let by_number = match selector {
            Selector::Code(_) => Some(Belief {
                span: self.by_code_max,
                rule: Rule::ByCodeMax,
            }),
            Selector::Id(_) => None,
        };
        let bounds = by_number
            .into_iter()
            .chain(next_boundary(meeting, occasion.asked));
        bounds.fold(believed, |believed, Belief { span, rule }| {
            believed.at_most(occasion.shorten(span), rule)
        })
    }

    /// How long to believe that there is no meeting.
    pub(super) fn absence(&self, occasion: Occasion) -> Belief {
        Belief {
            span: occasion.vary(self.absent),
            rule: Rule::Absent,
        }
    }

    fn by_status(&self, meeting: &Meeting) -> Belief {
        let by_status = match meeting.status {
            Some(Status::NotStarted) => self.not_started,
            Some(Status::InProgress) => self.in_progress,
            Some(Status::Ended) => self.ended,
            Some(Status::Cancelled) => self.cancelled,
            Some(Status::Expired) => self.expired,
            Some(Status::Unknown) | None => self.unknown,
        };
        let believed = Belief {
            span: by_status,
            rule: Rule::Status,
        };
        if comes_back(meeting) {
            believed.at_most(self.not_started, Rule::MayComeBack)
        } else {
            believed
        }
    }
}

impl Occasion {
    fn vary(self, duration: Duration) -> Duration {
        duration.mul_f64(1.0 + JITTER * (2.0 * self.throw - 1.0))
    }

    /// Varies what must not become longer.
    fn shorten(self, duration: Duration) -> Duration {
        duration.mul_f64(1.0 - JITTER * (2.0 * self.throw - 1.0).abs())
    }
}

/// Whether a meeting that is over today may be held again tomorrow under the same name.
fn comes_back(meeting: &Meeting) -> bool {
    let by_type = matches!(meeting.r#type, Some(Type::PersonalRoom | Type::Recurring));
    by_type || meeting.recurrence.is_some()
}

/// How long it is from `asked` to the next moment at which the meeting is known to change, and which
/// that is.
fn next_boundary(meeting: &Meeting, asked: Timestamp) -> Option<Belief> {
    let occurrences = meeting
        .occurrences
        .iter()
        .flat_map(|occurrences| &occurrences.items);
    let standing = occurrences.filter(|item| item.status != Some(OccurrenceStatus::Deleted));
    let starts = standing.map(|item| (item.start_time, Rule::OccurrenceStart));
    let of_its_own = [
        (meeting.start_time, Rule::Start),
        (meeting.end_time, Rule::End),
    ];
    let asked = asked.as_duration();
    let ahead = |(boundary, rule): (Option<Moment>, Rule)| {
        let distance = SignedDuration::from_secs(boundary?.as_unix()) - asked;
        let span: Duration = distance.try_into().ok()?;
        (!span.is_zero()).then_some(Belief { span, rule })
    };
    let boundaries = of_its_own.into_iter().chain(starts);
    boundaries
        .filter_map(ahead)
        .min_by_key(|boundary| boundary.span)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::meeting::Occurrence;
    use crate::meeting::Occurrences;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn moment(second: i64) -> Moment {
        Moment::of_unix(second).expect("a moment")
    }

    /// The dice fall in the middle: nothing is varied.
    fn occasion() -> Occasion {
        Occasion {
            asked: at(1_000_000),
            throw: 0.5,
        }
    }

    fn by_id() -> Selector {
        Selector::Id("m1".parse().expect("an id"))
    }

    fn by_code() -> Selector {
        Selector::Code("446153273".parse().expect("a code"))
    }

    fn seconds(meeting: &Meeting) -> u64 {
        FreshFor::default()
            .meeting(meeting, &by_id(), occasion())
            .span
            .as_secs()
    }

    #[test]
    fn a_meeting_is_believed_by_its_status_and_by_its_number_not_for_long() {
        let fresh_for = FreshFor::default();
        for (status, by_id_s, by_code_s) in [
            (Some(Status::NotStarted), 60, 30),
            (Some(Status::InProgress), 10, 10),
            (Some(Status::Ended), 600, 30),
            (Some(Status::Cancelled), 600, 30),
            (Some(Status::Expired), 60, 30),
            (Some(Status::Unknown), 10, 10),
            (None, 10, 10),
        ] {
            let meeting = Meeting {
                status,
                ..Meeting::default()
            };
            let belief = |selector| fresh_for.meeting(&meeting, selector, occasion());
            let seconds = |selector| belief(selector).span.as_secs();
            let believed = (seconds(&by_id()), seconds(&by_code()));
            assert_eq!(believed, (by_id_s, by_code_s), "{status:?}");
        }
    }

    #[test]
    fn a_meeting_is_not_believed_past_its_next_boundary() {
        let occurrence = |start, status| Occurrence {
            start_time: Some(moment(start)),
            status: Some(status),
            ..Occurrence::default()
        };
        let scheduled = OccurrenceStatus::Scheduled;
        let items = |items| {
            Some(Occurrences {
                items,
                ..Occurrences::default()
            })
        };
        let meeting = Meeting {
            status: Some(Status::NotStarted),
            ..Meeting::default()
        };
        for (case, meeting, expected_s) in [
            (
                "begins",
                Meeting {
                    start_time: Some(moment(1_000_007)),
                    ..meeting.clone()
                },
                7,
            ),
            (
                "ends",
                Meeting {
                    end_time: Some(moment(1_000_005)),
                    ..meeting.clone()
                },
                5,
            ),
            (
                "begins now",
                Meeting {
                    start_time: Some(moment(1_000_000)),
                    ..meeting.clone()
                },
                60,
            ),
            (
                "is far off",
                Meeting {
                    start_time: Some(moment(2_000_000)),
                    ..meeting.clone()
                },
                60,
            ),
            (
                "comes round",
                Meeting {
                    occurrences: items(vec![
                        occurrence(999_000, scheduled),
                        occurrence(1_000_003, OccurrenceStatus::Deleted),
                        occurrence(1_000_020, scheduled),
                        occurrence(1_000_030, scheduled),
                    ]),
                    ..meeting.clone()
                },
                20,
            ),
        ] {
            assert_eq!(seconds(&meeting), expected_s, "one that {case}");
        }
    }

    #[test]
    fn what_can_be_held_again_is_never_believed_as_if_it_were_over() {
        for status in [Status::Ended, Status::Cancelled, Status::Expired] {
            for r#type in [Type::Recurring, Type::PersonalRoom] {
                let (status, r#type) = (Some(status), Some(r#type));
                let meeting = Meeting {
                    status,
                    r#type,
                    ..Meeting::default()
                };
                assert_eq!(seconds(&meeting), 60, "{status:?} {type:?}");
            }
        }
    }

    #[test]
    fn lifetimes_vary_by_a_tenth() {
        let fresh_for = FreshFor::default();
        for (throw, expected_ms) in [(0.0, 9_000), (0.5, 10_000), (1.0, 11_000)] {
            let occasion = Occasion {
                throw,
                ..occasion()
            };
            let believed = fresh_for.absence(occasion).span.as_millis();
            assert_eq!(believed, expected_ms, "for a throw of {throw}");
        }
    }

    #[test]
    fn what_ends_by_its_number_or_at_a_boundary_does_not_all_end_at_once() {
        let meeting = |start_time| Meeting {
            status: Some(Status::NotStarted),
            start_time,
            ..Meeting::default()
        };
        let begins = meeting(Some(moment(1_000_020)));
        for (throw, by_code_ms, by_start_ms) in [
            (0.0, 27_000, 18_000),
            (0.25, 28_500, 19_000),
            (0.5, 30_000, 20_000),
            (0.75, 28_500, 19_000),
        ] {
            let occasion = Occasion {
                throw,
                ..occasion()
            };
            let fresh_for = FreshFor::default();
            let by_code = fresh_for.meeting(&meeting(None), &by_code(), occasion);
            let by_start = fresh_for.meeting(&begins, &by_id(), occasion);
            let rules = (by_code.rule, by_start.rule);
            assert_eq!(rules, (Rule::ByCodeMax, Rule::Start), "for {throw}");
            let spans = (by_code.span.as_millis(), by_start.span.as_millis());
            assert_eq!(spans, (by_code_ms, by_start_ms), "for {throw}");
        }
    }

    fn any_meeting() -> impl Strategy<Value = Meeting> {
        let time = || prop::option::of((0..10_000_000_000_i64).prop_map(moment));
        let near = || prop::option::of((999_900_i64..1_000_200).prop_map(moment));
        let times = prop_oneof![(time(), time()), (near(), near())];
        let status = prop::option::of((0_i64..8).prop_map(|code| Status::from_code(Some(code))));
        let r#type = prop::option::of((0_i64..8).prop_map(|code| Type::from_code(Some(code))));
        let occurrence = near().prop_map(|start_time| Occurrence {
            start_time,
            ..Occurrence::default()
        });
        let occurrences = prop::collection::vec(occurrence, 0..4);
        let parts = (times, status, r#type, occurrences);
        parts.prop_map(|((start_time, end_time), status, r#type, items)| Meeting {
            status,
            r#type,
            start_time,
            end_time,
            occurrences: Some(Occurrences {
                items,
                ..Occurrences::default()
            }),
            ..Meeting::default()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_meeting_is_believed_past_a_boundary_or_longer_than_is_set(
            meeting in any_meeting(),
            throw in 0.0..1.0_f64,
        ) {
            let fresh_for = FreshFor::default();
            let occasion = Occasion { throw, ..occasion() };

            let by_id = fresh_for.meeting(&meeting, &by_id(), occasion).span;
            let by_code = fresh_for.meeting(&meeting, &by_code(), occasion).span;

            prop_assert!(by_id <= Duration::from_secs(660));
            prop_assert!(by_code <= fresh_for.by_code_max && by_code <= by_id);
            let occurrences = meeting.occurrences.iter().flat_map(|occurrences| &occurrences.items);
            let starts = occurrences.map(|occurrence| occurrence.start_time);
            let boundaries = [meeting.start_time, meeting.end_time].into_iter().chain(starts);
            for boundary in boundaries.flatten() {
                let ahead = boundary.as_unix() - occasion.asked.as_second();
                let ahead = u64::try_from(ahead).map(Duration::from_secs);
                prop_assert!(!ahead.is_ok_and(|ahead| !ahead.is_zero() && by_id > ahead));
            }
        }

        #[test]
        fn a_later_boundary_never_shortens_a_lifetime(
            meeting in any_meeting(),
            ahead in 1_i64..1_000,
            further in 0_i64..1_000,
        ) {
            let with_end = |second| Meeting { end_time: Some(moment(1_000_000 + second)), ..meeting.clone() };
            prop_assert!(seconds(&with_end(ahead)) <= seconds(&with_end(ahead + further)));
        }
    }
}
