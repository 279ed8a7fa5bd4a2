//! What is asked of WeCom, and how often: hiccups, blocks, quotas, and how much at a time.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use wecom_simulator::Api;
use wecom_simulator::App;
use wecom_simulator::Meeting;
use wecom_simulator::Trouble;

use crate::house::House;
use crate::house::Reply;
use crate::house::SOON;

/// Two apps of one corp, and one of another.
const APPS: &str = r#"[
    { name = "one", corp_id = "ww1", secret = "secret-one" },
    { name = "two", corp_id = "ww1", secret = "secret-two" },
    { name = "other", corp_id = "ww2", secret = "secret-other" },
]"#;

async fn house_of_two_corps(settings: &[(&str, &str)]) -> House {
    let settings: Vec<_> = [("wecom.apps", APPS)]
        .into_iter()
        .chain(settings.iter().copied())
        .collect();
    let house = House::with(&settings).await;
    for (corp, secret) in [
        ("ww1", "secret-one"),
        ("ww1", "secret-two"),
        ("ww2", "secret-other"),
    ] {
        house.wecom.put_app(App::new(corp, secret));
        for id in ["m1", "m2", "m3"] {
            let meeting = Meeting::new(id, "446153273", json!({"title": "Standup", "status": 1}));
            house.wecom.put_meeting(meeting.of_app(corp, secret));
        }
    }
    house
}

/// A house that knows so many meetings: `m0`, `m1` …
async fn house_of(count: usize, settings: &[(&str, &str)]) -> House {
    let house = House::with(settings).await;
    for index in 0..count {
        house.given_meeting(&format!("m{index}"), "446153273", "Standup");
    }
    house
}

fn paths(from: usize, to: usize) -> Vec<String> {
    (from..to)
        .map(|index| format!("/meetings/m{index}"))
        .collect()
}

fn of_outcome<'a>(replies: &'a [Reply], status: u16, code: &str) -> Vec<&'a Reply> {
    let outcome = (status, code.to_owned());
    replies
        .iter()
        .filter(|reply| reply.outcome() == outcome)
        .collect()
}

fn retry_after(reply: &Reply) -> u64 {
    let seconds = reply
        .header("retry-after")
        .unwrap_or_else(|| panic!("told: {reply:?}"));
    seconds.parse().expect("seconds")
}

mod hiccups {
    use super::*;

    fn kinds() -> [Trouble; 4] {
        [
            Trouble::errcode(-1),
            Trouble::errcode(6000),
            Trouble::reset(),
            Trouble::truncated(),
        ]
    }

    #[tokio::test]
    async fn a_question_is_asked_three_times_before_a_hiccup_becomes_a_problem() {
        let house = house_of(8, &[]).await;
        for (index, trouble) in kinds().into_iter().enumerate() {
            let (short, long) = (format!("m{index}"), format!("m{}", index + 4));

            house
                .wecom
                .set_trouble(Api::GetInfo, trouble.clone().times(2));
            let healed = house.get(&format!("/meetings/{short}")).await;
            house.wecom.set_trouble(Api::GetInfo, trouble.clone());
            let failed = house.get(&format!("/meetings/{long}")).await;

            assert_eq!(healed.status, 200, "{trouble:?}");
            assert_eq!(
                failed.outcome(),
                (503, "wecom_unavailable".to_owned()),
                "{trouble:?}"
            );
            assert_eq!(house.wecom.get_info_by(&short), 3, "{trouble:?}");
            assert_eq!(house.wecom.get_info_by(&long), 3, "{trouble:?}");
            // So that there is enough in the budget for all of them.
            house.wecom.clear_troubles();
            for index in 0..20 {
                house.get(&format!("/meetings/none-{long}-{index}")).await;
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_hiccup_is_asked_once() {
        let house = house_of(9, &[("wecom.timeout", "200ms")]).await;
        house.get("/meetings/m0").await;
        let others = [
            Trouble::errcode(81026),
            Trouble::errcode(45033),
            Trouble::errcode(48002),
            Trouble::status(500),
            Trouble::status(429),
            Trouble::html(),
            Trouble::hang(),
            Trouble::errcode(45009),
        ];
        for (index, trouble) in (1..).zip(others) {
            let id = format!("m{index}");
            house.wecom.set_trouble(Api::GetInfo, trouble.clone());
            house.get(&format!("/meetings/{id}")).await;
            assert_eq!(house.wecom.get_info_by(&id), 1, "{trouble:?}");
        }
    }

    #[tokio::test]
    async fn a_question_that_failed_just_before_is_not_repeated() {
        let house = house_of(1, &[]).await;
        house.wecom.set_trouble(Api::GetInfo, Trouble::errcode(-1));

        for asked in [3, 4, 5] {
            house.get("/meetings/m0").await;
            assert_eq!(house.wecom.hits().get_info, asked);
            house.advance(Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn a_question_that_failed_a_while_ago_is_repeated_though_an_answer_is_kept() {
        let house = house_of(1, &[]).await;
        house.get("/meetings/m0").await;
        house.wecom.set_trouble(Api::GetInfo, Trouble::errcode(-1));

        for (later_s, asked) in [(100, 4), (9, 5), (10, 8)] {
            house.advance(Duration::from_secs(later_s));
            house.get("/meetings/m0").await;
            assert_eq!(house.wecom.hits().get_info, asked, "{later_s} s later");
        }
    }

    #[tokio::test]
    async fn repetitions_are_a_fifth_of_the_questions_after_the_first_ten() {
        let house = house_of(50, &[]).await;
        house.wecom.set_trouble(Api::GetInfo, Trouble::errcode(-1));

        let replies = house.get_at_once(paths(0, 50)).await;

        assert_eq!(of_outcome(&replies, 503, "wecom_unavailable").len(), 50);
        assert_eq!(house.wecom.hits().get_info, 50 + 10 + 10);
    }
}

mod blocks {
    use super::*;

    #[tokio::test]
    async fn after_45009_wecom_is_not_asked_for_a_minute_and_what_is_kept_is_served() {
        let house = house_of(30, &[]).await;
        house.get("/meetings/m0").await;
        house.advance(Duration::from_secs(70));
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(45009).times(1));
        let first = house.get("/meetings/m1").await;
        assert_eq!(first.outcome(), (503, "wecom_rate_limited".to_owned()));
        assert_eq!(
            (retry_after(&first), first.json()["wecom_errcode"].clone()),
            (60, json!(45009))
        );
        let asked = house.wecom.hits().get_info;

        for (wait_ms, expected) in [(0, 60), (10_500, 50), (49_499, 1)] {
            house.advance(Duration::from_millis(wait_ms));
            let replies = house.get_at_once(paths(0, 30)).await;
            assert_eq!(
                of_outcome(&replies, 200, "").len(),
                1,
                "the one that is kept"
            );
            let status = replies[0].cache_status();
            assert!(status.starts_with("hit; ttl=-"), "{status}");
            assert!(status.ends_with("; detail=stale-if-error"), "{status}");
            let refused = of_outcome(&replies, 503, "wecom_rate_limited");
            assert_eq!(refused.len(), 29);
            for reply in refused {
                assert_eq!(retry_after(reply), expected, "after {wait_ms} ms more");
            }
        }
        assert_eq!(house.wecom.hits().get_info, asked, "nobody asked");

        house.advance(Duration::from_millis(1));
        assert_eq!(house.get("/meetings/m2").await.status, 200);
    }

    #[tokio::test]
    async fn when_the_minute_is_over_one_question_goes_first() {
        let house = house_of(30, &[]).await;
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(45009).times(1));
        house.get("/meetings/m0").await;
        house.advance(Duration::from_secs(60));
        house.wecom.set_trouble(
            Api::GetInfo,
            Trouble::latency(Duration::from_millis(300)).times(1),
        );

        let first = tokio::spawn(house.asking("/meetings/m1"));
        let asked = async |house: &House| house.wecom.hits().get_info == 2;
        house.until("the first is under way", asked).await;
        let meanwhile = house.get_at_once(paths(2, 30)).await;

        assert_eq!(of_outcome(&meanwhile, 503, "wecom_rate_limited").len(), 28);
        assert!(meanwhile.iter().all(|reply| retry_after(reply) == 1));
        assert_eq!(first.await.expect("an answer").status, 200);
        assert_eq!(house.wecom.hits().get_info, 2);
        house.advance(Duration::from_secs(1));
        let after = house.get_at_once(paths(2, 30)).await;
        assert_eq!(of_outcome(&after, 200, "").len(), 28);
    }

    #[tokio::test]
    async fn if_it_comes_straight_back_wecom_is_not_asked_for_an_hour() {
        let house = house_of(3, &[]).await;
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(45009));
        for (wait_s, expected, asked) in [(0, 60, 1), (60, 3_600, 2), (3_599, 1, 2), (1, 3_600, 3)]
        {
            house.advance(Duration::from_secs(wait_s));
            let reply = house.get("/meetings/m0").await;
            assert_eq!(retry_after(&reply), expected, "after {wait_s} s more");
            assert_eq!(house.wecom.hits().get_info, asked, "after {wait_s} s more");
        }
    }

    #[tokio::test]
    async fn all_apps_of_the_corp_stop_and_no_others() {
        let house = house_of_two_corps(&[]).await;
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(45009).times(1));
        house.get("/meetings/m1?app=one").await;

        let same_corp = house.get("/meetings/m1?app=two").await;
        let other_corp = house.get("/meetings/m1?app=other").await;

        assert_eq!(same_corp.outcome(), (503, "wecom_rate_limited".to_owned()));
        assert_eq!(other_corp.status, 200);
    }

    #[tokio::test]
    async fn a_45009_of_gettoken_stops_the_other_apps_of_the_corp_as_well() {
        let house = house_of_two_corps(&[]).await;
        let served = async |house: &House| house.wecom.hits().gettoken == 3;
        house.until("each app has its token", served).await;
        house
            .wecom
            .set_trouble(Api::GetToken, Trouble::errcode(45009).times(1));
        house.wecom.revoke_tokens();

        let one = house.get("/meetings/m1?app=one").await;
        let two = house.get("/meetings/m1?app=two").await;
        let other = house.get("/meetings/m1?app=other").await;

        for reply in [one, two] {
            assert_eq!(reply.outcome(), (503, "wecom_rate_limited".to_owned()));
            assert_eq!(retry_after(&reply), 60);
        }
        assert_eq!(other.status, 200);
        assert_eq!(house.wecom.hits().gettoken, 5);
    }

    #[tokio::test]
    async fn who_waits_for_a_token_is_told_when_one_is_asked_for_again() {
        let house = house_of(10, &[]).await;
        let has_token = async |house: &House| house.wecom.hits().gettoken == 1;
        house.until("there is a token", has_token).await;
        house.wecom.set_trouble(Api::GetToken, Trouble::status(503));
        house.wecom.revoke_tokens();
        for (failed, pause_ms, expected) in
            [(1, 500, 1), (2, 1_000, 1), (3, 2_000, 2), (4, 4_000, 4)]
        {
            let asked = async |house: &House| house.wecom.hits().gettoken > failed;
            let reply = house.get(&format!("/meetings/m{failed}")).await;
            house.until("it was asked for", asked).await;
            assert_eq!(retry_after(&reply), expected, "after {failed} failures");
            house.advance(Duration::from_millis(pause_ms));
        }
    }
}

mod quotas {
    use super::*;

    #[tokio::test]
    async fn a_spent_quota_spares_wecom_and_says_when_there_is_a_question_again() {
        let house = house_of(20, &[("wecom.calls_per_minute", "3")]).await;

        let replies = house.get_at_once(paths(0, 20)).await;

        assert_eq!(of_outcome(&replies, 200, "").len(), 3);
        let refused = of_outcome(&replies, 503, "wecom_rate_limited");
        assert_eq!(refused.len(), 17);
        for reply in refused {
            assert_eq!(retry_after(reply), 20);
            assert_eq!(reply.json()["wecom_errcode"], json!(null));
        }
        assert_eq!(house.wecom.hits().get_info, 3);
        house.advance(Duration::from_secs(20));
        house.get_at_once(paths(0, 20)).await;
        assert_eq!(house.wecom.hits().get_info, 4);
    }

    #[tokio::test]
    async fn what_is_kept_is_served_though_the_quota_is_spent() {
        let house = house_of(4, &[("wecom.calls_per_minute", "3")]).await;
        house.get("/meetings/m0").await;
        house.advance(Duration::from_secs(91));
        house.get_at_once(paths(1, 4)).await;

        let reply = house.get("/meetings/m0").await;

        assert_eq!(reply.cache_status(), "hit; ttl=-31; detail=stale-if-error");
        assert_eq!(house.wecom.hits().get_info, 4);
    }

    #[tokio::test]
    async fn apps_of_one_corp_share_its_quota() {
        let house = house_of_two_corps(&[("wecom.calls_per_hour", "2")]).await;

        let mut statuses = Vec::new();
        for path in [
            "m1?app=one",
            "m1?app=two",
            "m2?app=one",
            "m2?app=two",
            "m1?app=other",
        ] {
            statuses.push(
                house
                    .get(&format!("/meetings/{path}"))
                    .await
                    .status
                    .as_u16(),
            );
        }

        assert_eq!(statuses, [200, 200, 503, 503, 200]);
    }

    #[tokio::test]
    async fn answers_are_not_renewed_behind_callers_with_the_last_half_of_the_quota() {
        let house = house_of(20, &[("wecom.calls_per_hour", "10")]).await;
        house.get_at_once(paths(0, 4)).await;
        house.advance(Duration::from_secs(61));

        // 6 are left: one may go.
        for path in paths(0, 4) {
            let reply = house.get(&path).await;
            assert!(
                reply
                    .cache_status()
                    .ends_with("detail=stale-while-revalidate")
            );
            house
                .until("it is renewed", async |house| {
                    house.wecom.hits().get_info == 5
                })
                .await;
        }

        let replies = house.get_at_once(paths(10, 20)).await;
        assert_eq!(
            of_outcome(&replies, 200, "").len(),
            5,
            "the other half is for callers"
        );
        assert_eq!(house.wecom.hits().get_info, 10);
    }
}

mod at_a_time {
    use super::*;

    #[tokio::test]
    async fn after_45033_half_as_many_questions_are_asked_at_a_time_for_a_while() {
        let house = house_of(70, &[("wecom.max_in_flight", "8")]).await;
        let slow = Duration::from_millis(50);
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::errcode(45033).times(1));
        let refused = house.get("/meetings/m0").await;
        assert_eq!(refused.outcome(), (503, "wecom_rate_limited".to_owned()));
        assert_eq!(retry_after(&refused), 1);

        for (wait_s, from, width) in [(0, 1, 4), (10, 24, 6), (10, 47, 8)] {
            house.advance(Duration::from_secs(wait_s));
            house
                .wecom
                .set_trouble(Api::GetInfo, Trouble::latency(slow));
            house.wecom.reset_counters();
            let replies = house.get_at_once(paths(from, from + 23)).await;
            assert_eq!(of_outcome(&replies, 200, "").len(), 23);
            assert_eq!(house.wecom.peak_in_flight(), width, "after {wait_s} s more");
        }
    }

    #[tokio::test]
    async fn a_slow_wecom_keeps_nobody_longer_than_the_time_set_and_hits_not_at_all() {
        let settings = [
            ("wecom.max_in_flight", "4"),
            ("server.request_timeout", "2s"),
        ];
        let house = house_of(301, &settings).await;
        house.get("/meetings/m300").await;
        house
            .wecom
            .set_trouble(Api::GetInfo, Trouble::latency(Duration::from_secs(1)));
        let began = tokio::time::Instant::now();

        let asking = tokio::spawn(house.asking_at_once(paths(0, 300)));
        house
            .until("four are under way", async |house| {
                house.wecom.peak_in_flight() == 4
            })
            .await;
        let hit = house.get("/meetings/m300").await;
        let replies = asking.await.expect("answers");

        assert!(hit.cache_status().starts_with("hit; ttl="));
        let waited = began.elapsed();
        // All of them, four at a time, would take 75 s. (How exactly the deadline is met is not for a
        // machine to tell that has other things to do.)
        assert!(
            waited < Duration::from_secs(8),
            "the last waited {waited:?}"
        );
        assert!(of_outcome(&replies, 200, "").len() >= 4);
        for reply in &replies {
            let expected = [(200, ""), (503, "overloaded"), (504, "wecom_timeout")];
            let outcome = reply.outcome();
            assert!(
                expected.contains(&(outcome.0, outcome.1.as_str())),
                "{outcome:?}"
            );
        }
        assert_eq!(house.wecom.peak_in_flight(), 4);
    }

    #[tokio::test]
    async fn who_only_stood_in_line_is_told_so_and_counts_as_no_question() {
        let settings = [
            ("wecom.max_in_flight", "2"),
            ("server.request_timeout", "1s"),
        ];
        let house = house_of(100, &settings).await;
        let slow = Trouble::latency(Duration::from_millis(400));
        house.wecom.set_trouble(Api::GetInfo, slow);

        let replies = house.get_at_once(paths(0, 100)).await;

        let asked = house.wecom.hits().get_info;
        assert!((2..=8).contains(&asked), "{asked}");
        let in_line = of_outcome(&replies, 503, "overloaded").len();
        assert!(in_line >= 92, "{in_line} of 100 only stood in line");
        let metrics = house.ask_operator("/metrics").await.text;
        let counted = metrics
            .lines()
            .filter(|line| line.starts_with("wecom_proxy_wecom_requests_total"))
            .filter(|line| line.contains("api=\"get_info\""))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        assert_eq!(counted.sum::<u64>(), asked, "as many as WeCom saw");
        let shed = format!("wecom_proxy_shed_total{{reason=\"queue\"}} {in_line}\n");
        assert!(metrics.contains(&shed), "{metrics}");
    }

    #[tokio::test]
    async fn who_finds_the_line_too_long_is_told_so_at_once() {
        let settings = [
            ("wecom.max_in_flight", "1"),
            ("server.request_timeout", "3s"),
        ];
        let house = house_of(400, &settings).await;
        house.get("/meetings/m0").await;
        house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
        let asking = tokio::spawn(house.asking_at_once(paths(1, 258)));
        house
            .until("one is under way", async |house| {
                house.wecom.hits().get_info == 2
            })
            .await;

        let full = async |house: &House| {
            let reply = house.get("/meetings/m399?app=default").await;
            reply.outcome() == (503, "overloaded".to_owned()) && retry_after(&reply) == 1
        };
        house.until("the line is full", full).await;

        assert!(!asking.is_finished(), "the others still wait");
        asking.abort();
    }
}

/// What is asked first of somebody who listens there, and says nothing.
async fn first_line(listener: TcpListener) -> String {
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .await
        .expect("text");
    line
}

#[tokio::test]
async fn wecom_is_asked_where_the_settings_say_and_by_way_of_their_proxy() {
    for (base_url, proxied, expected) in [
        ("http://{}", false, "GET /cgi-bin/gettoken?corpid="),
        ("http://{}/a/b", false, "GET /a/b/cgi-bin/gettoken?corpid="),
        ("http://{}/a/b/", false, "GET /a/b/cgi-bin/gettoken?corpid="),
        (
            "http://wecom.example/a",
            true,
            "GET http://wecom.example/a/cgi-bin/gettoken?corpid=",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let base_url = base_url.replace("{}", &address);
        let proxy = format!("http://{address}");
        let mut settings = vec![
            ("wecom.base_url", base_url.as_str()),
            ("wecom.allow_plaintext", "true"),
        ];
        settings.extend(proxied.then_some(("wecom.proxy", proxy.as_str())));
        let _house = House::with(&settings).await;

        let asking = tokio::time::timeout(SOON, first_line(listener));
        let line = asking.await.expect("asked");

        assert!(line.starts_with(expected), "{base_url}: {line}");
    }
}
