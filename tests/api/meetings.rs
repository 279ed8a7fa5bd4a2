//! What a caller is shown.

use serde_json::Value;
use serde_json::json;
use wecom_simulator::Hits;
use wecom_simulator::Meeting;

use crate::house::House;

const ID: &str = "hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg";

fn sample(name: &str) -> Value {
    let file = format!(
        "{}/tests/samples/official-sample.{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(file).expect("a sample");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn the_official_sample_is_shown_as_the_contract_says() {
    let everything = r#"["secrets", "phones", "extra"]"#;
    for (reveal, expected) in [("[]", "nothing-revealed"), (everything, "all-revealed")] {
        let house = House::with(&[("access.reveal", reveal)]).await;
        house
            .wecom
            .put_meeting(Meeting::new(ID, "123456789", sample("wecom")));

        let by_id = house.get(&format!("/meetings/{ID}")).await;
        let by_code = house.get("/meetings/by-code/123-456-789").await;

        let mut expected = sample(expected);
        assert_eq!(by_id.json(), expected, "{reveal}");
        expected["meeting_id"] = Value::Null;
        assert_eq!(by_code.json(), expected, "{reveal}");
        assert_eq!(by_id.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_list_of_5000_attendees_arrives_whole() {
    let house = House::open().await;
    let person = |index| json!({"userid": format!("user-{index}"), "status": 1});
    let members: Vec<Value> = (0..5_000).map(person).collect();
    let info = json!({"title": "All hands", "attendees": {"member": members}});
    house
        .wecom
        .put_meeting(Meeting::new("m1", "446153273", info));

    let reply = house.get("/meetings/m1").await;

    let attendees = reply.json()["attendees"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(attendees.len(), 5_000);
    assert_eq!(attendees[4_999]["id"], "user-4999");
}

#[tokio::test]
async fn one_occurrence_of_a_recurring_meeting_can_be_asked_for() {
    let house = House::open().await;
    let series = Meeting::new("m1", "446153273", json!({"title": "Series"}));
    house
        .wecom
        .put_meeting(series.with_occurrence("s-1", json!({"title": "The first"})));

    let series = house.get("/meetings/m1").await.json();
    let first = house.get("/meetings/m1?sub_meeting_id=s-1").await.json();
    let unknown = house.get("/meetings/m1?sub_meeting_id=s-2").await;

    assert_eq!(
        (&series["title"], &series["sub_meeting_id"]),
        (&json!("Series"), &Value::Null)
    );
    assert_eq!(
        (&first["title"], &first["sub_meeting_id"]),
        (&json!("The first"), &json!("s-1"))
    );
    assert_eq!(unknown.outcome(), (404, "meeting_not_found".to_owned()));
    assert_eq!(
        house.wecom.hits(),
        Hits {
            gettoken: 1,
            get_info: 3
        }
    );
}

#[tokio::test]
async fn wecom_is_asked_with_exactly_one_of_id_and_code_and_with_nothing_of_the_caller() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");

    house
        .get_with(
            "/meetings/m1",
            &[("x-request-id", "mine"), ("cookie", "a=b")],
        )
        .await;
    house.get("/meetings/by-code/446%20153%20273").await;
    house.get("/meetings/m1?debug=1").await;

    let asked = house.wecom.get_info_requests();
    let bodies: Vec<&str> = asked.iter().map(|asked| asked.body.as_str()).collect();
    assert_eq!(
        bodies,
        [r#"{"meetingid":"m1"}"#, r#"{"meeting_code":"446153273"}"#]
    );
    for asked in &asked {
        assert_eq!(asked.query_names, ["access_token"]);
        let names: Vec<&str> = asked
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(
            !names.contains(&"x-request-id") && !names.contains(&"cookie"),
            "{names:?}"
        );
    }
}
