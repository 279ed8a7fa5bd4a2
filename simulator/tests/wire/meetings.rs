//! What `get_info` answers when all is well, and what is counted.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::Hits;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::client;

async fn standup() -> (Simulator, String) {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    wecom.put_meeting(Meeting::new("mt1", "446153273", json!({ "title": "站会" })));
    let token = client::token(&wecom).await;
    (wecom, token)
}

#[tokio::test]
async fn a_meeting_is_told_as_it_was_put_there_by_id_and_by_code() {
    let (wecom, token) = standup().await;
    for body in [r#"{"meetingid":"mt1"}"#, r#"{"meeting_code":"446153273"}"#] {
        let reply = client::get_info(&wecom, &token, body).await;

        let expected = r#"{"errcode":0,"errmsg":"ok","title":"站会"}"#;
        assert_eq!(reply.text(), expected, "for {body}");
    }
}

#[tokio::test]
async fn a_raw_answer_is_sent_byte_for_byte() {
    let (wecom, token) = standup().await;
    let odd = "{\"errcode\": 0 , \"n\": 1e400, \"errcode\":0}\n\u{feff}";
    wecom.put_raw("odd", odd);
    wecom.put_raw("123456789", odd);

    for body in [r#"{"meetingid":"odd"}"#, r#"{"meeting_code":"123456789"}"#] {
        let reply = client::get_info(&wecom, &token, body).await;

        assert_eq!(reply.text(), odd, "for {body}");
    }
}

#[tokio::test]
async fn a_question_must_name_one_meeting_in_plain_json() {
    let (wecom, token) = standup().await;
    for (body, errcode) in [
        (r#"{"meetingid":"mt1","meeting_code":"446153273"}"#, 40058),
        (r#"{"sub_meetingid":"s1"}"#, 40058),
        (r#"{"meetingid":7}"#, 40058),
        ("meetingid=mt1", 40058),
        ("", 40058),
        (r#"{"meetingid":"\u006dt1"}"#, 40033),
        (r#"{"meetingid":"unknown"}"#, 90602),
        (r#"{"meeting_code":"000000000"}"#, 730_004),
        (r#"{"meetingid":"mt1","sub_meetingid":"s1"}"#, 730_003),
    ] {
        let reply = client::get_info(&wecom, &token, body).await;

        assert_eq!(reply.status, 200, "for {body}");
        assert_eq!(reply.errcode(), errcode, "for {body}");
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_question() {
    let (wecom, _) = standup().await;

    let none = client::call(&wecom, "POST /cgi-bin/meeting/get_info", "").await;
    let wrong = client::get_info(&wecom, "wrong", "").await;

    assert_eq!(none.errcode(), 41001);
    assert_eq!(wrong.errcode(), 40014);
}

#[tokio::test]
async fn an_app_sees_only_what_it_created() {
    let (wecom, token) = standup().await;
    let theirs = json!({ "title": "Theirs" });
    let second = |meeting: Meeting| meeting.of_app(DEFAULT_CORP_ID, "second");
    wecom.put_meeting(second(Meeting::new("mt2", "222222222", theirs.clone())));
    wecom.put_meeting(second(Meeting::new("mt1", "446153273", theirs)));
    let granted = client::gettoken_as(&wecom, DEFAULT_CORP_ID, "second").await;
    let their_token = granted.json()["access_token"].as_str().unwrap().to_owned();

    for (token, body, errcode, title) in [
        (&token, r#"{"meetingid":"mt2"}"#, 730_005, None),
        (&token, r#"{"meeting_code":"222222222"}"#, 730_005, None),
        (&token, r#"{"meetingid":"mt1"}"#, 0, Some("站会")),
        (&their_token, r#"{"meetingid":"mt1"}"#, 0, Some("Theirs")),
        (
            &their_token,
            r#"{"meeting_code":"446153273"}"#,
            0,
            Some("Theirs"),
        ),
    ] {
        let reply = client::get_info(&wecom, token, body).await;

        assert_eq!(reply.errcode(), errcode, "for {body}");
        assert_eq!(reply.json()["title"].as_str(), title, "for {body}");
    }
}

#[tokio::test]
async fn a_code_stands_for_the_meeting_that_had_it_last() {
    let (wecom, token) = standup().await;
    let by_old_code = r#"{"meeting_code":"446153273"}"#;

    wecom.put_meeting(Meeting::new("mt2", "446153273", json!({ "title": "Next" })));
    let handed_on = client::get_info(&wecom, &token, by_old_code).await;
    wecom.put_meeting(Meeting::new("mt2", "999999999", json!({ "title": "Next" })));
    let freed = client::get_info(&wecom, &token, by_old_code).await;

    assert_eq!(handed_on.json()["title"], "Next");
    assert_eq!(freed.errcode(), 730_004);
}

#[tokio::test]
async fn a_meeting_can_refuse_by_an_errcode_of_its_own() {
    let (wecom, token) = standup().await;
    wecom.put_meeting(Meeting::new("mt1", "446153273", json!({})).with_errcode(730_008));

    let deleted = client::get_info(&wecom, &token, r#"{"meetingid":"mt1"}"#).await;
    wecom.remove_meeting("mt1");
    let removed = client::get_info(&wecom, &token, r#"{"meetingid":"mt1"}"#).await;

    assert_eq!(deleted.errcode(), 730_008);
    assert_eq!(removed.errcode(), 90602);
}

#[tokio::test]
async fn an_occurrence_is_known_when_it_was_told_or_listed() {
    let (wecom, token) = standup().await;
    let series = json!({ "title": "Series", "sub_meetings": [{ "sub_meetingid": "s1" }] });
    let meeting = Meeting::new("mt1", "446153273", series);
    wecom.put_meeting(meeting.with_occurrence("s2", json!({ "title": "Second" })));

    for (occurrence, title) in [("s1", "Series"), ("s2", "Second")] {
        let body = json!({ "meetingid": "mt1", "sub_meetingid": occurrence }).to_string();
        let reply = client::get_info(&wecom, &token, &body).await;

        assert_eq!(reply.json()["title"], title, "for {occurrence}");
    }
}

#[tokio::test]
async fn the_demonstration_follows_the_clock() {
    let wecom = Simulator::start(World::demo()).await.unwrap();
    let token = client::token(&wecom).await;
    let planning = r#"{"meetingid":"mtfPlanning-00000000000000000009"}"#;
    let mut statuses = Vec::new();

    for minutes in [0, 10, 60] {
        wecom.advance(Duration::from_secs(60 * minutes));
        let reply = client::get_info(&wecom, &token, planning).await;
        statuses.push(reply.json()["status"].as_u64().unwrap());
    }

    assert_eq!(statuses, [1, 2, 3]);
}

#[tokio::test]
async fn every_occurrence_of_the_demonstrations_series_can_be_asked_for() {
    let wecom = Simulator::start(World::demo()).await.unwrap();
    let token = client::token(&wecom).await;
    let id = "mtfStandup-000000000000000000012";

    let series = client::get_info(&wecom, &token, &json!({ "meetingid": id }).to_string()).await;

    let series = series.json();
    assert_eq!(series["current_sub_meetingid"], "standup-3");
    assert_eq!(series["status"], 2);
    assert_eq!(series["remain_sub_meetings"], 3);
    for (number, status) in [(1, 3), (2, 3), (3, 2), (4, 1), (5, 1), (6, 1)] {
        let occurrence = &series["sub_meetings"][number - 1];
        let body = json!({ "meetingid": id, "sub_meetingid": occurrence["sub_meetingid"] });
        let reply = client::get_info(&wecom, &token, &body.to_string()).await;

        assert_eq!(
            reply.json()["meeting_start"],
            occurrence["start_time"],
            "of {number}"
        );
        assert_eq!(reply.json()["status"], status, "of {number}");
    }
}

#[tokio::test]
async fn what_is_not_wecoms_is_not_there() {
    let (wecom, token) = standup().await;
    let get_info = format!("GET /cgi-bin/meeting/get_info?access_token={token}");
    for line in [
        "GET /",
        "GET /cgi-bin/user/get",
        "POST /cgi-bin/gettoken",
        &get_info,
    ] {
        let reply = client::call(&wecom, line, "").await;

        assert_eq!(reply.status, 404, "for {line}");
        assert!(reply.body.is_empty(), "for {line}");
    }
    assert_eq!(
        wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 0
        }
    );
}

#[tokio::test]
async fn every_question_is_counted_and_the_last_hundred_are_kept() {
    let (wecom, token) = standup().await;
    let line = client::get_info_line(&token) + "&debug=1";
    for number in 0..105 {
        let body = format!(r#"{{"meetingid":"mt{number}"}}"#);
        client::call(&wecom, &line, &body).await;
    }
    client::get_info(&wecom, &token, r#"{"meeting_code":"446153273"}"#).await;

    let asked = wecom.get_info_requests();
    assert_eq!(
        wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 106
        }
    );
    assert_eq!(wecom.get_info_by("mt7"), 1);
    assert_eq!(wecom.get_info_by("446153273"), 1);
    assert_eq!(wecom.peak_in_flight(), 1);
    assert_eq!(asked.len(), 100);
    assert_eq!(asked[0].body, r#"{"meetingid":"mt6"}"#);
    assert_eq!(asked[0].query_names, ["access_token", "debug"]);
    assert!(
        asked[0]
            .headers
            .contains(&("host".to_owned(), "wecom".to_owned()))
    );
    assert!(!format!("{asked:?}").contains(&token));

    wecom.reset_counters();
    assert_eq!(wecom.hits(), Hits::default());
    assert_eq!(wecom.get_info_by("mt7"), 0);
    assert!(wecom.get_info_requests().is_empty());
}

#[tokio::test]
async fn questions_under_way_are_counted_until_they_are_answered_or_given_up() {
    let (wecom, token) = standup().await;
    wecom.set_trouble(Api::GetInfo, Trouble::hang());

    let mut waiting = Vec::new();
    for _ in 0..20 {
        let line = client::get_info_line(&token);
        waiting.push(client::send(&wecom, &line, r#"{"meetingid":"mt1"}"#).await);
    }
    client::until("all are under way", || wecom.peak_in_flight() == 20).await;
    drop(waiting);

    client::until("all were given up", || {
        wecom.reset_counters();
        wecom.peak_in_flight() == 0
    })
    .await;
}

#[tokio::test]
async fn hundreds_of_connections_at_once_are_all_answered() {
    let (wecom, token) = standup().await;
    wecom.set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(20)));

    let mut asking = JoinSet::new();
    for _ in 0..300 {
        let (wecom, token) = (wecom.clone(), token.clone());
        asking.spawn(async move {
            let reply = client::get_info(&wecom, &token, r#"{"meetingid":"mt1"}"#).await;
            reply.errcode()
        });
    }

    assert_eq!(asking.join_all().await, vec![0; 300]);
    assert_eq!(wecom.get_info_by("mt1"), 300);
}

#[tokio::test]
async fn nobody_can_connect_once_it_has_stopped() {
    let (wecom, _) = standup().await;
    let address = wecom.address();

    wecom.stop().await;

    let connection = tokio::net::TcpStream::connect(address).await;
    assert!(connection.is_err());
}

#[tokio::test]
async fn dropping_the_last_handle_stops_it() {
    let (wecom, _) = standup().await;
    let another = wecom.clone();
    let address = wecom.address();

    drop(wecom);
    client::call(&another, "GET /", "").await;
    drop(another);

    client::until("its door is closed", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
}
