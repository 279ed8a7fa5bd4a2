//! How often WeCom is asked, and what a caller is told about it.

use std::time::Duration;

use serde_json::json;
use wecom_meeting_proxy::clock::Clock;
use wecom_simulator::Api;
use wecom_simulator::Hits;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::house::House;

#[tokio::test]
async fn a_fresh_answer_costs_wecom_nothing() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");

    let first = house.get("/meetings/m1").await;
    house.advance(Duration::from_millis(59_900));
    let second = house.get("/meetings/m1").await;

    assert_eq!(first.header("age"), Some("0"));
    assert_eq!(
        first.header("cache-status"),
        Some("wecom-meeting-proxy; fwd=uri-miss; stored; ttl=60")
    );
    assert_eq!(second.json()["title"], "Standup");
    assert_eq!(second.header("age"), Some("59"));
    assert_eq!(second.header("cache-control"), Some("private, max-age=60"));
    assert_eq!(
        second.header("cache-status"),
        Some("wecom-meeting-proxy; hit; ttl=0")
    );
    assert_eq!(
        second.header("vary"),
        Some("Authorization, Accept-Encoding")
    );
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 1
        }
    );
}

#[tokio::test]
async fn an_answer_is_asked_for_again_when_its_lifetime_has_passed() {
    let house = House::open().await;
    for (id, status, lifetime_s) in [
        ("m1", 1, 60),
        ("m2", 2, 10),
        ("m3", 3, 600),
        ("m4", 4, 600),
        ("m5", 5, 60),
        ("m9", 9, 10),
    ] {
        house
            .wecom
            .put_meeting(Meeting::new(id, "446153273", json!({"status": status})));
        let path = format!("/meetings/{id}");

        house.wecom.reset_counters();
        house.get(&path).await;
        house.advance(Duration::from_millis(lifetime_s * 1_000 - 1));
        house.get(&path).await;
        assert_eq!(
            house.wecom.hits().get_info,
            1,
            "{id} before its lifetime has passed"
        );

        house.advance(Duration::from_millis(1));
        house.get(&path).await;
        assert_eq!(
            house.wecom.hits().get_info,
            2,
            "{id} after its lifetime has passed"
        );
    }
}

#[tokio::test]
async fn all_spellings_of_a_number_share_one_answer_and_it_is_not_kept_for_long() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");

    for code in [
        "446153273",
        "446-153-273",
        "446%20153%20273",
        "%EF%BC%94%EF%BC%94%EF%BC%96153273",
        "446%E2%88%92153%E2%88%92273",
        "446%E2%80%93153%E2%80%94273",
    ] {
        let reply = house.get(&format!("/meetings/by-code/{code}")).await;
        assert_eq!(
            reply.header("cache-control"),
            Some("private, max-age=30"),
            "{code}"
        );
        assert_eq!(reply.json()["title"], "Standup", "{code}");
    }
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn that_there_is_no_meeting_is_remembered_too() {
    let house = House::open().await;

    let first = house.get("/meetings/nobody").await;
    house.advance(Duration::from_secs(3));
    let second = house.get("/meetings/nobody").await;

    assert_eq!(first.outcome(), (404, "meeting_not_found".to_owned()));
    assert_eq!(
        first.header("cache-status"),
        Some("wecom-meeting-proxy; fwd=uri-miss; stored; ttl=10")
    );
    assert_eq!(second.outcome(), first.outcome());
    assert_eq!(second.header("vary"), Some("Authorization"));
    assert_eq!(second.header("cache-control"), Some("private, max-age=10"));
    assert_eq!(second.header("age"), Some("3"));
    assert_eq!(
        second.header("cache-status"),
        Some("wecom-meeting-proxy; hit; ttl=7; detail=negative")
    );
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_thousand_callers_at_once_cost_one_question_and_one_token() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(300)));

    let replies = house
        .get_at_once(vec!["/meetings/m1".to_owned(); 1_000])
        .await;

    assert_eq!(replies.len(), 1_000);
    for reply in &replies {
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["title"]),
            (200, &json!("Standup"))
        );
    }
    let told = |status: &str| {
        let ours = |reply: &&crate::house::Reply| reply.header("cache-status") == Some(status);
        replies.iter().filter(ours).count()
    };
    assert_eq!(told("wecom-meeting-proxy; fwd=uri-miss; stored; ttl=60"), 1);
    assert!(told("wecom-meeting-proxy; fwd=uri-miss; collapsed") > 0);
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 1
        }
    );
}

#[tokio::test]
async fn who_waits_is_served_though_the_first_hung_up() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(400)));
    let hang_up = tokio::time::timeout(Duration::from_millis(100), house.get("/meetings/m1"));
    assert!(hang_up.await.is_err(), "the first waits, and hangs up");

    let reply = house.get("/meetings/m1").await;

    assert_eq!(reply.json()["title"], "Standup");
    assert_eq!(
        reply.header("cache-status"),
        Some("wecom-meeting-proxy; fwd=uri-miss; collapsed")
    );
    assert_eq!(house.wecom.hits().get_info, 1);
}

/// 50 requests a second for 5 s, of callers who give up after 300 ms, while WeCom takes 400 ms.
#[tokio::test]
async fn impatient_callers_of_a_slow_wecom_are_served_at_the_cost_of_few_questions() {
    let wecom = Simulator::start(World::empty()).await.expect("a simulator");
    let settings = [("cache.fresh_for.not_started", "1s")];
    let house = House::around(wecom, &settings, Clock::of_the_machine());
    house.given_meeting("m1", "446153273", "Standup");
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(400)));

    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..250 {
        ticks.tick().await;
        let patience = Duration::from_millis(300);
        let asked = tokio::time::timeout(patience, house.asking("/meetings/m1"));
        asking.spawn(async move { (number, asked.await) });
    }
    let replies = asking.join_all().await;

    assert!(house.wecom.hits().get_info <= 6, "{:?}", house.wecom.hits());
    // Those of the first second may find nothing yet.
    let later = replies
        .iter()
        .filter(|(number, _)| *number >= 50)
        .map(|(_, reply)| reply);
    let served = later.flatten().filter(|reply| reply.status == 200).count();
    assert!(served >= 180, "{served} of 200 were served");
}
