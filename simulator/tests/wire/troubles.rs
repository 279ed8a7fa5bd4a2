//! Each trouble, as it looks on the wire.

use std::io::ErrorKind;
use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;
use tokio::time::timeout;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Hits;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::client;
use crate::client::Reply;

const BODY: &str = r#"{"meetingid":"mt1"}"#;
const RIGHT: &str = r#"{"errcode":0,"errmsg":"ok","title":"Stand-up"}"#;

/// A WeCom with one meeting, in trouble at `get_info`.
struct Troubled {
    wecom: Simulator,
    token: String,
}

impl Troubled {
    async fn by(trouble: Trouble) -> Self {
        let wecom = Simulator::start(World::empty()).await.unwrap();
        let info = json!({ "title": "Stand-up" });
        wecom.put_meeting(Meeting::new("mt1", "446153273", info));
        let token = client::token(&wecom).await;
        wecom.set_trouble(Api::GetInfo, trouble);
        Self { wecom, token }
    }

    async fn ask(&self) -> Reply {
        client::get_info(&self.wecom, &self.token, BODY).await
    }

    async fn send(&self) -> tokio::net::TcpStream {
        client::send(&self.wecom, &client::get_info_line(&self.token), BODY).await
    }
}

#[tokio::test]
async fn an_errcode_happens_as_often_as_it_was_told_to() {
    let house = Troubled::by(Trouble::errcode(45009).times(2)).await;
    let mut errcodes = Vec::new();

    for _ in 0..3 {
        errcodes.push(house.ask().await.errcode());
    }

    assert_eq!(errcodes, [45009, 45009, 0]);
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 3
        }
    );
}

#[tokio::test]
async fn a_trouble_lasts_until_it_is_cleared_and_stays_at_its_api() {
    let house = Troubled::by(Trouble::errcode(-1)).await;

    let during = house.ask().await;
    let token = client::token(&house.wecom).await;
    house.wecom.clear_troubles();
    let after = house.ask().await;

    assert_eq!(during.errcode(), -1);
    assert_eq!(token, house.token);
    assert_eq!(after.text(), RIGHT);
}

#[tokio::test]
async fn latency_delays_any_answer() {
    let latency = Duration::from_millis(40);
    for trouble in [
        Trouble::latency(latency),
        Trouble::errcode(7).with_latency(latency),
    ] {
        let house = Troubled::by(trouble.clone()).await;
        let asked_at = Instant::now();

        house.ask().await;

        assert!(latency <= asked_at.elapsed(), "with {trouble:?}");
    }
}

#[tokio::test]
async fn a_status_comes_with_an_empty_body_or_with_a_page() {
    for status in [404, 429, 500, 502, 503] {
        let empty = Troubled::by(Trouble::status(status)).await.ask().await;
        let page = Troubled::by(Trouble::html_with_status(status))
            .await
            .ask()
            .await;

        assert_eq!((empty.status, page.status), (status, status));
        assert!(empty.body.is_empty(), "with {status}");
        assert!(page.text().starts_with("<!DOCTYPE html>"), "with {status}");
    }
}

#[tokio::test]
async fn a_good_status_may_come_with_something_else_than_an_object() {
    let page = Troubled::by(Trouble::html()).await.ask().await;
    let array = Troubled::by(Trouble::array()).await.ask().await;

    assert_eq!((page.status, array.status), (200, 200));
    assert!(page.text().starts_with("<!DOCTYPE html>"));
    assert_eq!(array.json(), json!([]));
}

#[tokio::test]
async fn who_is_left_hanging_hears_nothing() {
    let house = Troubled::by(Trouble::hang()).await;

    let mut stream = house.send().await;
    let heard = timeout(Duration::from_millis(100), stream.read_u8()).await;

    assert!(heard.is_err(), "heard {heard:?}");
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let house = Troubled::by(Trouble::reset()).await;

    let answer = client::read_to_end(house.send().await).await;

    assert_eq!(answer.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(house.wecom.hits().get_info, 1);
}

#[tokio::test]
async fn a_truncated_answer_is_half_of_what_was_announced() {
    let house = Troubled::by(Trouble::truncated()).await;

    let reply = house.ask().await;

    assert_eq!(reply.header("content-length"), Some("46"));
    assert_eq!(reply.text(), &RIGHT[..23]);
}

#[tokio::test]
async fn a_huge_answer_is_as_big_as_it_was_told_to_be_and_does_not_say_so() {
    let house = Troubled::by(Trouble::huge(20_000_000)).await;

    let reply = house.ask().await;

    assert_eq!(reply.body.len(), 20_000_000);
    assert_eq!(reply.errcode(), 0);
    assert_eq!(reply.header("content-length"), None);
}

#[tokio::test]
async fn a_gzip_bomb_is_small_until_it_is_unpacked() {
    let house = Troubled::by(Trouble::gzip_bomb(50_000_000)).await;

    let reply = house.ask().await;

    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(reply.body.as_slice());
    decoder.read_to_end(&mut unpacked).unwrap();
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < 100_000, "{} bytes", reply.body.len());
    assert_eq!(unpacked.len(), 50_000_000);
}

#[tokio::test]
async fn whoever_follows_a_redirect_is_counted() {
    let house = Troubled::by(Trouble::redirect()).await;
    let elsewhere = Troubled::by(Trouble::redirect_to("http://elsewhere.example/")).await;

    let reply = house.ask().await;
    let away = elsewhere.ask().await;
    assert_eq!((reply.status, away.status), (302, 302));
    assert_eq!(away.header("location"), Some("http://elsewhere.example/"));
    assert_eq!(house.wecom.redirects_followed(), 0);

    let line = format!("POST {}", reply.header("location").unwrap());
    client::call(&house.wecom, &line, BODY).await;
    assert_eq!(house.wecom.redirects_followed(), 1);
}

#[tokio::test]
async fn a_drip_comes_to_the_right_end_slowly() {
    let house = Troubled::by(Trouble::drip(Duration::from_millis(2))).await;
    let asked_at = Instant::now();

    let reply = house.ask().await;

    assert_eq!(reply.text(), RIGHT);
    assert!(Duration::from_millis(90) <= asked_at.elapsed());
}

#[tokio::test]
async fn a_drip_without_end_goes_on_after_the_answer() {
    let house = Troubled::by(Trouble::drip_forever(Duration::from_millis(1))).await;

    let mut stream = house.send().await;
    let mut bytes = vec![0; 1000];
    let read = stream.read_exact(&mut bytes);
    timeout(Duration::from_secs(20), read)
        .await
        .unwrap()
        .unwrap();

    // Every byte is a chunk of its own, and the answer itself has none like these.
    let is_lone_space = |six: &&[u8]| *six == b"1\r\n \r\n";
    assert!(50 < bytes.windows(6).filter(is_lone_space).count());
}

#[tokio::test]
async fn the_same_token_comes_back_although_it_was_revoked() {
    let house = Troubled::by(Trouble::latency(Duration::ZERO)).await;
    house
        .wecom
        .set_trouble(Api::GetToken, Trouble::same_token());

    house.wecom.revoke_tokens();
    let again = client::token(&house.wecom).await;
    let refused = house.ask().await;
    house.wecom.clear_troubles();
    let new = client::token(&house.wecom).await;

    assert_eq!(again, house.token);
    assert_eq!(refused.errcode(), 40014);
    assert_ne!(new, house.token);
}

#[tokio::test]
async fn gettoken_gets_into_trouble_too() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    wecom.set_trouble(Api::GetToken, Trouble::errcode(60020).times(1));

    let refused = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;
    let granted = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;

    assert_eq!(refused.errcode(), 60020);
    assert_eq!(refused.json()["access_token"], Value::from(""));
    assert_eq!(granted.errcode(), 0);
}
