//! Operators who want something forgotten.

use std::time::Duration;

use http::Method;
use serde_json::json;
use wecom_simulator::Api;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::house::House;

/// A house that knows one meeting by id, by number and by occurrence, and another.
async fn house() -> House {
    let house = House::open().await;
    for (id, code) in [("m1", "446153273"), ("m2", "912384056")] {
        let info = json!({"title": id, "meetingid": id, "meeting_type": 1, "status": 1});
        let meeting = Meeting::new(id, code, info.clone());
        let meeting = meeting.with_occurrence("s-1", info.clone());
        house
            .wecom
            .put_meeting(meeting.with_occurrence("s-2", info));
    }
    for path in EVERYTHING {
        house.get(path).await;
    }
    assert_eq!(house.wecom.hits().get_info, 5);
    house
}

/// The first is kept under the meeting's id as well.
const EVERYTHING: [&str; 5] = [
    "/meetings/by-code/446153273",
    "/meetings/m1?sub_meeting_id=s-1",
    "/meetings/by-code/446153273?sub_meeting_id=s-2",
    "/meetings/m2",
    "/meetings/nobody",
];

/// Which of everything is asked for again.
async fn asked_again(house: &House) -> Vec<&'static str> {
    let mut asked = Vec::new();
    for path in EVERYTHING {
        let before = house.wecom.hits().get_info;
        house.get(path).await;
        if house.wecom.hits().get_info > before {
            asked.push(path);
        }
    }
    asked
}

#[tokio::test]
async fn a_purge_takes_what_it_names_and_nothing_else() {
    for (purge, expected) in [
        ("/cache", EVERYTHING.to_vec()),
        ("/cache?app=default", EVERYTHING.to_vec()),
        ("/cache/meetings/m1", EVERYTHING[..3].to_vec()),
        (
            "/cache/meetings/by-code/446-153-273",
            EVERYTHING[..3].to_vec(),
        ),
        ("/cache/meetings/m2?app=default", vec![EVERYTHING[3]]),
        ("/cache/meetings/nobody", vec![EVERYTHING[4]]),
        ("/cache/meetings/m9", vec![]),
    ] {
        let house = house().await;

        let reply = house.purge(purge).await;

        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str()),
            (204, ""),
            "{purge}"
        );
        assert_eq!(asked_again(&house).await, expected, "{purge}");
    }
}

#[tokio::test]
async fn a_soft_purge_makes_stale_what_is_then_served_while_it_is_renewed() {
    let house = house().await;
    house.advance(Duration::from_secs(2));

    house.purge("/cache/meetings/m2?soft=true").await;

    let reply = house.get("/meetings/m2").await;
    assert_eq!(
        reply.cache_status(),
        "hit; ttl=-1; detail=stale-while-revalidate"
    );
    let renewed =
        async |house: &House| house.get("/meetings/m2").await.cache_status() == "hit; ttl=60";
    house.until("it is renewed", renewed).await;
    assert_eq!(house.wecom.hits().get_info, 6);
}

#[tokio::test]
async fn what_is_the_same_under_a_number_and_an_id_is_purged_under_both() {
    for purge in ["/cache/meetings/m1", "/cache/meetings/by-code/446153273"] {
        let house = house().await;
        let asked = house.wecom.hits().get_info;
        house.get("/meetings/m1").await;
        assert_eq!(house.wecom.hits().get_info, asked, "{purge}");

        house.purge(purge).await;
        house.get("/meetings/m1").await;

        assert_eq!(house.wecom.hits().get_info, asked + 1, "{purge}");
    }
}

#[tokio::test]
async fn an_answer_that_a_soft_purge_overtook_is_kept_stale_and_not_an_older_one() {
    let house = House::open().await;
    let path = "/meetings/m1";
    house.given_meeting("m1", "446153273", "Oldest");
    house.get(path).await;
    house.given_meeting("m1", "446153273", "Older");
    house.advance(Duration::from_secs(100));
    let slow = Trouble::latency(Duration::from_millis(400)).times(1);
    house.wecom.set_trouble(Api::GetInfo, slow);
    let waiting = tokio::spawn(house.asking(path));
    let was_asked = async |house: &House| house.wecom.hits().get_info == 2;
    house.until("it was asked", was_asked).await;

    house.purge("/cache/meetings/m1?soft=true").await;
    let overtaken = waiting.await.expect("a reply");
    house.advance(Duration::from_secs(2));
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    let reply = house.get(path).await;

    assert_eq!(overtaken.json()["title"], "Older");
    assert_eq!(overtaken.cache_status(), "fwd=stale; ttl=60", "not stored");
    assert_eq!(reply.json()["title"], "Older");
    let status = "hit; ttl=-2; detail=stale-while-revalidate";
    assert_eq!(reply.cache_status(), status);
}

#[tokio::test]
async fn an_answer_on_its_way_is_not_given_to_who_asks_after_the_purge() {
    for (path, purge) in [
        ("/meetings/m1", "/cache/meetings/m1"),
        ("/meetings/m1", "/cache"),
        ("/meetings/by-code/446153273", "/cache/meetings/m1"),
        (
            "/meetings/by-code/446153273",
            "/cache/meetings/by-code/446153273",
        ),
    ] {
        let house = House::open().await;
        house.given_meeting("m1", "446153273", "Before");
        let slow = Trouble::latency(Duration::from_millis(400));
        house.wecom.set_trouble(Api::GetInfo, slow);
        let before = tokio::spawn(house.asking(path));
        house
            .until("it was asked", async |house| {
                house.wecom.hits().get_info == 1
            })
            .await;
        // WeCom has read the old title, and takes its time.
        house.given_meeting("m1", "446153273", "After");

        house.purge(purge).await;
        let after = house.get(path).await;
        let before = before.await.expect("a reply");

        assert_eq!(
            after.cache_status(),
            "fwd=uri-miss; stored; ttl=60"
                .replace("60", if path.contains("code") { "30" } else { "60" }),
            "{path} {purge}"
        );
        assert_eq!(after.json()["title"], "After", "{path} {purge}");
        assert_eq!(before.status, 200, "{path} {purge}");
        assert_eq!(house.wecom.hits().get_info, 2, "{path} {purge}");
        assert_eq!(
            house.get(path).await.json()["title"],
            "After",
            "{path} {purge}"
        );
    }
}

#[tokio::test]
async fn a_purge_that_is_none_is_refused() {
    let house = house().await;
    for (path, status, code) in [
        ("/cache/meetings/a%2Fb", 400, "invalid_meeting_id"),
        ("/cache/meetings/by-code/12", 400, "invalid_meeting_code"),
        ("/cache?app=nobody", 400, "unknown_app"),
        ("/cache?app=", 400, "invalid_query"),
        ("/cache?soft=maybe", 400, "invalid_query"),
        ("/cache?soft=true&soft=false", 400, "invalid_query"),
        ("/cache?everything=true", 400, "invalid_query"),
        ("/cache/meetings", 404, "no_such_route"),
    ] {
        assert_eq!(
            house.purge(path).await.outcome(),
            (status, code.to_owned()),
            "{path}"
        );
    }
    let reply = house.ask_operator("/cache").await;
    assert_eq!(reply.outcome(), (405, "method_not_allowed".to_owned()));
    assert_eq!(reply.header("allow"), Some("DELETE"));
    assert_eq!(
        house.send(Method::DELETE, "/cache", &[]).await.status,
        404,
        "for callers"
    );
    assert!(asked_again(&house).await.is_empty());
}
