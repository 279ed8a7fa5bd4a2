//! A meeting to show, which uses every key, and a problem of each kind. Nobody in it exists.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::super::meetings;
use super::super::problem::Kind;
use crate::meeting::Attendance;
use crate::meeting::Attendee;
use crate::meeting::AttendeeKind;
use crate::meeting::AutoRecord;
use crate::meeting::EnterMute;
use crate::meeting::Frequency;
use crate::meeting::Guest;
use crate::meeting::Meeting;
use crate::meeting::Moment;
use crate::meeting::Occurrence;
use crate::meeting::OccurrenceStatus;
use crate::meeting::Occurrences;
use crate::meeting::Organizer;
use crate::meeting::Recurrence;
use crate::meeting::RecurrenceSegment;
use crate::meeting::ReminderScope;
use crate::meeting::Reminders;
use crate::meeting::Settings;
use crate::meeting::Status;
use crate::meeting::Type;
use crate::meeting::UntilType;
use crate::meeting::Watermark;
use crate::meeting::view::Part;
use crate::meeting::view::Reveal;
use crate::meeting::view::Views;

/// 2026-11-23, a Monday, at nine in the morning.
const MONDAY: i64 = 1_795_424_400;

const HOUR: i64 = 3_600;

const DAY: i64 = 24 * HOUR;

/// The example as most callers see it.
pub(super) fn nothing_revealed() -> Value {
    seen(Reveal::NOTHING)
}

/// The example as a caller sees it who may see everything.
pub(super) fn all_revealed() -> Value {
    seen(
        [Part::Extra, Part::Phones, Part::Secrets]
            .into_iter()
            .collect(),
    )
}

/// A problem of that kind.
pub(super) fn problem(kind: Kind) -> Value {
    let (detail, errcode) = case(kind);
    let document = kind.document(detail, "0199f0c2-7b1e-7c3a-9d52-6f0e8a4b1c2d", errcode);
    // Texts and numbers always serialise.
    serde_json::to_value(document).unwrap_or_default()
}

/// The example with something in every key, which nobody sees so: nothing is withheld, and yet it is
/// told what may be.
pub(super) fn whole() -> Value {
    let mut whole = all_revealed();
    if let (Some(redacted), Some(all)) = (
        whole.get_mut("redacted"),
        nothing_revealed().get("redacted"),
    ) {
        redacted.clone_from(all);
    }
    whole
}

fn seen(reveal: Reveal) -> Value {
    let views = Views::of(&mut meeting());
    // A body is JSON.
    serde_json::from_slice(views.text(reveal).bytes()).unwrap_or_default()
}

/// What is particular about a case of that kind, and WeCom's number for it.
fn case(kind: Kind) -> (&'static str, Option<i64>) {
    match kind {
        Kind::AppNotAllowed => ("ask as one of the apps your key covers", None),
        Kind::BadRequest => ("the Host is none", None),
        // No caller is told so.
        Kind::CrossSite => ("", None),
        Kind::HeadersTooLarge => ("a head has up to 32 KiB and 100 fields", None),
        Kind::Internal => ("the log knows more, under this instance", None),
        Kind::InvalidMeetingCode => (
            "a meeting code has 6 to 12 digits; spaces and dashes between them do not count",
            None,
        ),
        Kind::InvalidMeetingId => (
            "a meeting id has 1 to 128 characters of A-Z a-z 0-9 _ -, and is not \"by-code\"",
            None,
        ),
        Kind::InvalidQuery => ("the parameters are app and sub_meeting_id", None),
        Kind::MeetingGone => ("it was there once", Some(730_008)),
        Kind::MeetingNotFound => (
            "WeCom knows no such meeting or occurrence, or it is another app's",
            Some(90_602),
        ),
        Kind::MethodNotAllowed => ("this route takes GET, HEAD", None),
        Kind::NoSuchRoute => (meetings::ROUTES, None),
        Kind::NotAccessible => (
            "WeCom shows an app only the meetings that it created",
            Some(730_005),
        ),
        Kind::NotCached => (
            "you asked for no question, and nothing is kept that will do",
            None,
        ),
        Kind::Overloaded => ("too many questions are under way", None),
        Kind::RejectedByWecom => ("WeCom rejects the question (errcode 40058)", Some(40_058)),
        Kind::TooManyRequests => ("you have used up your limit", None),
        Kind::Unauthenticated => ("send your key as \"Authorization: Bearer KEY\"", None),
        Kind::UnknownApp => ("no app of that name is set up", None),
        Kind::UriTooLong => ("a target has up to 8 KiB", None),
        Kind::WecomGarbled => ("WeCom's answer is of no use: it is no JSON object", None),
        Kind::WecomRateLimited => ("WeCom's quota is spent (errcode 45009)", Some(45_009)),
        Kind::WecomRefusedUs => ("WeCom refuses us (errcode 60020)", Some(60_020)),
        Kind::WecomTimeout => ("WeCom did not answer in time", None),
        Kind::WecomUnavailable => ("WeCom is not available: it is busy (errcode -1)", Some(-1)),
        Kind::WecomUnknownError => (
            "WeCom answers with an unknown error (errcode 99999)",
            Some(99_999),
        ),
    }
}

fn meeting() -> Meeting {
    Meeting {
        meeting_id: text("hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg"),
        meeting_code: text("446153273"),
        sub_meeting_id: "sub-20261123".parse().ok(),
        title: text("设计评审"),
        description: text("What changed since last week"),
        location: text("Shanghai, room 3"),
        organizer: Some(Organizer {
            user_id: text("zhangsan"),
            department_id: Some(12),
        }),
        status: Some(Status::InProgress),
        status_code: Some(2),
        r#type: Some(Type::Recurring),
        type_code: Some(1),
        start_time: Moment::of_unix(MONDAY),
        end_time: Moment::of_unix(MONDAY + HOUR),
        duration_seconds: Some(HOUR),
        join_url: text("https://meeting.example.com/dm/446153273"),
        calendar_id: text("wcjgewCwAAqeJcPI1d8Pwbjt7nttzAAA"),
        has_vote: Some(false),
        attendees: vec![Attendee {
            kind: AttendeeKind::Member,
            id: text("lisi"),
            attendance: Some(Attendance::Joined),
            attendance_code: Some(1),
            first_join_time: Moment::of_unix(MONDAY - 120),
            last_leave_time: Moment::of_unix(MONDAY + 1_800),
            join_count: Some(1),
            total_seconds: Some(1_920),
        }],
        guests: vec![Guest {
            name: text("王五"),
            country_code: text("86"),
            phone_number: text("13800000000"),
        }],
        settings: Some(settings()),
        reminders: Some(Reminders {
            scope: Some(ReminderScope::Selected),
            scope_code: Some(4),
            before_start_seconds: vec![0, 900],
        }),
        recurrence: Some(weekly()),
        occurrences: Some(Occurrences {
            current_id: text("sub-20261123"),
            remaining: Some(9),
            has_more: Some(true),
            items: vec![Occurrence {
                id: text("sub-20261123"),
                status: Some(OccurrenceStatus::Scheduled),
                status_code: Some(0),
                start_time: Moment::of_unix(MONDAY),
                end_time: Moment::of_unix(MONDAY + HOUR),
                title: text("设计评审"),
                segment_id: text("segment-1"),
            }],
        }),
        recurrence_segments: vec![RecurrenceSegment {
            id: text("segment-1"),
            recurrence: weekly(),
        }],
        redacted: Vec::new(),
        extra: Some(BTreeMap::from([("agentid".to_owned(), json!(1_000_014))])),
    }
}

fn settings() -> Settings {
    let user = |name: &str| vec![name.to_owned()];
    Settings {
        need_password: Some(true),
        password: text("1234"),
        enable_waiting_room: Some(false),
        allow_enter_before_host: Some(true),
        enter_mute: Some(EnterMute::OnAbove6),
        enter_mute_code: Some(2),
        enter_mute_type_code: Some(2),
        allow_unmute_self: Some(true),
        allow_external_user: Some(false),
        enable_screen_watermark: Some(true),
        watermark: Some(Watermark::MultiRow),
        watermark_code: Some(1),
        auto_record: Some(AutoRecord::Cloud),
        attendee_join_auto_record: Some(false),
        enable_host_pause_auto_record: Some(false),
        enable_doc_upload_permission: Some(true),
        enable_enroll: Some(false),
        enable_host_key: Some(true),
        host_key: text("123456"),
        hosts: user("zhangsan"),
        current_hosts: user("zhangsan"),
        co_hosts: user("lisi"),
        ring_users: user("lisi"),
    }
}

fn weekly() -> Recurrence {
    Recurrence {
        frequency: Some(Frequency::Weekly),
        frequency_code: Some(1),
        custom: Some(true),
        interval: Some(1),
        days_of_week: vec![1],
        days_of_month: vec![23],
        until_type: Some(UntilType::Count),
        until_type_code: Some(1),
        until_count: Some(10),
        until_time: Moment::of_unix(MONDAY + 63 * DAY),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what WeCom sent stands where it may have sent nothing"
)]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}
