//! Who came, with what, and how it went.

use std::time::Duration;

use wecom_simulator::Api;
use wecom_simulator::Outcome;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::Visit;
use wecom_simulator::World;

use crate::client;

const MEETING: &str = r#"{"meetingid":"mt1"}"#;

fn outcomes(visits: &[Visit]) -> Vec<Option<Outcome>> {
    let outcomes = visits.iter().map(|visit| Some(visit.end?.outcome));
    outcomes.collect()
}

#[tokio::test]
async fn a_visit_tells_what_was_asked_with_which_token_and_what_was_said() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let token = client::token(&wecom).await;
    wecom.advance(Duration::from_secs(5));

    client::get_info(&wecom, &token, MEETING).await;
    client::get_info(&wecom, &token, MEETING).await;
    client::get_info(&wecom, "unknown", MEETING).await;

    let visits = wecom.visits();
    let apis: Vec<_> = visits.iter().map(|visit| visit.api).collect();
    assert_eq!(apis[..2], [Api::GetToken, Api::GetInfo]);
    let tokens: Vec<_> = visits.iter().map(|visit| visit.token).collect();
    assert_eq!(tokens, [None, Some(1), Some(1), None]);
    let said = [0, 90602, 90602, 40014].map(|errcode| Some(Outcome::Said(errcode)));
    assert_eq!(outcomes(&visits), said);
    assert_eq!(visits[1].question, visits[2].question);
    assert_ne!(visits[0].question, visits[1].question);
    assert_eq!(visits[0].advanced, Duration::ZERO);
    assert_eq!(visits[1].advanced, Duration::from_secs(5));
}

#[tokio::test]
async fn a_visit_is_under_way_until_it_is_answered_spoilt_or_abandoned() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    let token = client::token(&wecom).await;
    wecom.set_trouble(Api::GetInfo, Trouble::hang().times(1));

    let line = format!("POST /cgi-bin/meeting/get_info?access_token={token}");
    let hanging = client::send(&wecom, &line, MEETING).await;
    while wecom.visits().len() < 2 {
        tokio::task::yield_now().await;
    }
    let meanwhile = outcomes(&wecom.visits());
    drop(hanging);
    while wecom.visits()[1].end.is_none() {
        tokio::task::yield_now().await;
    }
    wecom.set_trouble(Api::GetInfo, Trouble::raw("[[["));
    let raw = client::get_info(&wecom, &token, MEETING).await;

    assert_eq!(meanwhile, [Some(Outcome::Said(0)), None]);
    let afterwards = [Outcome::Said(0), Outcome::Abandoned, Outcome::Spoilt].map(Some);
    assert_eq!(outcomes(&wecom.visits()), afterwards);
    assert_eq!(raw.text(), "[[[");
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open_and_after() {
    let wecom = Simulator::start(World::empty()).await.unwrap();
    client::token(&wecom).await;
    client::token(&wecom).await;

    while wecom.connections().open > 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(wecom.connections().opened, 2);
    assert_eq!(wecom.connections().peak, 1);
    let connections: Vec<_> = wecom
        .visits()
        .iter()
        .map(|visit| visit.connection)
        .collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn a_token_lasts_as_long_as_the_world_has_it() {
    let world = World::empty().with_token_lifetime(Duration::from_secs(20));
    let wecom = Simulator::start(world).await.unwrap();
    let token = client::token(&wecom).await;

    wecom.advance(Duration::from_secs(20));
    let refused = client::get_info(&wecom, &token, MEETING).await;

    assert_eq!(refused.errcode(), 42001);
}
