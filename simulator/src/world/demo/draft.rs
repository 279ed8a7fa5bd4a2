//! A meeting of the demonstration on its way to completeness. Knows no particular one.

use serde_json::Value;
use serde_json::json;

use crate::world::Meeting;

/// A meeting with every field that WeCom sends, most of them as WeCom has them by default.
#[derive(Debug)]
pub(super) struct Draft {
    id: String,
    code: String,
    info: Value,
    occurrences: Vec<Value>,
}

impl Draft {
    pub(super) fn new(id: &str, code: &str, title: &str) -> Self {
        let info = json!({
            "admin_userid": "zhangwei",
            "title": title,
            "meeting_start": 0,
            "meeting_duration": 0,
            "description": "",
            "location": "",
            "main_department": 1,
            "status": 1,
            "meeting_type": 0,
            "attendees": { "member": [], "tmp_external_user": [] },
            "settings": settings(),
            "cal_id": format!("wcjSim-{id}"),
            "reminders": { "is_repeat": 0, "remind_before": [900] },
            "meeting_code": code,
            "meeting_link": format!("https://meeting.example/p/{code}"),
            "has_vote": false,
            "has_more_sub_meeting": 0,
            "remain_sub_meetings": 0,
            "current_sub_meetingid": "",
            "sub_meetings": [],
            "guests": [],
            "sub_repeat_list": [],
        });
        Self {
            id: id.to_owned(),
            code: code.to_owned(),
            info,
            occurrences: Vec::new(),
        }
    }

    pub(super) fn of_type(self, meeting_type: u8) -> Self {
        self.with(json!({ "meeting_type": meeting_type }))
    }

    /// Unix seconds, and seconds. An occurrence takes as long as its series says.
    pub(super) fn at(self, start: i64, duration_s: i64) -> Self {
        self.with(json!({ "meeting_start": start, "meeting_duration": duration_s }))
    }

    /// Puts fields in place of those that are there, leaving the others as they are, at any depth.
    pub(super) fn with(mut self, fields: Value) -> Self {
        overlay(&mut self.info, fields);
        self
    }

    pub(super) fn occurring(self, id: &str, start: i64, segment: &str) -> Self {
        self.occurrence(id, start, segment, 0)
    }

    /// An occurrence that somebody took out of the series.
    pub(super) fn taken_out(self, id: &str, start: i64, segment: &str) -> Self {
        self.occurrence(id, start, segment, 1)
    }

    /// The meeting. Each of its occurrences is told as the series at the occurrence's time.
    pub(super) fn meeting(self) -> Meeting {
        let Self {
            id,
            code,
            mut info,
            occurrences,
        } = self;
        overlay(&mut info, json!({ "sub_meetings": occurrences }));
        let mut meeting = Meeting::new(id, code, info.clone());
        for occurrence in &occurrences {
            let mut told = info.clone();
            let start = occurrence.get("start_time").cloned();
            overlay(&mut told, json!({ "meeting_start": start }));
            let id = occurrence.get("sub_meetingid").and_then(Value::as_str);
            meeting = meeting.with_occurrence(id.unwrap_or_default(), told);
        }
        meeting
    }

    fn occurrence(mut self, id: &str, start: i64, segment: &str, status: u8) -> Self {
        let duration_s = self.info.get("meeting_duration").and_then(Value::as_i64);
        self.occurrences.push(json!({
            "sub_meetingid": id,
            "status": status,
            "start_time": start,
            "end_time": start + duration_s.unwrap_or_default(),
            "title": self.info.get("title"),
            "repeat_id": segment,
        }));
        self
    }
}

/// A colleague who came, once, and stayed so long.
pub(super) fn joined(userid: &str, first_join: i64, stayed_s: i64) -> Value {
    let mut attendee = json!({ "userid": userid });
    overlay(&mut attendee, attendance(first_join, stayed_s));
    attendee
}

/// A colleague who has not come.
pub(super) fn invited(userid: &str) -> Value {
    json!({
        "userid": userid,
        "status": 2,
        "first_join_time": 0,
        "last_quit_time": 0,
        "total_join_count": 0,
        "cumulative_time": 0,
    })
}

/// Somebody from outside who came, once, and stayed so long.
pub(super) fn external(tmp_external_userid: &str, first_join: i64, stayed_s: i64) -> Value {
    let mut attendee = json!({ "tmp_external_userid": tmp_external_userid });
    overlay(&mut attendee, attendance(first_join, stayed_s));
    attendee
}

fn attendance(first_join: i64, stayed_s: i64) -> Value {
    json!({
        "status": 1,
        "first_join_time": first_join,
        "last_quit_time": first_join + stayed_s,
        "total_join_count": 1,
        "cumulative_time": stayed_s,
    })
}

fn settings() -> Value {
    json!({
        "remind_scope": 3,
        "need_password": false,
        "password": "",
        "enable_waiting_room": false,
        "allow_enter_before_host": true,
        "enable_enter_mute": 0,
        "allow_unmute_self": true,
        "allow_external_user": false,
        "enable_screen_watermark": false,
        "watermark_type": 0,
        "auto_record_type": "none",
        "attendee_join_auto_record": false,
        "enable_host_pause_auto_record": true,
        "enable_doc_upload_permission": true,
        "enable_enroll": false,
        "enable_host_key": false,
        "host_key": "",
        "hosts": { "userid": ["zhangwei"] },
        "current_hosts": { "userid": [] },
        "co_hosts": { "userid": [] },
        "ring_users": { "userid": [] },
    })
}

fn overlay(base: &mut Value, fields: Value) {
    match (base, fields) {
        (Value::Object(base), Value::Object(fields)) => {
            for (name, value) in fields {
                overlay(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, fields) => *base = fields,
    }
}
