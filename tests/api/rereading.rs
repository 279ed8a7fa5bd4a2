//! Settings that change while the doors are open, and secrets that are rotated.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use wecom_meeting_proxy::config::Sources;
use wecom_meeting_proxy::http::KeyDigest;
use wecom_simulator::Api;
use wecom_simulator::App;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::habits::Regular;
use crate::house::House;
use crate::house::Reply;
use crate::house::SOON;
use crate::house::morning;

/// How often the files are looked at.
const LOOKS_EVERY: Duration = Duration::from_secs(30);

/// Much less than anything is waited for by default.
const SOONER: Duration = Duration::from_secs(2);

/// A house whose settings stand in a file, and its secret in another.
struct Furnished {
    house: House,
    folder: TempDir,
    base_url: String,
}

impl Furnished {
    async fn with(settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        let base_url = wecom.base_url();
        write(&folder.path().join("secret"), DEFAULT_SECRET);
        write_settings(folder.path(), &base_url, settings);
        let sources = Sources {
            file: Some(folder.path().join("config.toml")),
            variables: Vec::new(),
        };
        let house = House::of(wecom, sources, morning());
        house.given_meeting("m1", "446153273", "Standup");
        house.given_meeting("m2", "446153274", "Review");
        Self {
            house,
            folder,
            base_url,
        }
    }

    fn rewrite(&self, settings: &str) {
        write_settings(self.folder.path(), &self.base_url, settings);
    }

    fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// The status that this key gets.
    async fn status_of(&self, key: &str) -> u16 {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        let reply = self.house.get_with("/meetings/m1", &headers).await;
        reply.status.as_u16()
    }

    async fn until_let_in(&self, key: &str) {
        let is_let_in = async |_: &House| self.status_of(key).await == 200;
        self.house.until("the key is good", is_let_in).await;
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("written");
}

fn write_settings(folder: &Path, base_url: &str, settings: &str) {
    let text = format!(
        r#"
        server.listen = "127.0.0.1:0"
        admin.listen = "127.0.0.1:0"
        wecom.base_url = "{base_url}"
        {settings}
        [[wecom.apps]]
        name = "default"
        corp_id = "{DEFAULT_CORP_ID}"
        secret_file = "{}"
        "#,
        folder.join("secret").display()
    );
    write(&folder.join("config.toml"), &text);
}

fn caller(key: &str) -> String {
    let digest = KeyDigest::of(key.as_bytes());
    format!("[[access.callers]]\nname = \"{key}\"\nkey_sha256 = \"{digest}\"\n")
}

#[tokio::test]
async fn new_settings_are_taken_when_the_bell_rings_and_what_is_kept_stays() {
    let old = format!("{}\n[cache]\nmax_bytes = \"64MiB\"", caller("old"));
    let furnished = Furnished::with(&old).await;
    assert_eq!(furnished.status_of("old").await, 200);

    furnished.rewrite(&format!(
        "{}\n[cache]\nmax_bytes = \"32MiB\"",
        caller("new")
    ));
    assert_eq!(furnished.status_of("new").await, 401, "not before the bell");
    furnished.house.bell.notify_one();
    furnished.until_let_in("new").await;

    assert_eq!(furnished.status_of("old").await, 401);
    assert_eq!(furnished.house.wecom.hits().get_info, 1, "it was kept");
    assert_eq!(furnished.house.wecom.hits().gettoken, 1, "so was the token");
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_refused_on_the_connection_that_it_is_used_on() {
    let furnished = Furnished::with(&caller("old")).await;
    let mut regular = Regular::of(&furnished.house).await;
    for _ in 0..3 {
        assert_eq!(regular.status_of("old").await, "200");
    }

    furnished.rewrite(&caller("new"));
    furnished.house.bell.notify_one();
    furnished.until_let_in("new").await;

    assert_eq!(regular.status_of("old").await, "401");
    assert_eq!(regular.status_of("new").await, "200");
}

#[tokio::test]
async fn what_is_kept_is_served_for_longer_if_it_may_be_stale_for_longer() {
    let stale = |key, span| format!("{}\n[cache]\nstale_if_error = \"{span}\"", caller(key));
    let furnished = Furnished::with(&stale("old", "10m")).await;
    assert_eq!(furnished.status_of("old").await, 200);
    let failing = Trouble::status(500);
    furnished.house.wecom.set_trouble(Api::GetInfo, failing);

    furnished.rewrite(&stale("new", "2h"));
    furnished.house.bell.notify_one();
    furnished.until_let_in("new").await;
    furnished.house.advance(Duration::from_secs(3_600));

    assert_eq!(furnished.status_of("new").await, 200);
}

#[tokio::test]
async fn a_file_that_changes_is_noticed_within_half_a_minute() {
    let furnished = Furnished::with(&caller("old")).await;
    assert_eq!(furnished.status_of("old").await, 200);

    furnished.rewrite(&caller("new"));

    let is_noticed = async |house: &House| {
        house.clock.advance(LOOKS_EVERY);
        furnished.status_of("new").await == 200
    };
    furnished.house.until("it is noticed", is_noticed).await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_a_good_one_after_it_is_taken() {
    let furnished = Furnished::with(&caller("old")).await;
    for bad in [
        "[[access.callers]]\nname = \"no key\"",
        "[cache]\nmax_bites = \"1GiB\"",
        "this is no TOML",
    ] {
        furnished.rewrite(bad);
        furnished.house.bell.notify_one();
        furnished.house.clock.advance(LOOKS_EVERY);
        assert_eq!(furnished.status_of("old").await, 200, "{bad}");
    }

    furnished.rewrite(&caller("new"));
    let is_let_in = async |house: &House| {
        house.clock.advance(LOOKS_EVERY);
        furnished.status_of("new").await == 200
    };
    furnished
        .house
        .until("the good one is taken", is_let_in)
        .await;
}

#[tokio::test]
async fn answers_are_believed_as_long_as_the_new_settings_say() {
    let furnished = Furnished::with("").await;
    let house = &furnished.house;
    house.get("/meetings/m1").await;

    furnished.rewrite("[cache.fresh_for]\nnot_started = \"7s\"");
    house.bell.notify_one();
    let is_taken = async |house: &House| {
        house.advance(Duration::from_secs(100));
        let reply = house.get("/meetings/m1").await;
        reply.header("cache-control") == Some("private, max-age=7")
    };

    house.until("the settings are taken", is_taken).await;
}

#[tokio::test]
async fn a_secret_that_was_rotated_is_used_without_a_failed_request() {
    let furnished = Furnished::with("").await;
    let house = &furnished.house;
    assert_eq!(house.get("/meetings/m1").await.status, 200);

    house
        .wecom
        .set_secret(DEFAULT_CORP_ID, DEFAULT_SECRET, "rotated");
    house.wecom.revoke_tokens();
    write(&furnished.secret_file(), "rotated\n");

    assert_eq!(house.get("/meetings/m2").await.status, 200);
    assert_eq!(
        house.wecom.hits().gettoken,
        3,
        "the old secret was tried once"
    );
}

#[tokio::test]
async fn a_secret_behind_a_link_that_is_replaced_is_noticed() {
    let furnished = Furnished::with("").await;
    let house = &furnished.house;
    house.get("/meetings/m1").await;
    house
        .wecom
        .set_secret(DEFAULT_CORP_ID, DEFAULT_SECRET, "rotated");
    house.wecom.revoke_tokens();
    let refused = house.get("/meetings/m2").await;
    assert_eq!(refused.outcome(), (502, "wecom_refused_us".to_owned()));

    // As Kubernetes does it: the new one is put aside, and a link takes the old one's place at once.
    let (aside, link) = (
        furnished.folder.path().join("..data"),
        furnished.folder.path().join("link"),
    );
    write(&aside, "rotated");
    symlink(&aside, &link).expect("linked");
    fs::rename(&link, furnished.secret_file()).expect("replaced");
    // No pause ends by this: it is what was refused that is tried again.
    house.bell.notify_one();

    let is_healed = async |house: &House| {
        house.clock.advance(Duration::from_millis(1));
        house.get("/meetings/m3").await.outcome().1 == "meeting_not_found"
    };
    house.until("it is healed", is_healed).await;
}

#[tokio::test]
async fn a_block_is_not_ended_by_other_settings() {
    let furnished = Furnished::with(&caller("old")).await;
    let house = &furnished.house;
    house
        .wecom
        .set_trouble(Api::GetInfo, Trouble::errcode(45009).times(1));
    assert_eq!(furnished.status_of("old").await, 503);

    furnished.rewrite(&caller("new"));
    house.bell.notify_one();
    let is_taken = async |_: &House| furnished.status_of("new").await == 503;
    house.until("they are taken", is_taken).await;

    house.advance(Duration::from_secs(59));
    assert_eq!(furnished.status_of("new").await, 503);
    assert_eq!(house.wecom.hits().get_info, 1);
}

/// Apps besides the first, each with its secret in the settings.
fn apps(secret: &str) -> String {
    let app = |name| {
        format!(
            "[[wecom.apps]]\nname = \"{name}\"\ncorp_id = \"{DEFAULT_CORP_ID}\"\nsecret = \"{secret}-{name}\"\n"
        )
    };
    (0..8).map(app).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_secrets_of_several_apps_are_tried_at_once_and_the_old_ones_never_again() {
    let furnished = Furnished::with(&apps("wrong")).await;
    let house = &furnished.house;
    for name in 0..8 {
        let right = format!("right-{name}");
        house.wecom.put_app(App::new(DEFAULT_CORP_ID, &right));
    }
    let standings = async |house: &House, sought: &str| {
        let status = house.ask_operator("/status").await.json();
        let apps = status["apps"].as_array().expect("apps").clone();
        apps.iter().filter(|app| app["standing"] == sought).count()
    };
    let are_refused = async |house: &House| standings(house, "refused").await == 8;
    house.until("they are refused", are_refused).await;
    assert_eq!(house.wecom.hits().gettoken, 9);
    // Something to move while they are tried.
    for hundred in 0..20 {
        let paths = (0..100).map(|number| format!("/meetings/none-{hundred}-{number}"));
        house.get_at_once(paths).await;
    }

    furnished.rewrite(&format!("{}[cache]\nmax_bytes = \"64MiB\"", apps("right")));
    house.bell.notify_one();

    let are_served = async |house: &House| standings(house, "served").await == 9;
    house.until("they are served", are_served).await;
    assert_eq!(house.wecom.hits().gettoken, 17, "each new secret once");
}

/// Apps by the names they are listed with: the corp, and the secret.
type Listed = &'static [(&'static str, &'static str, &'static str)];

fn listed(apps: Listed) -> String {
    let app = |(name, corp_id, secret): &_| {
        format!(
            "[[wecom.apps]]\nname = \"{name}\"\ncorp_id = \"{corp_id}\"\nsecret = \"{secret}\"\n"
        )
    };
    apps.iter().map(app).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_stands_for_another_app_is_never_given_what_was_kept_for_the_one_before() {
    const CORP: &str = DEFAULT_CORP_ID;
    const OTHER: &str = "ww-other-corp";
    const BEFORE: Listed = &[("one", CORP, "s1"), ("two", CORP, "s2")];
    let cases: [(&str, &[Listed]); 6] = [
        ("swapped", &[&[("one", CORP, "s2"), ("two", CORP, "s1")]]),
        (
            "another corp",
            &[&[("one", OTHER, "s3"), ("two", CORP, "s2")]],
        ),
        ("taken over", &[&[("one", CORP, "s2")]]),
        ("renamed", &[&[("one", CORP, "s4"), ("uno", CORP, "s1")]]),
        (
            "gone and back",
            &[&[("two", CORP, "s2")], &[("one", CORP, "s4")]],
        ),
        ("gone and the same", &[&[("two", CORP, "s2")], BEFORE]),
    ];
    for (case, steps) in cases {
        let furnished = Furnished::with("").await;
        let house = &furnished.house;
        for (corp, secret) in [(CORP, "s1"), (CORP, "s2"), (OTHER, "s3"), (CORP, "s4")] {
            house.wecom.put_app(App::new(corp, secret));
            let info = serde_json::json!({"title": secret, "meetingid": "m1"});
            let meeting = Meeting::new("m1", "446153273", info);
            house.wecom.put_meeting(meeting.of_app(corp, secret));
        }
        // What is shown of the meeting, by either of its names, to who asks as the app of that name.
        let titles = async |name: &str| {
            let paths = ["/meetings/m1", "/meetings/by-code/446153273"];
            let paths = paths.map(|path| format!("{path}?app={name}"));
            let replies = house.get_at_once(paths).await;
            let title =
                |reply: &Reply| (reply.status == 200).then(|| reply.json()["title"].clone());
            replies.iter().map(title).collect::<Vec<_>>()
        };
        for step in [&[BEFORE], steps].concat() {
            furnished.rewrite(&listed(step));
            house.bell.notify_one();
            let is_taken = async |_: &House| {
                let mut taken = true;
                for name in ["one", "two"] {
                    let app = step.iter().find(|app| app.0 == name);
                    let title = app.map(|app| app.2.into());
                    taken &= titles(name).await == [title.clone(), title];
                }
                taken
            };
            house.until(case, is_taken).await;
        }
    }
}

#[tokio::test]
async fn another_apps_secret_in_a_file_is_noticed_though_it_was_tried_before_the_file_was_looked_at()
 {
    let two = &[("two", DEFAULT_CORP_ID, "s2")];
    let furnished = Furnished::with(&listed(two)).await;
    let house = &furnished.house;
    house.wecom.put_app(App::new(DEFAULT_CORP_ID, "s2"));
    let info = serde_json::json!({"title": "Of two", "meetingid": "m1"});
    let meeting = Meeting::new("m1", "446153273", info);
    house
        .wecom
        .put_meeting(meeting.of_app(DEFAULT_CORP_ID, "s2"));
    let title = async |house: &House| {
        let reply = house.get("/meetings/m1?app=default").await;
        reply.json()["title"].clone()
    };
    assert_eq!(title(house).await, "Standup");

    house
        .wecom
        .set_secret(DEFAULT_CORP_ID, DEFAULT_SECRET, "unknown to us");
    house.wecom.revoke_tokens();
    write(&furnished.secret_file(), "s2");
    let before = house.wecom.hits().gettoken;
    house.get("/meetings/m2?app=default").await;
    assert_eq!(house.wecom.hits().gettoken, before + 2, "it was tried");
    house.bell.notify_one();

    let is_noticed = async |house: &House| title(house).await == "Of two";
    house.until("it is noticed", is_noticed).await;
}

/// Whether a connection is closed soon on which this is said, and then nothing.
async fn is_soon_closed(door: SocketAddr, said: &[u8]) -> bool {
    let mut stream = TcpStream::connect(door).await.expect("a connection");
    stream.write_all(said).await.expect("sent");
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(SOONER, stream.read_to_end(&mut heard));
    closed.await.is_ok()
}

#[tokio::test]
async fn new_connections_are_waited_for_as_long_as_the_new_settings_say() {
    const HEAD: &[u8] = b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let furnished = Furnished::with("").await;
    let house = &furnished.house;
    let mut before = TcpStream::connect(house.callers)
        .await
        .expect("a connection");

    furnished.rewrite("server.head_timeout = \"100ms\"\nserver.idle_timeout = \"200ms\"");
    house.bell.notify_one();
    let is_taken = async |house: &House| is_soon_closed(house.callers, b"GET").await;
    house.until("a head is waited for shortly", is_taken).await;

    for door in [house.callers, house.operators] {
        assert!(is_soon_closed(door, b"").await, "silent");
        assert!(is_soon_closed(door, HEAD).await, "at rest");
    }
    // Who was there has the time that was said then.
    before.write_all(HEAD).await.expect("sent");
    let mut answer = [0; 12];
    before.read_exact(&mut answer).await.expect("an answer");
}

#[tokio::test]
async fn nobody_waits_longer_for_an_answer_than_the_new_settings_say() {
    let furnished = Furnished::with("").await;
    let house = &furnished.house;
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());

    furnished.rewrite("server.request_timeout = \"100ms\"");
    house.bell.notify_one();
    let is_taken = async |house: &House| {
        let began = Instant::now();
        let reply = house.get("/meetings/m1").await;
        assert_eq!(reply.outcome().1, "wecom_timeout");
        began.elapsed() < SOONER
    };

    house.until("the settings are taken", is_taken).await;
}

#[tokio::test]
async fn it_leaves_as_the_new_settings_say() {
    let old = "server.drain_delay = \"1h\"\nserver.drain_timeout = \"1h\"";
    let mut furnished = Furnished::with(&format!("{old}\n{}", caller("old"))).await;
    let new = "server.drain_delay = \"0s\"\nserver.drain_timeout = \"100ms\"";
    furnished.rewrite(&format!("{new}\n{}", caller("new")));
    furnished.house.bell.notify_one();
    furnished.until_let_in("new").await;
    let house = &mut furnished.house;
    house.wecom.set_trouble(Api::GetInfo, Trouble::hang());
    let headers = &[("authorization", "Bearer new")];
    let asking = tokio::spawn(house.asking_with("/meetings/m2", headers));
    let is_asked = async |house: &House| house.wecom.hits().get_info == 2;
    house.until("a question is under way", is_asked).await;

    house.leave.cancel();
    let serving = house.serving.take().expect("serving");

    let left = tokio::time::timeout(SOON, serving).await;
    left.expect("left in time").expect("no panic");
    asking.abort();
}
