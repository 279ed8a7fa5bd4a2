//! What WeCom says of a meeting of the day, in WeCom's shape (document 98149), and its names.

use std::fmt::Write;

use serde_json::Value;
use serde_json::json;

use crate::day::HOUR_MS;
use crate::day::Kind;
use crate::day::Meeting;
use crate::day::Status;
use crate::day::Target;

/// Midnight of the day, in Unix time: 4 March 2026, a Wednesday.
pub(crate) const MIDNIGHT_S: u64 = 1_772_582_400;

const FIRST_CODE: usize = 400_000_000;
const FIRST_CODE_OF_NOBODY: usize = 900_000_000;

/// 32 characters, as WeCom's are.
pub(crate) fn id(index: usize) -> String {
    format!("mtf{index:029}")
}

pub(crate) fn code(index: usize) -> String {
    (FIRST_CODE + index).to_string()
}

pub(crate) fn code_of_nobody(index: usize) -> String {
    (FIRST_CODE_OF_NOBODY + index).to_string()
}

/// Which meeting is asked for; `None` if there is none.
pub(crate) fn target(question: &Value) -> Option<Target> {
    if let Some(id) = question.get("meetingid").and_then(Value::as_str) {
        let digits = id.strip_prefix("mtf")?;
        return digits.parse().ok().map(Target::ById);
    }
    let code: usize = question.get("meeting_code")?.as_str()?.parse().ok()?;
    if code >= FIRST_CODE_OF_NOBODY {
        return None;
    }
    code.checked_sub(FIRST_CODE).map(Target::ByCode)
}

/// That there is no such number.
pub(crate) fn nobody() -> String {
    r#"{"errcode":730004,"errmsg":"invalid meeting_code"}"#.to_owned()
}

/// The meeting as it stands at that moment.
pub(crate) fn told(index: usize, meeting: &Meeting, at_ms: u64) -> Option<String> {
    let state = meeting.at(at_ms)?;
    let second = |moment_ms: u64| MIDNIGHT_S + moment_ms / 1_000;
    let status = match state.status {
        Status::NotStarted => 1,
        Status::InProgress => 2,
        Status::Ended => 3,
        Status::Cancelled => 4,
        Status::Expired => 5,
    };
    let kind = match meeting.kind {
        Kind::OneTime => 0,
        Kind::Recurring => 1,
        Kind::PersonalRoom => 5,
    };
    let came = meeting.came.iter().filter(|stay| stay.start <= at_ms);
    let mut members: Vec<Value> = came
        .map(|stay| {
            let until_ms = stay.end.min(at_ms);
            json!({
                "status": 1,
                "first_join_time": second(stay.start),
                "last_quit_time": if stay.end <= at_ms { second(stay.end) } else { 0 },
                "total_join_count": 1,
                "cumulative_time": (until_ms - stay.start) / 1_000,
            })
        })
        .collect();
    members.resize(meeting.invited, json!({"status": 2}));
    for (number, member) in members.iter_mut().enumerate() {
        let mut name = String::new();
        write!(name, "member-{index}-{number}").ok()?;
        *member
            .as_object_mut()?
            .entry("userid")
            .or_insert(Value::Null) = name.into();
    }
    let host = format!("member-{index}-0");
    let mut info = json!({
        "errcode": 0,
        "errmsg": "ok",
        "meetingid": id(index),
        "meeting_code": code(index),
        "admin_userid": host,
        "title": format!("季度评审 {index}"),
        "description": "议程见日历附件，请提前五分钟入会并检查麦克风与摄像头。",
        "location": "三号楼 5 层",
        "main_department": 1,
        "meeting_start": second(state.start_ms),
        "meeting_duration": state.length_ms / 1_000,
        "status": status,
        "meeting_type": kind,
        "meeting_link": format!("https://meeting.example/join/{index}"),
        "cal_id": format!("cal{index:029}"),
        "attendees": {"member": members},
        "settings": {
            "remind_scope": 3,
            "enable_waiting_room": false,
            "allow_enter_before_host": true,
            "enable_enter_mute": 2,
            "allow_unmute_self": true,
            "allow_external_user": true,
            "enable_screen_watermark": false,
            "auto_record_type": "none",
            "hosts": {"userid": [host]},
        },
        "reminders": {"is_repeat": 0, "remind_before": [900]},
    });
    if meeting.kind == Kind::Recurring {
        let info = info.as_object_mut()?;
        let tomorrow_ms = state.start_ms + 24 * HOUR_MS;
        let repeats = json!({
            "is_repeat": 1,
            "repeat_type": 0,
            "repeat_interval": 1,
            "repeat_until_type": 1,
            "repeat_until_count": 50,
            "remind_before": [900],
        });
        let occurrences = json!([
            {"sub_meetingid": "today", "status": 0, "start_time": second(state.start_ms), "end_time": second(state.end_ms())},
            {"sub_meetingid": "tomorrow", "status": 0, "start_time": second(tomorrow_ms), "end_time": second(tomorrow_ms + state.length_ms)},
        ]);
        info.insert("reminders".to_owned(), repeats);
        info.insert("sub_meetings".to_owned(), occurrences);
    }
    Some(info.to_string())
}
