//! Meetings as an enterprise has them. Nobody in them exists; no number can be dialled.
//!
//! Times are fixed when the world is made, and the statuses follow the clock from there. Were the
//! times counted from each answer instead, no meeting would ever begin, and each answer would
//! differ from the last for no reason that a client could see in WeCom.

mod draft;

use serde_json::Value;
use serde_json::json;

use self::draft::Draft;
use self::draft::external;
use self::draft::invited;
use self::draft::joined;
use super::DEFAULT_CORP_ID;
use super::Meeting;
use super::World;
use crate::clock;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const ONE_TIME: u8 = 0;
const RECURRING: u8 = 1;
const WECHAT: u8 = 2;
const ROOMS_SCREENCAST: u8 = 3;
const PERSONAL_ROOM: u8 = 5;
const WEBINAR: u8 = 6;

const CANCELLED: u8 = 4;
const EXPIRED: u8 = 5;

/// The secret of a second app, which created a meeting that the default app may not see.
const PAYROLL_SECRET: &str = "SIMSECRET-0000000000000000000000000000000002";

pub(super) fn world() -> World {
    let now_s = i64::try_from(clock::real_now().as_secs()).unwrap_or_default();
    // People do not meet at odd seconds.
    let minute = now_s - now_s % MINUTE;
    let mut world = World::empty();
    for meeting in meetings(minute) {
        world.put_meeting(meeting);
    }
    world
}

fn meetings(now: i64) -> [Meeting; 14] {
    [
        all_hands(now),
        architecture(now),
        cancelled(now),
        Draft::new(
            "mtfDeleted-000000000000000000008",
            "318420775",
            "删除的会议",
        )
        .meeting()
        .with_errcode(730_008),
        design_review(now),
        expired(now),
        payroll(now),
        personal_room(now),
        planning(now),
        retrospective(now),
        rooms_screencast(now),
        standup(now),
        webinar(now),
        wechat(now),
    ]
}

/// In progress, and big: two thousand people.
fn all_hands(now: i64) -> Meeting {
    let start = now - 20 * MINUTE;
    let member: Vec<Value> = (1..=2000)
        .map(|number| {
            let user = format!("employee{number:04}");
            if number % 4 == 0 {
                invited(&user)
            } else {
                joined(&user, start + number % 600, 1200 - number % 600)
            }
        })
        .collect();
    Draft::new(
        "mtfAllHands-00000000000000000001",
        "620118354",
        "全员大会 All-hands",
    )
    .of_type(ONE_TIME)
    .at(start, 2 * HOUR)
    .with(json!({
        "location": "总部一层报告厅",
        "attendees": { "member": member },
        "settings": { "enable_enter_mute": 2, "auto_record_type": "cloud" },
    }))
    .meeting()
    .keeping_time()
}

/// A series that somebody changed half-way ("this and all that follow"): two segments.
fn architecture(now: i64) -> Meeting {
    let first = now - 13 * DAY;
    Draft::new(
        "mtfArchitecture-0000000000000002",
        "735206418",
        "架构例会 Architecture",
    )
    .of_type(RECURRING)
    .at(first, HOUR)
    .with(json!({
        "reminders": {
            "is_repeat": 1, "repeat_type": 1, "is_custom_repeat": 1, "repeat_interval": 1,
            "repeat_day_of_week": [2], "repeat_until_type": 1, "repeat_until_count": 4,
            "remind_before": [0, 900],
        },
        "sub_repeat_list": [
            {
                "repeat_id": "segment-1", "repeat_type": 1, "is_custom_repeat": 0,
                "repeat_interval": 1, "repeat_until_type": 1, "repeat_until_count": 2,
            },
            {
                "repeat_id": "segment-2", "repeat_type": 1, "is_custom_repeat": 1,
                "repeat_interval": 1, "repeat_day_of_week": [2],
                "repeat_until_type": 0, "repeat_until": now + 15 * DAY,
            },
        ],
    }))
    .occurring("architecture-1", first, "segment-1")
    .occurring("architecture-2", first + 7 * DAY, "segment-1")
    .occurring("architecture-3", now + DAY, "segment-2")
    .occurring("architecture-4", now + 8 * DAY, "segment-2")
    .meeting()
    .keeping_time()
}

fn cancelled(now: i64) -> Meeting {
    Draft::new(
        "mtfCancelled-0000000000000000003",
        "509773126",
        "Offsite (called off)",
    )
    .at(now + 2 * DAY, 8 * HOUR)
    .with(json!({ "status": CANCELLED, "description": "Moved to next quarter." }))
    .meeting()
}

/// In progress, with everything that not every caller may see: a password, a host's key, guests'
/// phone numbers.
fn design_review(now: i64) -> Meeting {
    let start = now - 10 * MINUTE;
    Draft::new(
        "mtfDesignReview-0000000000000004",
        "446153273",
        "设计评审：会议代理",
    )
    .of_type(ONE_TIME)
    .at(start, HOUR)
    .with(json!({
        "description": "缓存、令牌与限流的设计。Bring your questions.",
        "location": "三楼银杏会议室",
        "has_vote": true,
        "attendees": {
            "member": [
                joined("zhangwei", start - 90, 690),
                joined("lina", start + 30, 570),
                invited("wangfang"),
            ],
            "tmp_external_user": [external("woSimGuest-01", start + 60, 540)],
        },
        "settings": {
            "need_password": true, "password": "731946",
            "enable_host_key": true, "host_key": "204815",
            "allow_external_user": true, "enable_waiting_room": true,
            "hosts": { "userid": ["zhangwei"] },
            "current_hosts": { "userid": ["zhangwei"] },
            "co_hosts": { "userid": ["lina"] },
        },
        "guests": [
            { "area": "86", "phone_number": "10000000001", "guest_name": "陈静" },
            { "area": "44", "phone_number": "7700900123", "guest_name": "Guest Speaker" },
        ],
    }))
    .meeting()
    .keeping_time()
}

/// Nobody came.
fn expired(now: i64) -> Meeting {
    Draft::new(
        "mtfExpired-000000000000000000005",
        "281640597",
        "供应商沟通会",
    )
    .at(now - 3 * DAY, HOUR)
    .with(json!({ "status": EXPIRED }))
    .meeting()
}

/// Created by another app, so that the default app is refused (730005).
fn payroll(now: i64) -> Meeting {
    Draft::new("mtfPayroll-000000000000000000006", "870031462", "Payroll")
        .at(now + HOUR, HOUR)
        .meeting()
        .keeping_time()
        .of_app(DEFAULT_CORP_ID, PAYROLL_SECRET)
}

/// A number of ten digits that stands for whatever its owner does in the room.
fn personal_room(now: i64) -> Meeting {
    Draft::new(
        "mtfPersonalRoom-0000000000000007",
        "4008821234",
        "张伟的个人会议室",
    )
    .of_type(PERSONAL_ROOM)
    .at(now, HOUR)
    .with(json!({ "settings": { "allow_enter_before_host": true } }))
    .meeting()
}

/// Begins in two minutes: wait, or turn the clock, and see the status change.
fn planning(now: i64) -> Meeting {
    Draft::new(
        "mtfPlanning-00000000000000000009",
        "912384056",
        "Quarterly planning",
    )
    .of_type(ONE_TIME)
    .at(now + 2 * MINUTE, HOUR)
    .with(json!({
        "description": "What we will do, and what we will not.",
        "attendees": { "member": [invited("zhangwei"), invited("lina")] },
        "settings": {
            "remind_scope": 4, "ring_users": { "userid": ["lina"] }, "watermark_type": 1,
        },
    }))
    .meeting()
    .keeping_time()
}

/// Over, with who was there and for how long.
fn retrospective(now: i64) -> Meeting {
    let start = now - DAY;
    Draft::new("mtfRetrospective-000000000000010", "153908274", "项目复盘")
        .of_type(ONE_TIME)
        .at(start, HOUR)
        .with(json!({
            "attendees": {
                "member": [
                    joined("zhangwei", start - 120, 3720),
                    joined("lina", start + 45, 3555),
                    joined("wangfang", start + 600, 1800),
                    invited("liuyang"),
                ],
                "tmp_external_user": [external("woSimGuest-02", start + 15, 3500)],
            },
        }))
        .meeting()
        .keeping_time()
}

fn rooms_screencast(now: i64) -> Meeting {
    Draft::new(
        "mtfScreencast-000000000000000011",
        "664207913",
        "三楼会议室投屏",
    )
    .of_type(ROOMS_SCREENCAST)
    .at(now - 15 * MINUTE, 30 * MINUTE)
    .meeting()
    .keeping_time()
}

/// Daily, an occurrence of it under way, the next one taken out.
fn standup(now: i64) -> Meeting {
    let first = now - 5 * MINUTE - 2 * DAY;
    Draft::new(
        "mtfStandup-000000000000000000012",
        "377265840",
        "每日站会 Daily stand-up",
    )
    .of_type(RECURRING)
    .at(first, 15 * MINUTE)
    .with(json!({
        "reminders": {
            "is_repeat": 1, "repeat_type": 0, "is_custom_repeat": 0, "repeat_interval": 1,
            "repeat_until_type": 1, "repeat_until_count": 6, "remind_before": [300],
        },
        "attendees": { "member": [joined("lina", now - 4 * MINUTE, 240), invited("liuyang")] },
    }))
    .occurring("standup-1", first, "daily")
    .occurring("standup-2", first + DAY, "daily")
    .occurring("standup-3", first + 2 * DAY, "daily")
    .taken_out("standup-4", first + 3 * DAY, "daily")
    .occurring("standup-5", first + 4 * DAY, "daily")
    .occurring("standup-6", first + 5 * DAY, "daily")
    .meeting()
    .keeping_time()
}

fn webinar(now: i64) -> Meeting {
    Draft::new(
        "mtfWebinar-000000000000000000013",
        "548819360",
        "新品发布 Webinar",
    )
    .of_type(WEBINAR)
    .at(now + 3 * HOUR, 2 * HOUR)
    .with(json!({
        "description": "面向客户的产品发布。Registration required.",
        "settings": {
            "enable_enroll": true, "allow_external_user": true, "enable_enter_mute": 1,
            "allow_unmute_self": false, "auto_record_type": "cloud",
        },
    }))
    .meeting()
    .keeping_time()
}

fn wechat(now: i64) -> Meeting {
    Draft::new("mtfWeChat-0000000000000000000014", "205571938", "客户回访")
        .of_type(WECHAT)
        .at(now + 45 * MINUTE, 30 * MINUTE)
        .meeting()
        .keeping_time()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Any moment will do.
    const NOW_S: i64 = 1_800_000_000;

    #[test]
    fn the_demonstration_shows_every_status_and_every_type() {
        let mut statuses = BTreeSet::new();
        let mut types = BTreeSet::new();

        for meeting in meetings(NOW_S) {
            let Ok(told) = meeting.told(None, 1_800_000_000) else {
                continue;
            };
            let told: Value = serde_json::from_str(&told).unwrap();
            statuses.insert(told["status"].as_u64().unwrap());
            types.insert(told["meeting_type"].as_u64().unwrap());
        }

        assert_eq!(statuses, BTreeSet::from([1, 2, 3, 4, 5]));
        assert_eq!(types, BTreeSet::from([0, 1, 2, 3, 5, 6]));
    }

    #[test]
    fn the_names_of_the_demonstration_are_as_long_as_wecoms() {
        for meeting in meetings(NOW_S) {
            assert_eq!(meeting.id.len(), 32, "of {}", meeting.id);
            assert!([9, 10].contains(&meeting.code.len()), "of {}", meeting.id);
            assert!(meeting.title().len() <= 40, "of {}", meeting.id);
        }
    }
}
