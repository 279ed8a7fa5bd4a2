//! WeCom's shape of a meeting, and the one step from it to ours.
//!
//! WeCom's shape varies: fields are renamed, added and left out without notice, numbers come as
//! strings, lists as single objects (documents 98149 and 93708). So it is not a struct here, but
//! [`Fields`] that are read one by one: a field that is read lands in its key, and every other in
//! `extra`. This room sends nothing, and knows neither tokens nor errors.

mod fields;

#[cfg(test)]
mod tests;

use serde_json::Map;
use serde_json::Value;

use self::fields::Extra;
use self::fields::Fields;
use crate::meeting::Attendance;
use crate::meeting::Attendee;
use crate::meeting::AttendeeKind;
use crate::meeting::AutoRecord;
use crate::meeting::EnterMute;
use crate::meeting::Frequency;
use crate::meeting::Guest;
use crate::meeting::Meeting;
use crate::meeting::MeetingId;
use crate::meeting::Moment;
use crate::meeting::Occurrence;
use crate::meeting::OccurrenceStatus;
use crate::meeting::Occurrences;
use crate::meeting::Organizer;
use crate::meeting::Recurrence;
use crate::meeting::RecurrenceSegment;
use crate::meeting::ReminderScope;
use crate::meeting::Reminders;
use crate::meeting::Selector;
use crate::meeting::Settings;
use crate::meeting::Status;
use crate::meeting::Type;
use crate::meeting::UntilType;
use crate::meeting::Watermark;

/// A meeting in WeCom's shape: the object that `meeting/get_info` answered.
pub(super) struct MeetingInfo(pub(super) Map<String, Value>);

/// Turns WeCom's shape into ours. `selector` and `occurrence` are what was asked for: the answer
/// itself often does not say which meeting it is about.
///
/// Never fails: what a key cannot hold goes to `extra`, as everything does that no key names.
pub(super) fn normalise(
    info: MeetingInfo,
    selector: &Selector,
    occurrence: Option<&MeetingId>,
) -> Meeting {
    let mut extra = Extra::new();
    let mut fields = Fields::outermost(info.0);
    fields.discard("errcode");
    fields.discard("errmsg");

    let (asked_id, asked_code) = match selector {
        Selector::Code(code) => (None, Some(code.to_string())),
        Selector::Id(id) => (Some(id.to_string()), None),
    };
    let status = fields.coded("status", Status::from_code);
    let r#type = fields.coded("meeting_type", Type::from_code);
    let start_time = fields.time("meeting_start");
    let duration_seconds = fields.number("meeting_duration");
    let (settings, scope) = settings(&mut fields, &mut extra);
    let (reminders, recurrence) = reminders(&mut fields, scope, &mut extra);

    let meeting = Meeting {
        meeting_id: said(fields.text("meetingid")).or(asked_id),
        meeting_code: said(fields.digits("meeting_code")).or(asked_code),
        sub_meeting_id: occurrence.cloned(),
        title: fields.text("title"),
        description: fields.text("description"),
        location: fields.text("location"),
        organizer: organizer(&mut fields),
        status: status.word,
        status_code: status.code,
        r#type: r#type.word,
        type_code: r#type.code,
        start_time,
        end_time: end_time(start_time, duration_seconds),
        duration_seconds,
        join_url: fields.text("meeting_link"),
        calendar_id: fields.text("cal_id"),
        has_vote: fields.flag("has_vote"),
        attendees: attendees(&mut fields, &mut extra),
        guests: each(fields.objects("guests"), &mut extra, guest),
        settings,
        reminders,
        recurrence,
        occurrences: occurrences(&mut fields, &mut extra),
        recurrence_segments: each(fields.objects("sub_repeat_list"), &mut extra, segment),
        redacted: Vec::new(),
        extra: None,
    };
    fields.finish(&mut extra);
    Meeting {
        extra: Some(extra),
        ..meeting
    }
}

/// A name, unless it is empty: that says as little as none.
fn said(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

/// Reads every object of a list, and hands over what is left of each.
fn each<T>(objects: Vec<Fields>, extra: &mut Extra, read: fn(&mut Fields) -> T) -> Vec<T> {
    let mut items = Vec::with_capacity(objects.len());
    for mut fields in objects {
        items.push(read(&mut fields));
        fields.finish(extra);
    }
    items
}

/// `None` where the sum is beyond what a time can be: both summands are in the meeting anyway.
fn end_time(start: Option<Moment>, duration_seconds: Option<i64>) -> Option<Moment> {
    Moment::of_unix(start?.as_unix().checked_add(duration_seconds?)?)
}

fn organizer(fields: &mut Fields) -> Option<Organizer> {
    fields.if_any_sent(|fields| Organizer {
        user_id: fields.text_under(&["admin_userid", "creator_userid"]),
        department_id: fields.number("main_department"),
    })
}

/// Everybody in WeCom's order, members first. `attendees` is documented as a list and sent as an
/// object; either will do.
fn attendees(fields: &mut Fields, extra: &mut Extra) -> Vec<Attendee> {
    let mut groups = fields.object_or_objects("attendees");
    let mut attendees = Vec::new();
    for (name, read) in [
        ("member", member as fn(&mut Fields) -> Attendee),
        ("tmp_external_user", external),
        ("external_user", external),
        ("device", device),
    ] {
        for group in &mut groups {
            attendees.extend(each(group.objects(name), extra, read));
        }
    }
    for group in groups {
        group.finish(extra);
    }
    attendees
}

fn member(fields: &mut Fields) -> Attendee {
    attendee(AttendeeKind::Member, &["userid"], fields)
}

fn external(fields: &mut Fields) -> Attendee {
    attendee(
        AttendeeKind::External,
        &["tmp_external_userid", "external_userid"],
        fields,
    )
}

fn device(fields: &mut Fields) -> Attendee {
    attendee(AttendeeKind::Device, &["device_sn"], fields)
}

fn attendee(kind: AttendeeKind, id_names: &[&str], fields: &mut Fields) -> Attendee {
    let attendance = fields.coded("status", Attendance::from_code);
    Attendee {
        kind,
        id: fields.text_under(id_names),
        attendance: attendance.word,
        attendance_code: attendance.code,
        first_join_time: fields.time("first_join_time"),
        last_leave_time: fields.time("last_quit_time"),
        join_count: fields.number("total_join_count"),
        total_seconds: fields.number("cumulative_time"),
    }
}

fn guest(fields: &mut Fields) -> Guest {
    Guest {
        name: fields.text("guest_name"),
        country_code: fields.text("area"),
        phone_number: fields.text("phone_number"),
    }
}

/// Who is rung up: WeCom keeps it among the settings, we among the reminders.
type Scope = fields::Coded<ReminderScope>;

fn settings(fields: &mut Fields, extra: &mut Extra) -> (Option<Settings>, Scope) {
    let Some(mut fields) = fields.object("settings") else {
        return (
            None,
            Scope {
                word: None,
                code: None,
            },
        );
    };
    let settings = fields.if_any_sent(|fields| read_settings(fields, extra));
    let scope = fields.coded("remind_scope", ReminderScope::from_code);
    fields.finish(extra);
    (settings, scope)
}

fn read_settings(fields: &mut Fields, extra: &mut Extra) -> Settings {
    let enter_mute = fields.coded_or_flag("enable_enter_mute", EnterMute::from_code);
    let watermark = fields.coded("watermark_type", Watermark::from_code);
    Settings {
        need_password: fields.flag("need_password"),
        password: fields.text("password"),
        enable_waiting_room: fields.flag("enable_waiting_room"),
        allow_enter_before_host: fields.flag("allow_enter_before_host"),
        enter_mute: enter_mute.word,
        enter_mute_code: enter_mute.code,
        enter_mute_type_code: fields.number("enable_enter_mute_type"),
        allow_unmute_self: fields.flag("allow_unmute_self"),
        allow_external_user: fields.flag("allow_external_user"),
        enable_screen_watermark: fields.flag("enable_screen_watermark"),
        watermark: watermark.word,
        watermark_code: watermark.code,
        auto_record: fields.word("auto_record_type", auto_record, AutoRecord::Unknown),
        attendee_join_auto_record: fields
            .flag_under(&["attendee_join_auto_record", "participant_join_auto_record"]),
        enable_host_pause_auto_record: fields.flag("enable_host_pause_auto_record"),
        enable_doc_upload_permission: fields.flag("enable_doc_upload_permission"),
        enable_enroll: fields.flag("enable_enroll"),
        enable_host_key: fields.flag("enable_host_key"),
        host_key: fields.text("host_key"),
        hosts: user_ids(fields, "hosts", extra),
        current_hosts: user_ids(fields, "current_hosts", extra),
        co_hosts: user_ids(fields, "co_hosts", extra),
        ring_users: user_ids(fields, "ring_users", extra),
    }
}

/// A word where WeCom's other enums are numbers.
fn auto_record(word: &str) -> Option<AutoRecord> {
    match word {
        "none" => Some(AutoRecord::None),
        "local" => Some(AutoRecord::Local),
        "cloud" => Some(AutoRecord::Cloud),
        _ => None,
    }
}

fn user_ids(fields: &mut Fields, name: &str, extra: &mut Extra) -> Vec<String> {
    let Some(mut list) = fields.object(name) else {
        return Vec::new();
    };
    let user_ids = list.texts("userid");
    list.finish(extra);
    user_ids
}

/// WeCom keeps the rule of a series among the reminders. It is a rule only where `is_repeat` says so.
fn reminders(
    fields: &mut Fields,
    scope: Scope,
    extra: &mut Extra,
) -> (Option<Reminders>, Option<Recurrence>) {
    let mut before_start = None;
    let mut rule = None;
    if let Some(mut fields) = fields.object("reminders") {
        before_start = fields.if_any_sent(|fields| fields.numbers("remind_before"));
        let repeats = fields.flag("is_repeat") == Some(true);
        rule = repeats.then(|| recurrence(&mut fields));
        fields.finish(extra);
    }
    let Scope { word, code } = scope;
    let any_sent = before_start.is_some() || word.is_some();
    let reminders = any_sent.then(|| Reminders {
        scope: word,
        scope_code: code,
        before_start_seconds: before_start.unwrap_or_default(),
    });
    (reminders, rule)
}

fn recurrence(fields: &mut Fields) -> Recurrence {
    let frequency = fields.coded("repeat_type", Frequency::from_code);
    let until_type = fields.coded("repeat_until_type", UntilType::from_code);
    Recurrence {
        frequency: frequency.word,
        frequency_code: frequency.code,
        custom: fields.flag("is_custom_repeat"),
        interval: fields.number("repeat_interval"),
        days_of_week: fields.numbers("repeat_day_of_week"),
        days_of_month: fields.numbers("repeat_day_of_month"),
        until_type: until_type.word,
        until_type_code: until_type.code,
        until_count: fields.number("repeat_until_count"),
        until_time: fields.time("repeat_until"),
    }
}

fn segment(fields: &mut Fields) -> RecurrenceSegment {
    RecurrenceSegment {
        id: fields.text("repeat_id"),
        recurrence: recurrence(fields),
    }
}

fn occurrences(fields: &mut Fields, extra: &mut Extra) -> Option<Occurrences> {
    fields.if_any_sent(|fields| Occurrences {
        current_id: fields.text("current_sub_meetingid"),
        remaining: fields.number("remain_sub_meetings"),
        has_more: fields.flag("has_more_sub_meeting"),
        items: each(fields.objects("sub_meetings"), extra, occurrence),
    })
}

fn occurrence(fields: &mut Fields) -> Occurrence {
    let status = fields.coded("status", OccurrenceStatus::from_code);
    Occurrence {
        id: fields.text("sub_meetingid"),
        status: status.word,
        status_code: status.code,
        start_time: fields.time("start_time"),
        end_time: fields.time("end_time"),
        title: fields.text("title"),
        segment_id: fields.text("repeat_id"),
    }
}
