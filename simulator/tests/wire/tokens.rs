//! Who is given a token, and how long it is good.

use std::time::Duration;

use wecom_simulator::App;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::EGRESS_ADDRESS;
use wecom_simulator::HINT;
use wecom_simulator::Hits;
use wecom_simulator::Simulator;
use wecom_simulator::TOKEN_PREFIX;
use wecom_simulator::World;

use crate::client;

const ANY_MEETING: &str = r#"{"meetingid":"mt1"}"#;
const NO_SUCH_MEETING: i64 = 90602;

#[tokio::test]
async fn a_secret_buys_a_long_token_for_two_hours() {
    let wecom = Simulator::start(World::empty()).await.unwrap();

    let reply = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;

    let granted = reply.json();
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(granted["errcode"], 0);
    assert_eq!(granted["expires_in"], 7200);
    assert!(token.starts_with(TOKEN_PREFIX), "{token}");
    assert!(
        200 < token.len() && token.len() <= 512,
        "{} bytes",
        token.len()
    );
    assert!(token.contains('-') && token.contains('_'), "{token}");
}

#[tokio::test]
async fn a_token_stays_the_same_while_it_is_good() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let first = client::token(&wecom).await;

    wecom.advance(Duration::from_secs(7000));
    let reply = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;

    let left = reply.json()["expires_in"].as_u64().unwrap();
    assert_eq!(reply.json()["access_token"], first);
    assert!((100..=200).contains(&left), "{left} s left");
}

#[tokio::test]
async fn an_expired_token_is_refused_and_replaced() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let old = client::token(&wecom).await;

    wecom.advance(Duration::from_hours(2));
    let refused = client::get_info(&wecom, &old, ANY_MEETING).await;
    let new = client::token(&wecom).await;
    let taken = client::get_info(&wecom, &new, ANY_MEETING).await;

    assert_eq!(refused.errcode(), 42001);
    assert_ne!(new, old);
    assert_eq!(taken.errcode(), NO_SUCH_MEETING);
}

#[tokio::test]
async fn a_revoked_token_is_unknown_and_replaced() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let old = client::token(&wecom).await;

    wecom.revoke_tokens();
    let refused = client::get_info(&wecom, &old, ANY_MEETING).await;
    let new = client::token(&wecom).await;
    let taken = client::get_info(&wecom, &new, ANY_MEETING).await;

    assert_eq!(refused.errcode(), 40014);
    assert_ne!(new, old);
    assert_eq!(taken.errcode(), NO_SUCH_MEETING);
    assert_eq!(
        wecom.hits(),
        Hits {
            gettoken: 2,
            get_info: 2
        }
    );
}

#[tokio::test]
async fn who_does_not_show_the_right_secret_is_told_what_is_wrong() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    for (query, errcode) in [
        (format!("corpid=nobody&corpsecret={DEFAULT_SECRET}"), 40013),
        (format!("corpid={DEFAULT_CORP_ID}&corpsecret=wrong"), 40001),
        (format!("corpsecret={DEFAULT_SECRET}"), 41002),
        (format!("corpid={DEFAULT_CORP_ID}"), 41004),
        (format!("corpid={DEFAULT_CORP_ID}&corpsecret="), 41004),
    ] {
        let line = format!("GET /cgi-bin/gettoken?{query}");
        let reply = client::call(&wecom, &line, "").await;

        assert_eq!(reply.status, 200, "for {query}");
        assert_eq!(reply.errcode(), errcode, "for {query}");
    }
}

#[tokio::test]
async fn a_refusal_begins_harmlessly_and_says_what_is_nobodys_business() {
    let wecom = Simulator::start(World::empty()).await.unwrap();

    let reply = client::get_info(&wecom, "stolen", ANY_MEETING).await;

    let message = reply.json()["errmsg"].as_str().unwrap().to_owned();
    assert!(
        !reply.text().starts_with(r#"{"errcode""#),
        "{}",
        reply.text()
    );
    assert!(message.starts_with("invalid access_token, "), "{message}");
    assert!(message.contains(HINT), "{message}");
    assert!(message.contains(EGRESS_ADDRESS), "{message}");
    assert_eq!(reply.header("error-code"), Some("40014"));
    assert_eq!(reply.header("error-msg"), Some(message.as_str()));
}

#[tokio::test]
async fn each_app_has_a_token_of_its_own() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    wecom.put_app(App::new(DEFAULT_CORP_ID, "second"));

    let first = client::token(&wecom).await;
    let second = client::gettoken_as(&wecom, DEFAULT_CORP_ID, "second").await;

    assert_eq!(second.errcode(), 0);
    assert_ne!(second.json()["access_token"], first);
}

#[tokio::test]
async fn after_a_rotation_only_the_new_secret_is_right() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let token = client::token(&wecom).await;

    wecom.set_secret(DEFAULT_CORP_ID, DEFAULT_SECRET, "new");
    let old = client::gettoken_as(&wecom, DEFAULT_CORP_ID, DEFAULT_SECRET).await;
    let new = client::gettoken_as(&wecom, DEFAULT_CORP_ID, "new").await;

    assert_eq!(old.errcode(), 40001);
    assert_eq!(
        new.json()["access_token"],
        token,
        "it is still the same app"
    );
}
