//! Tokens: had once, renewed in time, dropped when refused, and never asked for in a loop.

use std::time::Duration;

use wecom_meeting_proxy::clock::Clock;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Hits;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::house::House;
use crate::house::Reply;

fn given_meetings(house: &House, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|index| format!("m{index}")).collect();
    for id in &ids {
        house.given_meeting(id, "446153273", "Standup");
    }
    ids.iter().map(|id| format!("/meetings/{id}")).collect()
}

fn count(replies: &[Reply], status: u16, code: &str) -> usize {
    replies
        .iter()
        .filter(|reply| reply.outcome() == (status, code.to_owned()))
        .count()
}

#[tokio::test]
async fn a_token_revoked_under_200_requests_is_renewed_once_and_all_are_served() {
    let house = House::open().await;
    let paths = given_meetings(&house, 201);
    house.get(&paths[200]).await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(100)));

    house.wecom.revoke_tokens();
    let replies = house.get_at_once(paths[..200].to_vec()).await;

    assert_eq!(count(&replies, 200, ""), 200);
    assert_eq!(house.wecom.hits().gettoken, 2);
}

#[tokio::test]
async fn who_waits_for_a_turn_does_not_ask_with_a_token_that_was_refused_meanwhile() {
    let house = House::with(&[("wecom.max_in_flight", "4")]).await;
    let paths = given_meetings(&house, 41);
    house.get(&paths[40]).await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(30)));

    house.wecom.revoke_tokens();
    let replies = house.get_at_once(paths[..40].to_vec()).await;

    assert_eq!(count(&replies, 200, ""), 40);
    assert_eq!(house.wecom.hits().gettoken, 2);
    let in_vain = house.wecom.hits().get_info - 41;
    assert!((1..=4).contains(&in_vain), "{in_vain} asked in vain");
}

#[tokio::test]
async fn both_ways_in_which_wecom_refuses_a_token_renew_it() {
    for errcode in [40014, 41001, 42001] {
        let house = House::open().await;
        let paths = given_meetings(&house, 2);
        house.get(&paths[0]).await;

        // The token that is refused is also revoked: the next one is another.
        house.wecom.revoke_tokens();
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(errcode).times(1));
        let reply = house.get(&paths[1]).await;

        assert_eq!(reply.status, 200, "{errcode}");
        assert_eq!(
            house.wecom.hits(),
            Hits {
                gettoken: 2,
                get_info: 3
            },
            "{errcode}"
        );
    }
}

#[tokio::test]
async fn the_same_token_again_ends_in_a_problem_and_not_in_a_loop() {
    let house = House::open().await;
    let paths = given_meetings(&house, 50);
    house.get(&paths[0]).await;
    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::same_token());

    house.wecom.revoke_tokens();
    let replies = house.get_at_once(paths[1..].to_vec()).await;

    assert_eq!(count(&replies, 502, "wecom_refused_us"), 49);
    assert_eq!(house.wecom.hits().gettoken, 2);
    let asked = house.wecom.hits().get_info;
    assert!(asked <= 50, "each question was asked once at most: {asked}");
}

#[tokio::test]
async fn a_renewed_token_that_is_refused_too_ends_in_a_problem_and_not_in_a_loop() {
    let house = House::open().await;
    let paths = given_meetings(&house, 20);
    let refusal = Trouble::errcode(40014).with_latency(Duration::from_millis(200));
    house.wecom.set_trouble(Api::GetInfo, refusal);

    // Revoked while the question is under way, so that the renewed token is another.
    let first = tokio::spawn(house.asking("/meetings/other"));
    let asked = async |house: &House| house.wecom.hits().get_info == 1;
    house.until("it was asked", asked).await;
    house.wecom.revoke_tokens();
    assert_eq!(
        first.await.expect("a reply").outcome(),
        (502, "wecom_refused_us".to_owned())
    );

    for path in &paths {
        let reply = house.get(path).await;
        assert_eq!(reply.outcome(), (502, "wecom_refused_us".to_owned()));
    }
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 2,
            get_info: 2
        }
    );
}

#[tokio::test]
async fn a_wrong_secret_under_500_requests_costs_one_call_and_a_right_one_heals_it() {
    let house = House::open().await;
    let paths = given_meetings(&house, 501);
    house
        .until("the first token is there", async |house| {
            house.wecom.hits().gettoken == 1
        })
        .await;
    house
        .wecom
        .set_secret(DEFAULT_CORP_ID, DEFAULT_SECRET, "another");
    house.wecom.reset_counters();

    house.wecom.revoke_tokens();
    let replies = house.get_at_once(paths[..500].to_vec()).await;

    assert_eq!(count(&replies, 502, "wecom_refused_us"), 500);
    assert_eq!(replies[0].json()["wecom_errcode"], 40001);
    assert_eq!(house.wecom.hits().gettoken, 1);

    house
        .wecom
        .set_secret(DEFAULT_CORP_ID, "another", DEFAULT_SECRET);
    house.advance(Duration::from_secs(5));
    house
        .until("it is healed", async |house| {
            house.wecom.hits().gettoken == 2
        })
        .await;
    assert_eq!(house.get(&paths[500]).await.status, 200);
}

#[tokio::test]
async fn a_wecom_that_is_down_is_asked_for_a_token_ever_more_seldom() {
    let wecom = Simulator::start(World::empty()).await.expect("a simulator");
    wecom.set_trouble(Api::GetToken, Trouble::status(503));
    let clock = Clock::standing_at("2026-03-02T09:00:00Z".parse().expect("a time"));
    let house = House::around(wecom, &[], clock);

    let pauses_ms = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000];
    for (asked, pause_ms) in (1..).zip(pauses_ms) {
        house
            .until("it was asked", async |house| {
                house.wecom.hits().gettoken == asked
            })
            .await;
        let reply = house.get(&format!("/meetings/m{asked}")).await;
        assert_eq!(reply.outcome(), (503, "wecom_unavailable".to_owned()));
        assert_eq!(
            house.wecom.hits().gettoken,
            asked,
            "callers do not hurry it"
        );

        house.clock.advance(Duration::from_millis(pause_ms - 1));
        house.get("/meetings/other").await;
        assert_eq!(
            house.wecom.hits().gettoken,
            asked,
            "before {pause_ms} ms have passed"
        );
        house.clock.advance(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_runs_out_without_a_caller_waiting() {
    let house = House::open().await;
    let paths = given_meetings(&house, 2);
    house.get(&paths[0]).await;

    house.advance(Duration::from_secs(5_759));
    house.get(&paths[0]).await;
    assert_eq!(
        house.wecom.hits().gettoken,
        1,
        "before four fifths of its life"
    );

    // While the renewal hangs, the old token serves.
    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::hang().times(1));
    house.advance(Duration::from_secs(1));
    house
        .until("it is renewed", async |house| {
            house.wecom.hits().gettoken == 2
        })
        .await;
    assert_eq!(house.get(&paths[1]).await.status, 200);
}
