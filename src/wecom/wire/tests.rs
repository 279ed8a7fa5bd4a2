//! What WeCom sends, and what must become of it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::meeting::view::Part;
use crate::meeting::view::Reveal;
use crate::meeting::view::Views;

fn by_id(id: &str) -> Selector {
    Selector::Id(id.parse().expect("an id"))
}

fn by_code(code: &str) -> Selector {
    Selector::Code(code.parse().expect("a code"))
}

/// The body that a caller sees who may see everything.
fn body(info: &Value, selector: &Selector) -> Value {
    let info = info.as_object().expect("an object").clone();
    let meeting = normalise(MeetingInfo(info), selector, None);
    let reveal = [Part::Extra, Part::Phones, Part::Secrets]
        .into_iter()
        .collect();
    view(meeting, reveal)
}

fn view(mut meeting: Meeting, reveal: Reveal) -> Value {
    serde_json::from_slice(Views::of(&mut meeting).text(reveal).bytes()).expect("JSON")
}

/// The body and `extra` of a meeting asked for by id.
fn read(info: &Value) -> (Value, Value) {
    let body = body(info, &by_id("m1"));
    let extra = body["extra"].clone();
    (body, extra)
}

#[test]
fn the_official_sample_becomes_what_the_contract_says() {
    let info: Value = serde_json::from_str(include_str!(
        "../../../tests/samples/official-sample.wecom.json"
    ))
    .expect("JSON");
    let expected = |text| serde_json::from_str::<Value>(text).expect("JSON");
    let all = expected(include_str!(
        "../../../tests/samples/official-sample.all-revealed.json"
    ));
    let nothing = expected(include_str!(
        "../../../tests/samples/official-sample.nothing-revealed.json"
    ));
    let selector = by_id("hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg");
    let info_object = info.as_object().expect("an object").clone();
    let meeting = normalise(MeetingInfo(info_object), &selector, None);

    assert_eq!(body(&info, &selector), all);
    assert_eq!(view(meeting, Reveal::NOTHING), nothing);
}

#[test]
fn an_empty_answer_is_a_meeting_of_which_nothing_is_known_but_its_name() {
    let (body, extra) = read(&json!({"errcode": 0, "errmsg": "ok"}));

    assert_eq!(extra, json!({}));
    for (key, value) in body.as_object().expect("an object") {
        let expected = match key.as_str() {
            "meeting_id" => json!("m1"),
            "attendees" | "guests" | "recurrence_segments" | "redacted" => json!([]),
            "extra" => json!({}),
            _ => Value::Null,
        };
        assert_eq!(*value, expected, "{key}");
    }
}

#[test]
fn what_was_asked_for_names_the_meeting_where_wecom_does_not() {
    let named = json!({"meetingid": "theirs", "meeting_code": "999999"});
    let unnamed = json!({});
    for (info, selector, id, code) in [
        (&named, by_id("m1"), json!("theirs"), json!("999999")),
        (
            &named,
            by_code("446153273"),
            json!("theirs"),
            json!("999999"),
        ),
        (&unnamed, by_id("m1"), json!("m1"), Value::Null),
        (
            &unnamed,
            by_code("446153273"),
            Value::Null,
            json!("446153273"),
        ),
    ] {
        let body = body(info, &selector);
        assert_eq!(
            (&body["meeting_id"], &body["meeting_code"]),
            (&id, &code),
            "{selector}"
        );
    }
}

#[test]
fn numbers_come_as_numbers_or_strings_and_booleans_as_booleans_or_0_and_1() {
    let (body, extra) = read(&json!({
        "meeting_start": "6178368698", "meeting_duration": "1800", "main_department": "4294967296",
        "status": "2", "has_vote": 1,
        "settings": {"need_password": 0, "enable_enroll": "1", "enable_enter_mute": true},
        "reminders": {"is_repeat": "1", "repeat_type": "7", "repeat_day_of_week": ["1", 2]},
    }));

    assert_eq!(extra, json!({}));
    assert_eq!(body["start_time"], "2165-10-13T21:31:38Z");
    assert_eq!(body["end_time"], "2165-10-13T22:01:38Z");
    assert_eq!(
        body["organizer"],
        json!({"user_id": null, "department_id": 4_294_967_296_i64})
    );
    assert_eq!(
        (&body["status"], &body["status_code"]),
        (&json!("in_progress"), &json!(2))
    );
    assert_eq!(body["has_vote"], true);
    assert_eq!(body["settings"]["need_password"], false);
    assert_eq!(body["settings"]["enable_enroll"], true);
    assert_eq!(body["settings"]["enter_mute"], "on");
    assert_eq!(body["settings"]["enter_mute_code"], 1);
    assert_eq!(body["recurrence"]["frequency"], "workdays");
    assert_eq!(body["recurrence"]["days_of_week"], json!([1, 2]));
}

#[test]
fn numbers_become_the_words_that_callers_rely_on() {
    for (sent, key, words) in [
        (
            "/status",
            "/status",
            &[
                (1, "not_started"),
                (2, "in_progress"),
                (3, "ended"),
                (4, "cancelled"),
                (5, "expired"),
                (6, "unknown"),
            ][..],
        ),
        (
            "/meeting_type",
            "/type",
            &[
                (0, "one_time"),
                (1, "recurring"),
                (2, "wechat"),
                (3, "rooms_screencast"),
                (4, "unknown"),
                (5, "personal_room"),
                (6, "webinar"),
            ],
        ),
        (
            "/settings/enable_enter_mute",
            "/settings/enter_mute",
            &[(0, "off"), (1, "on"), (2, "on_above_6"), (3, "unknown")],
        ),
        (
            "/settings/watermark_type",
            "/settings/watermark",
            &[(0, "single_row"), (1, "multi_row"), (2, "unknown")],
        ),
        (
            "/settings/remind_scope",
            "/reminders/scope",
            &[
                (1, "none"),
                (2, "host"),
                (3, "all"),
                (4, "selected"),
                (5, "unknown"),
            ],
        ),
        (
            "/reminders/repeat_type",
            "/recurrence/frequency",
            &[
                (0, "daily"),
                (1, "weekly"),
                (2, "monthly"),
                (3, "unknown"),
                (7, "workdays"),
            ],
        ),
        (
            "/reminders/repeat_until_type",
            "/recurrence/until_type",
            &[(0, "date"), (1, "count"), (2, "unknown")],
        ),
    ] {
        for &(number, word) in words {
            let mut info = json!({"settings": {}, "reminders": {"is_repeat": 1}});
            let (above, name) = sent.rsplit_once('/').expect("a path");
            info.pointer_mut(above).expect("an object")[name] = number.into();

            let (body, _) = read(&info);

            assert_eq!(body.pointer(key), Some(&word.into()), "{sent} {number}");
        }
    }
}

#[test]
fn words_and_booleans_become_the_words_that_callers_rely_on() {
    for (field, sent, expected) in [
        (
            "auto_record_type",
            json!("none"),
            [("auto_record", json!("none"))].as_slice(),
        ),
        (
            "auto_record_type",
            json!("local"),
            &[("auto_record", json!("local"))],
        ),
        (
            "auto_record_type",
            json!("cloud"),
            &[("auto_record", json!("cloud"))],
        ),
        (
            "enable_enter_mute",
            json!(false),
            &[("enter_mute", json!("off")), ("enter_mute_code", json!(0))],
        ),
        (
            "enable_enter_mute",
            json!(true),
            &[("enter_mute", json!("on")), ("enter_mute_code", json!(1))],
        ),
    ] {
        let body = body(&json!({"settings": {field: sent}}), &by_id("m1"));

        for (key, value) in expected {
            assert_eq!(body["settings"][key], *value, "{field}: {sent}");
        }
        assert_eq!(body["extra"], json!({}), "{field}: {sent}");
    }
}

#[test]
fn fields_of_older_versions_land_in_the_same_keys() {
    let (body, extra) = read(&json!({
        "creator_userid": "zhangsan",
        "attendees": [{
            "external_user": {"external_userid": "woabc", "status": 1},
            "device": [{"device_sn": "sn-1", "status": 5}],
            "member": {"userid": "lisi", "status": 2},
        }],
        "settings": {"participant_join_auto_record": true, "hosts": {"userid": "lisi"}},
        "guests": {"guest_name": "wangwu"},
        "sub_meetings": {"sub_meetingid": "s1", "status": 1},
    }));

    assert_eq!(extra, json!({}));
    assert_eq!(body["organizer"]["user_id"], "zhangsan");
    let attendees = body["attendees"].as_array().expect("a list");
    let seen: Vec<_> = attendees
        .iter()
        .map(|attendee| (&attendee["kind"], &attendee["id"], &attendee["attendance"]))
        .map(|(kind, id, attendance)| json!([kind, id, attendance]))
        .collect();
    assert_eq!(
        seen,
        [
            json!(["member", "lisi", "not_joined"]),
            json!(["external", "woabc", "joined"]),
            json!(["device", "sn-1", "unknown"]),
        ]
    );
    assert_eq!(body["settings"]["attendee_join_auto_record"], true);
    assert_eq!(body["settings"]["hosts"], json!(["lisi"]));
    assert_eq!(body["guests"][0]["name"], "wangwu");
    assert_eq!(body["occurrences"]["items"][0]["status"], "deleted");
}

#[test]
fn an_older_name_beside_the_newer_one_goes_to_extra() {
    let (body, extra) = read(&json!({"admin_userid": "new", "creator_userid": "old"}));

    assert_eq!(body["organizer"]["user_id"], "new");
    assert_eq!(extra, json!({"creator_userid": "old"}));
}

#[test]
fn what_a_key_cannot_hold_goes_to_extra_as_it_came() {
    for (info, path, odd) in [
        (json!({"title": 7}), "title", json!(7)),
        (json!({"title": {"zh": "会"}}), "title", json!({"zh": "会"})),
        (
            json!({"meeting_duration": {}}),
            "meeting_duration",
            json!({}),
        ),
        (
            json!({"meeting_duration": 1.5}),
            "meeting_duration",
            json!(1.5),
        ),
        (
            json!({"meeting_start": 253_402_300_800_i64}),
            "meeting_start",
            json!(253_402_300_800_i64),
        ),
        (json!({"has_vote": 2}), "has_vote", json!(2)),
        (
            json!({"settings": {"password": true}}),
            "settings.password",
            json!(true),
        ),
        (json!({"settings": []}), "settings", json!([])),
        (
            json!({"settings": {"hosts": ["a"]}}),
            "settings.hosts",
            json!(["a"]),
        ),
        (json!({"attendees": "many"}), "attendees", json!("many")),
        (
            json!({"attendees": {"member": [{}, 3]}}),
            "attendees.member[1]",
            json!(3),
        ),
        (
            json!({"attendees": {"member": [{"role": 2}]}}),
            "attendees.member[0].role",
            json!(2),
        ),
        (json!({"agentid": 1_000_014}), "agentid", json!(1_000_014)),
        (
            json!({"live": {"subject": "x"}}),
            "live",
            json!({"subject": "x"}),
        ),
        (
            json!({"reminders": {"is_repeat": 0, "repeat_type": 1}}),
            "reminders.repeat_type",
            json!(1),
        ),
        (
            json!({"reminders": {"is_repeat": 2}}),
            "reminders.is_repeat",
            json!(2),
        ),
        (
            json!({"reminders": {"remind_before": [300, "soon"]}}),
            "reminders.remind_before[1]",
            json!("soon"),
        ),
        (
            json!({"sub_repeat_list": [{"repeat_count": 9}]}),
            "sub_repeat_list[0].repeat_count",
            json!(9),
        ),
    ] {
        let (_, extra) = read(&info);
        assert_eq!(extra, json!({path: odd}), "{info}");
    }
}

#[test]
fn numbers_that_no_machine_word_holds_arrive_digit_for_digit() {
    let text = r#"{"big": 123456789012345678901234567890, "fine": 0.10, "huge": 1e+999}"#;
    let info: Value = serde_json::from_str(text).expect("JSON");

    let (_, extra) = read(&info);

    assert_eq!(
        serde_json::to_string(&extra["big"]).expect("JSON"),
        "123456789012345678901234567890"
    );
    assert_eq!(serde_json::to_string(&extra["fine"]).expect("JSON"), "0.10");
    assert_eq!(
        serde_json::to_string(&extra["huge"]).expect("JSON"),
        "1e+999"
    );
}

#[test]
fn whole_numbers_are_whole_however_they_are_written() {
    let text = r#"{"meeting_duration": 1.8e3, "status": 1.0, "meeting_code": 446153273,
                   "meeting_start": 253402300799, "meetingid": ""}"#;
    let info: Value = serde_json::from_str(text).expect("JSON");

    let (body, extra) = read(&info);

    assert_eq!(extra, json!({}));
    assert_eq!(body["duration_seconds"], 1_800);
    assert_eq!(body["status"], "not_started");
    assert_eq!(body["meeting_code"], "446153273");
    assert_eq!(body["start_time"], "9999-12-31T23:59:59Z");
    assert_eq!(body["end_time"], Value::Null);
    assert_eq!(body["meeting_id"], "m1");
}

#[test]
fn an_unknown_enum_value_is_unknown_beside_its_number() {
    let (body, extra) = read(&json!({
        "status": 9, "meeting_type": 4,
        "settings": {"auto_record_type": "moon", "watermark_type": {}, "remind_scope": 7},
    }));

    for (word, code, expected) in [
        (&body["status"], &body["status_code"], json!(9)),
        (&body["type"], &body["type_code"], json!(4)),
        (
            &body["settings"]["watermark"],
            &body["settings"]["watermark_code"],
            Value::Null,
        ),
        (
            &body["reminders"]["scope"],
            &body["reminders"]["scope_code"],
            json!(7),
        ),
        (&body["settings"]["auto_record"], &Value::Null, Value::Null),
    ] {
        assert_eq!((word, code), (&json!("unknown"), &expected), "{body}");
    }
    assert_eq!(
        extra,
        json!({"settings.auto_record_type": "moon", "settings.watermark_type": {}})
    );
}

#[test]
fn a_null_counts_as_not_sent() {
    let (body, extra) = read(&json!({
        "title": null, "status": null, "settings": null, "strange": null,
        "guests": [null, {"guest_name": "a"}], "attendees": {"member": null},
        "reminders": {"is_repeat": null},
    }));

    assert_eq!(extra, json!({}));
    for key in [
        "title",
        "status",
        "status_code",
        "settings",
        "reminders",
        "recurrence",
    ] {
        assert_eq!(body[key], Value::Null, "{key}");
    }
    assert_eq!(body["guests"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_object_is_null_if_wecom_sent_none_of_its_fields() {
    for (info, key, is_null) in [
        (json!({"settings": {}}), "settings", true),
        (json!({"settings": {"remind_scope": 1}}), "settings", true),
        (json!({"settings": {"password": {}}}), "settings", false),
        (json!({"sub_meetings": []}), "occurrences", false),
        (json!({"reminders": {"is_repeat": 0}}), "reminders", true),
        (
            json!({"reminders": {"remind_before": []}}),
            "reminders",
            false,
        ),
        (json!({"reminders": {"is_repeat": 1}}), "recurrence", false),
        (json!({"admin_userid": ""}), "organizer", false),
    ] {
        let (body, _) = read(&info);
        assert_eq!(body[key].is_null(), is_null, "{info}");
    }
}

#[test]
fn a_time_of_0_is_none() {
    let (body, extra) = read(&json!({
        "meeting_start": 0, "meeting_duration": 60,
        "attendees": {"member": [{"userid": "a", "first_join_time": "0"}]},
    }));

    assert_eq!(extra, json!({}));
    assert_eq!(
        (&body["start_time"], &body["end_time"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(body["attendees"][0]["first_join_time"], Value::Null);
}

#[test]
fn two_fields_whose_paths_look_alike_are_both_kept() {
    let (_, extra) = read(&json!({"reminders": {"x": 1}, "reminders.x": 2}));

    assert_eq!(extra, json!({"reminders.x": 1, "reminders.x#2": 2}));
}

/// Every name that WeCom is known to use, and some that it is not.
const NAMES: [&str; 40] = [
    "admin_userid",
    "area",
    "attendees",
    "auto_record_type",
    "cal_id",
    "creator_userid",
    "current_sub_meetingid",
    "description",
    "device",
    "enable_enter_mute",
    "external_user",
    "first_join_time",
    "guest_name",
    "guests",
    "has_more_sub_meeting",
    "host_key",
    "hosts",
    "main_department",
    "meeting_code",
    "meeting_duration",
    "meeting_start",
    "meetingid",
    "member",
    "password",
    "phone_number",
    "remind_before",
    "remind_scope",
    "reminders",
    "repeat_day_of_week",
    "repeat_id",
    "settings",
    "start_time",
    "status",
    "strange",
    "sub_meetings",
    "sub_repeat_list",
    "title",
    "tmp_external_user",
    "userid",
    "a.b[0]",
];

/// JSON whose leaves can each be told from all others.
fn json_with_canaries() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => Just(json!("canary")),
        3 => Just(json!(1)),
        1 => Just(Value::Null),
    ];
    let name = || prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    let any = leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::btree_map(name(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let fields = prop::collection::btree_map(name(), any, 0..12);
    fields.prop_map(|fields| {
        let mut info = Value::Object(fields.into_iter().collect());
        let mut next = 1_000_000_000;
        number_leaves(&mut info, &mut next);
        info
    })
}

/// The official sample, with canaries for all that is in it, and something else here and there.
fn sample_with_canaries() -> impl Strategy<Value = Value> {
    let sample: Value = serde_json::from_str(include_str!(
        "../../../tests/samples/official-sample.wecom.json"
    ))
    .expect("JSON");
    json_with_canaries().prop_map(move |odd| {
        let mut info = sample.clone();
        let fields = info.as_object_mut().expect("an object");
        // Each odd field takes the place of one, or stands in one.
        for (number, (name, field)) in odd.as_object().into_iter().flatten().enumerate() {
            let place = match number % 3 {
                0 => fields.get_mut("settings"),
                1 => fields
                    .get_mut("guests")
                    .and_then(|guests| guests.get_mut(0)),
                _ => None,
            };
            match place.and_then(Value::as_object_mut) {
                Some(inner) => inner.insert(name.clone(), field.clone()),
                None => fields.insert(name.clone(), field.clone()),
            };
        }
        number_leaves(&mut info, &mut 1_000_000_000);
        info
    })
}

fn number_leaves(value: &mut Value, next: &mut i64) {
    *next += 1;
    match value {
        Value::String(text) => *text = format!("canary-{next}"),
        Value::Number(number) => *number = (*next).into(),
        Value::Array(items) => items.iter_mut().for_each(|item| number_leaves(item, next)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| number_leaves(field, next)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Every leaf under one of these names, or anywhere.
fn leaves<'a>(value: &'a Value, under: Option<&[&str]>, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, under, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let inside = under.filter(|names| !names.contains(&name.as_str()));
                leaves(field, inside, found);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) if under.is_none() => {
            found.push(value);
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

const EVERYTHING: [Part; 3] = [Part::Extra, Part::Phones, Part::Secrets];

/// How a leaf may look in our answer: as it came, or as a time.
fn looks(leaf: &Value) -> Vec<String> {
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let moment = leaf.as_i64().and_then(Moment::of_unix);
    let time = moment.map(|moment| plain(&json!(moment)));
    [Some(plain(leaf)), time].into_iter().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_wecom_sends_is_lost(info in json_with_canaries()) {
        let text = body(&info, &by_id("m1")).to_string();

        let mut sent = Vec::new();
        leaves(&info, None, &mut sent);
        for leaf in sent {
            let found = looks(leaf).iter().any(|look| text.contains(look.as_str()));
            prop_assert!(found, "{leaf} is lost: {text}");
        }
    }

    #[test]
    fn a_view_never_shows_what_it_withholds(
        info in prop_oneof![json_with_canaries(), sample_with_canaries()],
    ) {
        let settings = info.get("settings").cloned().unwrap_or_default();
        let guests = info.get("guests").cloned().unwrap_or_default();
        let (mut secrets, mut phones) = (Vec::new(), Vec::new());
        leaves(&settings, Some(&["password", "host_key"]), &mut secrets);
        leaves(&guests, Some(&["phone_number"]), &mut phones);
        let object = info.as_object().expect("an object").clone();
        let meeting = normalise(MeetingInfo(object), &by_id("m1"), None);
        let everything = view(meeting.clone(), EVERYTHING.into_iter().collect());
        let mut extra = Vec::new();
        leaves(&everything["extra"], None, &mut extra);

        for parts in [vec![], vec![Part::Extra], vec![Part::Extra, Part::Phones], vec![Part::Secrets]] {
            let reveal: Reveal = parts.iter().copied().collect();
            let text = view(meeting.clone(), reveal).to_string();
            let parts_withheld = [
                (Part::Extra, &extra),
                (Part::Phones, &phones),
                (Part::Secrets, &secrets),
            ];
            for (part, withheld) in parts_withheld {
                for leaf in withheld.iter().filter(|_| !reveal.shows(part)) {
                    let found = looks(leaf).iter().any(|look| text.contains(look.as_str()));
                    prop_assert!(!found, "{leaf} is shown to who may see {parts:?}: {text}");
                }
            }
        }
    }
}
