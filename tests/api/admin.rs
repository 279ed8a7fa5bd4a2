//! What operators are told.

use std::time::Duration;

use http::Method;
use wecom_meeting_proxy::clock::Clock;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::house::House;

async fn ready(house: &House) -> u16 {
    house.ask_operator("/readyz").await.status.as_u16()
}

async fn house_in_trouble(trouble: Trouble) -> House {
    let wecom = Simulator::start(World::empty()).await.expect("a simulator");
    wecom.set_trouble(Api::GetToken, trouble);
    let clock = Clock::standing_at("2026-03-02T09:00:00Z".parse().expect("a time"));
    House::around(wecom, &[], clock)
}

#[tokio::test]
async fn it_is_alive_whatever_becomes_of_wecom() {
    let house = house_in_trouble(Trouble::hang()).await;

    assert_eq!(house.ask_operator("/livez").await.status, 200);
    assert_eq!(ready(&house).await, 503);
    assert_eq!(
        house.ask_operator("/nowhere").await.outcome(),
        (404, "no_such_route".to_owned())
    );
}

#[tokio::test]
async fn it_is_ready_once_a_token_was_had_and_stays_so_through_an_outage() {
    let house = House::open().await;
    house
        .until("it is ready", async |house| ready(house).await == 200)
        .await;

    house.wecom.set_trouble(Api::GetToken, Trouble::status(503));
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(503));
    house.wecom.revoke_tokens();
    house.get("/meetings/m1").await;

    assert_eq!(ready(&house).await, 200);
}

#[tokio::test]
async fn it_is_ready_if_waiting_may_cure_what_keeps_the_token_away() {
    for trouble in [
        Trouble::status(503),
        Trouble::errcode(-1),
        Trouble::errcode(45009),
        Trouble::reset(),
    ] {
        let case = format!("{trouble:?}");
        let house = house_in_trouble(trouble).await;
        house
            .until(&case, async |house| ready(house).await == 200)
            .await;
    }
}

#[tokio::test]
async fn it_is_not_ready_while_a_person_must_act_and_ready_when_one_has() {
    for errcode in [40001, 40013, 60020] {
        let house = house_in_trouble(Trouble::errcode(errcode)).await;
        let refused = async |house: &House| {
            let reply = house.ask_operator("/readyz").await;
            reply.status == 503 && reply.text.contains("until a person acts")
        };
        house.until("it is refused", refused).await;

        house.wecom.clear_troubles();
        house.advance(Duration::from_secs(5));
        house
            .until("it is ready", async |house| ready(house).await == 200)
            .await;
    }
}

#[tokio::test]
async fn it_is_ready_as_soon_as_one_of_its_apps_is() {
    let apps = format!(
        r#"[
            {{name = "refused", corp_id = "{DEFAULT_CORP_ID}", secret = "wrong"}},
            {{name = "served", corp_id = "{DEFAULT_CORP_ID}", secret = "{DEFAULT_SECRET}"}},
        ]"#
    );
    let house = House::with(&[("wecom.apps", &apps)]).await;
    house
        .until("it is ready", async |house| ready(house).await == 200)
        .await;
    let is_told = async |house: &House| {
        let status = house.ask_operator("/status").await.json();
        let apps = status["apps"].as_array().expect("apps").iter();
        let mut refused = apps.filter(|app| app["app"] == "refused");
        refused
            .next()
            .expect("the app")
            .to_string()
            .contains("40001")
    };
    house.until("the other is refused", is_told).await;

    assert_eq!(ready(&house).await, 200);
}

#[tokio::test]
async fn every_answer_to_an_operator_is_named_as_they_wish() {
    let house = House::open().await;
    for (method, path, status) in [
        (Method::GET, "/livez", 200),
        (Method::GET, "/status", 200),
        (Method::GET, "/metrics", 200),
        (Method::DELETE, "/cache", 204),
        (Method::DELETE, "/cache/meetings/m1", 204),
        (Method::DELETE, "/livez", 405),
        (Method::GET, "/nowhere", 404),
    ] {
        let fields = [("x-request-id", "mine-1")];
        let named = house.order_operator(method.clone(), path, &fields).await;
        let unnamed = house.order_operator(method.clone(), path, &[]).await;

        assert_eq!(named.status, status, "{method} {path}");
        assert_eq!(named.header("x-request-id"), Some("mine-1"), "{path}");
        let id = unnamed.header("x-request-id").map(str::len);
        assert_eq!(id, Some(36), "{method} {path}");
    }
}

#[tokio::test]
async fn it_is_ready_while_a_token_is_good_though_the_next_is_refused() {
    let house = House::open().await;
    house
        .until("it is ready", async |house| ready(house).await == 200)
        .await;
    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::errcode(40001));

    // Of 7,200 s, a fifth before they are over.
    house.advance(Duration::from_secs(5_800));
    let is_asked = async |house: &House| house.wecom.hits().gettoken == 2;
    house.until("the next is asked for", is_asked).await;
    let is_told = async |house: &House| {
        let status = house.ask_operator("/status").await;
        status.text.contains("40001")
    };
    house.until("it is refused", is_told).await;
    assert_eq!(ready(&house).await, 200);

    house.advance(Duration::from_secs(1_400));
    house
        .until("none is left", async |house| ready(house).await == 503)
        .await;
}

#[tokio::test]
async fn it_is_not_ready_from_the_announcement_of_its_end_on_and_still_serves_for_a_while() {
    let house = House::with(&[("server.drain_delay", "30s")]).await;
    house.given_meeting("m1", "446153273", "Standup");
    house
        .until("it is ready", async |house| ready(house).await == 200)
        .await;

    house.leave.cancel();

    assert_eq!(ready(&house).await, 503);
    assert_eq!(house.get("/meetings/m1").await.status, 200);
}
