//! Answers that are no longer fresh: when they are served, and who renews them.

use std::time::Duration;

use wecom_meeting_proxy::clock::Clock;
use wecom_simulator::Api;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::house::House;

const PATH: &str = "/meetings/m1";

/// A house that knows the meeting, which WeCom then changes.
async fn house_that_knows(settings: &[(&str, &str)]) -> House {
    let house = House::with(settings).await;
    house.given_meeting("m1", "446153273", "Before");
    house.get(PATH).await;
    house.given_meeting("m1", "446153273", "After");
    house
}

async fn title(house: &House, directives: &str) -> (String, String) {
    let reply = house.get_with(PATH, &[("cache-control", directives)]).await;
    let title = reply.json()["title"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (title, reply.cache_status())
}

fn served(title: &str, status: &str) -> (String, String) {
    (title.to_owned(), status.to_owned())
}

#[tokio::test]
async fn a_stale_answer_is_served_at_once_and_renewed_once_behind() {
    let house = house_that_knows(&[]).await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(200)));
    house.advance(Duration::from_secs(65));

    for _ in 0..20 {
        let status = "hit; ttl=-5; detail=stale-while-revalidate";
        assert_eq!(title(&house, "").await, served("Before", status));
    }
    house
        .until("it is renewed", async |house| {
            title(house, "").await.0 == "After"
        })
        .await;

    assert_eq!(title(&house, "").await, served("After", "hit; ttl=60"));
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn a_renewal_goes_on_though_the_caller_hangs_up() {
    let house = house_that_knows(&[]).await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(200)));
    house.advance(Duration::from_secs(65));

    drop(tokio::time::timeout(Duration::from_millis(100), house.get(PATH)).await);

    house
        .until("it is renewed", async |house| {
            title(house, "").await.0 == "After"
        })
        .await;
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn renewals_behind_leave_half_of_what_may_be_under_way_to_callers() {
    let house = house_that_knows(&[("wecom.max_in_flight", "2")]).await;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::hang().times(1));
    let waiting = tokio::spawn(house.asking("/meetings/m2"));
    house
        .until("it was asked", async |house| {
            house.wecom.hits().get_info == 2
        })
        .await;
    house.advance(Duration::from_secs(65));

    let status = "hit; ttl=-5; detail=stale-while-revalidate";
    assert_eq!(title(&house, "").await, served("Before", status));
    assert_eq!(
        house.wecom.hits().get_info,
        2,
        "no renewal: one of two is under way"
    );
    assert_eq!(
        house.get("/meetings/m3").await.status,
        404,
        "a caller's question is asked"
    );

    // The one that hangs runs into its time limit, and then there is room.
    assert_eq!(waiting.await.expect("a reply").status, 504);
    assert_eq!(title(&house, "").await.0, "Before");
    house
        .until("it is renewed", async |house| {
            title(house, "").await.0 == "After"
        })
        .await;
}

#[tokio::test]
async fn an_answer_that_was_kept_too_long_is_asked_for_again() {
    let house = house_that_knows(&[]).await;
    house.advance(Duration::from_secs(91));

    assert_eq!(
        title(&house, "").await,
        served("After", "fwd=stale; stored; ttl=60")
    );
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn when_wecom_fails_the_old_answer_is_served_until_its_bound_and_wecom_is_let_be() {
    let house = house_that_knows(&[]).await;
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(500));
    house.advance(Duration::from_secs(100));

    assert_eq!(
        title(&house, "").await,
        served("Before", "fwd=stale; detail=stale-if-error")
    );
    for _ in 0..10 {
        let status = "hit; ttl=-40; detail=stale-if-error";
        assert_eq!(title(&house, "").await, served("Before", status));
    }
    assert_eq!(house.wecom.hits().get_info, 2);

    house.advance(Duration::from_secs(560));
    assert_eq!(
        title(&house, "").await,
        served("Before", "fwd=stale; detail=stale-if-error")
    );
    house.advance(Duration::from_secs(1));
    let reply = house.get(PATH).await;
    assert_eq!(reply.outcome(), (503, "wecom_unavailable".to_owned()));
    assert_eq!(reply.cache_status(), "fwd=uri-miss");

    house.wecom.clear_troubles();
    house.advance(Duration::from_secs(1));
    assert_eq!(
        title(&house, "").await,
        served("After", "fwd=uri-miss; stored; ttl=60")
    );
}

#[tokio::test]
async fn a_caller_whose_time_runs_out_is_served_the_old_answer_if_there_is_one() {
    let house = house_that_knows(&[("server.request_timeout", "200ms")]).await;
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    house.advance(Duration::from_secs(100));

    assert_eq!(
        title(&house, "").await,
        served("Before", "fwd=stale; detail=stale-if-error")
    );
}

#[tokio::test]
async fn a_failed_renewal_behind_moves_the_next_try_and_spoils_nothing() {
    let house = house_that_knows(&[]).await;
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(500));
    house.advance(Duration::from_secs(61));

    let stale = "hit; ttl=-1; detail=stale-while-revalidate";
    assert_eq!(title(&house, "").await, served("Before", stale));
    let failed = served("Before", "hit; ttl=-1; detail=stale-if-error");
    house
        .until("it has failed", async |house| {
            title(house, "").await == failed
        })
        .await;
    for _ in 0..10 {
        assert_eq!(
            title(&house, "").await,
            served("Before", "hit; ttl=-1; detail=stale-if-error")
        );
    }
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn a_caller_who_wants_a_newer_answer_has_wecom_asked_but_not_too_often() {
    for directives in [
        "no-cache",
        "max-age=0",
        "max-age=5",
        "no-store, max-age=\"5\"",
        "min-fresh=60",
    ] {
        let house = house_that_knows(&[("cache.min_refresh_interval", "10s")]).await;

        house.advance(Duration::from_millis(9_900));
        assert_eq!(
            title(&house, directives).await,
            served("Before", "hit; ttl=50"),
            "{directives}"
        );
        house.advance(Duration::from_millis(100));
        let asked = served("After", "fwd=request; stored; ttl=60");
        assert_eq!(title(&house, directives).await, asked, "{directives}");
        for _ in 0..5 {
            let held_back = served("After", "hit; ttl=60");
            assert_eq!(title(&house, directives).await, held_back, "{directives}");
        }
        assert_eq!(house.wecom.hits().get_info, 2, "{directives}");
    }
}

#[tokio::test]
async fn a_caller_who_is_content_with_what_is_kept_costs_no_question() {
    for (age_s, directives, expected) in [
        (20, "max-age=30", Some("hit; ttl=40")),
        (20, "min-fresh=40", Some("hit; ttl=40")),
        (20, "only-if-cached", Some("hit; ttl=40")),
        (20, "only-if-cached, max-age=10", None),
        (100, "max-stale", Some("hit; ttl=-40; detail=max-stale")),
        (100, "max-stale=40", Some("hit; ttl=-40; detail=max-stale")),
        (
            100,
            "only-if-cached, max-stale=40",
            Some("hit; ttl=-40; detail=max-stale"),
        ),
        (100, "only-if-cached", None),
        (100, "only-if-cached, max-stale=39", None),
        (1_000, "only-if-cached, max-stale", None),
    ] {
        let house = house_that_knows(&[]).await;
        house.advance(Duration::from_secs(age_s));

        let reply = house.get_with(PATH, &[("cache-control", directives)]).await;

        if let Some(status) = expected {
            assert_eq!(reply.cache_status(), status, "{directives} at {age_s} s");
        } else {
            assert_eq!(
                reply.outcome(),
                (504, "not_cached".to_owned()),
                "{directives}"
            );
            assert_eq!(reply.header("cache-status"), None, "{directives}");
        }
        assert_eq!(house.wecom.hits().get_info, 1, "{directives} at {age_s} s");
    }
}

#[tokio::test]
async fn who_wants_no_question_is_told_the_same_whether_wecom_would_fail_or_not() {
    for trouble in [
        None,
        Some(Trouble::status(500)),
        Some(Trouble::errcode(45009)),
    ] {
        for (age_s, served) in [(20, true), (89, true), (91, false), (600, false)] {
            let house = house_that_knows(&[]).await;
            if let Some(trouble) = trouble.clone() {
                house.wecom.set_trouble(Api::GetInfo, trouble);
                house.advance(Duration::from_millis(age_s * 1_000 - 500));
                house.get_with(PATH, &[("cache-control", "no-cache")]).await;
                house.advance(Duration::from_millis(500));
            } else {
                house.advance(Duration::from_secs(age_s));
            }

            let asked = house.wecom.hits().get_info;
            let wish = [("cache-control", "only-if-cached")];
            let reply = house.get_with(PATH, &wish).await;

            let status = if served { 200 } else { 504 };
            assert_eq!(reply.status, status, "at {age_s} s, {trouble:?}");
            if trouble.is_some() {
                assert_eq!(
                    house.wecom.hits().get_info,
                    asked,
                    "at {age_s} s, {trouble:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_stale_answer_is_not_renewed_sooner_than_a_fresh_one_could_be() {
    let settings = [
        ("cache.min_refresh_interval", "100s"),
        ("cache.fresh_for.not_started", "5s"),
    ];
    for (age_s, directives, expected) in [
        (6, "", "hit; ttl=-1; detail=stale-while-revalidate"),
        (6, "no-cache", "hit; ttl=-1; detail=stale-while-revalidate"),
        (99, "", "hit; ttl=-94; detail=stale-while-revalidate"),
        (100, "", "fwd=stale; stored; ttl=5"),
    ] {
        let house = house_that_knows(&settings).await;
        house.advance(Duration::from_secs(age_s));

        let (_, status) = title(&house, directives).await;

        assert_eq!(status, expected, "{directives} at {age_s} s");
        let renewed = u64::from(age_s >= 100);
        assert_eq!(house.wecom.hits().get_info, 1 + renewed, "at {age_s} s");
    }
}

#[tokio::test]
async fn an_answer_in_demand_is_renewed_before_it_is_stale() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Before");
    let slow = Trouble::latency(Duration::from_millis(200));
    house.wecom.set_trouble(Api::GetInfo, slow);
    let first = tokio::spawn(house.asking(PATH));
    let was_asked = async |house: &House| house.wecom.hits().get_info == 1;
    house.until("it was asked", was_asked).await;
    // So it was on its way for ten seconds.
    house.advance(Duration::from_secs(10));
    first.await.expect("a reply");
    house.given_meeting("m1", "446153273", "After");
    house.wecom.clear_troubles();

    // The dice have it renewed in the last 6.9 of them.
    house.advance(Duration::from_secs(43));
    assert_eq!(title(&house, "").await, served("Before", "hit; ttl=7"));
    assert_eq!(house.wecom.hits().get_info, 1);
    house.advance(Duration::from_secs(1));
    assert_eq!(title(&house, "").await, served("Before", "hit; ttl=6"));
    house
        .until("it is renewed", async |house| {
            title(house, "").await == served("After", "hit; ttl=60")
        })
        .await;
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn where_no_more_questions_may_be_under_way_what_is_kept_is_served() {
    let house = house_that_knows(&[("server.max_connections", "2")]).await;
    house.advance(Duration::from_secs(100));
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    for number in 2..4 {
        let asking = tokio::spawn(house.asking(&format!("/meetings/m{number}")));
        let is_asked = async |house: &House| house.wecom.hits().get_info == number;
        house.until("it was asked", is_asked).await;
        // Whoever asked hangs up; the question stays.
        asking.abort();
    }

    let has_place = async |house: &House| {
        let (_, status) = title(house, "").await;
        status == "hit; ttl=-40; detail=stale-if-error"
    };
    house.until("there is a place again", has_place).await;
    assert_eq!(house.wecom.hits().get_info, 3);
}

#[tokio::test]
async fn who_joins_a_question_is_told_why_it_was_asked() {
    for (directives, age_s, expected) in [
        ("", 100, "fwd=stale; collapsed"),
        ("no-cache", 20, "fwd=request; collapsed"),
    ] {
        let house = house_that_knows(&[]).await;
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_millis(300)));
        house.advance(Duration::from_secs(age_s));
        let headers = [("cache-control", directives)];
        let asking = house.get_with(PATH, &headers);
        let first = tokio::time::timeout(Duration::from_millis(100), asking);
        assert!(first.await.is_err(), "the first waits, and hangs up");

        assert_eq!(
            title(&house, directives).await,
            served("After", expected),
            "{directives}"
        );
        assert_eq!(house.wecom.hits().get_info, 2);
    }
}

#[tokio::test]
async fn absences_are_stale_and_wished_for_as_meetings_are() {
    let house = House::open().await;
    house.get(PATH).await;
    house.given_meeting("m1", "446153273", "After");

    house.advance(Duration::from_secs(5));
    let reply = house.get(PATH).await;
    assert_eq!(reply.cache_status(), "hit; ttl=5; detail=negative");
    house.advance(Duration::from_secs(7));
    let reply = house.get(PATH).await;
    assert_eq!(reply.outcome(), (404, "meeting_not_found".to_owned()));
    assert_eq!(
        reply.cache_status(),
        "hit; ttl=-2; detail=stale-while-revalidate"
    );
    house
        .until("it is renewed", async |house| {
            house.get(PATH).await.status == 200
        })
        .await;
    assert_eq!(house.wecom.hits().get_info, 2);
}

#[tokio::test]
async fn a_meeting_that_is_gone_takes_the_place_of_what_was_kept() {
    let house = house_that_knows(&[]).await;
    house.wecom.remove_meeting("m1");
    house.advance(Duration::from_secs(100));
    assert_eq!(
        house.get(PATH).await.outcome(),
        (404, "meeting_not_found".to_owned())
    );

    house.wecom.set_trouble(Api::GetInfo, Trouble::status(500));
    house.advance(Duration::from_secs(50));

    let reply = house.get(PATH).await;
    assert_eq!(reply.outcome(), (404, "meeting_not_found".to_owned()));
    assert_eq!(reply.cache_status(), "fwd=stale; detail=stale-if-error");
}

#[tokio::test]
async fn an_answer_ends_with_its_meetings_next_boundary() {
    let house = House::open().await;
    let start = house.clock.wall().as_second() + 7;
    let info = serde_json::json!({"status": 1, "meeting_start": start});
    house
        .wecom
        .put_meeting(wecom_simulator::Meeting::new("m1", "446153273", info));

    assert_eq!(
        house.get(PATH).await.header("cache-control"),
        Some("private, max-age=7")
    );
}

/// WeCom fails in no time, and 1,000 requests come within 2 s.
#[tokio::test]
async fn a_storm_of_errors_costs_few_questions() {
    for (trouble, questions_max) in [
        (Trouble::status(500), 4),
        // The first of these are asked again, twice at most.
        (Trouble::errcode(-1), 6),
        (Trouble::errcode(6000), 6),
        (Trouble::reset(), 6),
    ] {
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        let house = House::around(wecom, &[], Clock::of_the_machine());
        house.get("/meetings/warm-up").await;
        house.wecom.reset_counters();
        house.wecom.set_trouble(Api::GetInfo, trouble.clone());

        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..100 {
            ticks.tick().await;
            for _ in 0..10 {
                asking.spawn(house.asking(PATH));
            }
        }
        let replies = asking.join_all().await;

        assert!(
            replies.iter().all(|reply| reply.status == 503),
            "{trouble:?}"
        );
        let asked = house.wecom.hits().get_info;
        assert!(asked <= questions_max, "{asked} for {trouble:?}");
    }
}

#[tokio::test]
async fn what_is_stale_is_kept_for_a_minute_though_no_window_lets_it_be_served() {
    let shut = [
        ("cache.stale_while_revalidate", "0s"),
        ("cache.stale_if_error", "0s"),
    ];
    for (staleness_s, directive, expected) in [
        (1, "max-stale", "hit; ttl=-1; detail=max-stale"),
        (60, "max-stale=60", "hit; ttl=-60; detail=max-stale"),
        (60, "", "fwd=stale; stored; ttl=60"),
        (61, "max-stale", "fwd=uri-miss; stored; ttl=60"),
    ] {
        let house = house_that_knows(&shut).await;
        house.advance(Duration::from_secs(60 + staleness_s));

        let (_, status) = title(&house, directive).await;

        assert_eq!(status, expected, "{directive} after {staleness_s} s");
    }
}

#[tokio::test]
async fn asked_for_in_vain_a_newer_answer_is_not_asked_for_again_at_once() {
    let house = house_that_knows(&[("cache.min_refresh_interval", "10s")]).await;
    house.advance(Duration::from_secs(20));
    house.wecom.set_trouble(Api::GetInfo, Trouble::status(500));

    for second in 0..20 {
        title(&house, "no-cache").await;
        let asked = house.wecom.hits().get_info - 1;
        assert_eq!(asked, 1 + second / 10, "after {second} s");
        house.advance(Duration::from_secs(1));
    }
}
