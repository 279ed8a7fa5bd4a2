//! Canaries: secrets, people and what WeCom says of us, looked for in everything that gets out.
//!
//! The service runs at the most talkative level, and everything that can go well or wrong does. Then
//! the log, the metrics, the traces, what operators and whoever started us are told and every problem
//! are searched.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wecom_simulator::Api;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::EGRESS_ADDRESS;
use wecom_simulator::HINT;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::TOKEN_PREFIX;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::collector::Collector;
use crate::logging::ask;
use crate::shell::Ended;
use crate::shell::Service;
use crate::shell::Shell;
use crate::shell::nobody;
use crate::shell::until_ready;
use crate::supervisor::Supervisor;

const SECRET: &str = "canary-of-the-app-secret";
const NEXT_SECRET: &str = "canary-of-the-next-secret";
const KEY: &str = "canary-of-a-callers-key";
const WRONG_KEY: &str = "canary-of-a-wrong-key";
const PROXY_PASSWORD: &str = "canary-of-the-proxy";

/// Of a meeting: what callers who may see it are shown, and nobody else.
const OF_MEETING: [(&str, &str); 9] = [
    ("title", "canary-title"),
    ("description", "canary-description"),
    ("location", "canary-location"),
    ("password", "canary-password"),
    ("host key", "canary-host-key"),
    ("telephone number", "canary-13512345432"),
    ("guest's name", "canary-guest"),
    ("organizer", "canary-admin"),
    ("unknown field", "canary-unknown"),
];

/// What must not get out, by what it is.
fn canaries() -> BTreeMap<&'static str, &'static str> {
    let ours = [
        ("secret", SECRET),
        ("next secret", NEXT_SECRET),
        ("key", KEY),
        ("wrong key", WRONG_KEY),
        ("password of the proxy", PROXY_PASSWORD),
        ("access token", TOKEN_PREFIX),
        ("our address, in errmsg", EGRESS_ADDRESS),
        ("hint, in errmsg", HINT),
        ("query of a caller", "canary-query"),
    ];
    ours.into_iter().chain(OF_MEETING).collect()
}

/// Everything that can be wrong with an answer of WeCom.
fn troubles() -> Vec<Trouble> {
    let errcodes = [
        -1, 6000, 40001, 40014, 40058, 41001, 42001, 45029, 45033, 48002, 60020, 730_005, 730_008,
        99_999,
    ];
    let statuses = [302, 403, 404, 429, 500, 503];
    let others = [
        Trouble::array(),
        Trouble::drip(Duration::from_millis(1)),
        Trouble::drip_forever(Duration::from_millis(5)),
        Trouble::gzip_bomb(64 << 20),
        Trouble::hang(),
        Trouble::html(),
        Trouble::huge(8 << 20),
        Trouble::raw(format!(r#"{{"errcode":0,"title":"{}"#, OF_MEETING[0].1)),
        Trouble::redirect(),
        Trouble::reset(),
        Trouble::same_token(),
        Trouble::truncated(),
    ];
    let errcodes = errcodes.into_iter().map(Trouble::errcode);
    let statuses = statuses.into_iter().map(Trouble::status);
    errcodes.chain(statuses).chain(others).collect()
}

fn meeting(id: &str) -> Meeting {
    let of: BTreeMap<_, _> = OF_MEETING.into_iter().collect();
    let info = json!({
        "title": of["title"],
        "description": of["description"],
        "location": of["location"],
        "admin_userid": of["organizer"],
        "status": 2,
        "settings": {"password": of["password"], "host_key": of["host key"]},
        "guests": [{"guest_name": of["guest's name"], "phone_number": of["telephone number"]}],
        "attendees": {"member": [{"userid": of["organizer"], "status": 1}]},
        "new_field": of["unknown field"],
    });
    Meeting::new(id, "446153273", info).of_app(DEFAULT_CORP_ID, SECRET)
}

/// Everything that got out so far, and where.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn note(&mut self, place: &str, what: String) {
        self.0.push((place.to_owned(), what));
    }

    fn must_hold_no(&self, canaries: &BTreeMap<&str, &str>) {
        for (place, text) in &self.0 {
            for (what, canary) in canaries {
                assert!(
                    !text.contains(canary),
                    "the {what} got out by {place}: {text:.2000}"
                );
            }
        }
    }
}

/// The problems that callers are told, with and without a good key.
fn ask_in_all_ways(service: &Service, case: usize, heard: &mut Heard) {
    let good = format!("Authorization: Bearer {KEY}\r\n");
    let wrong = format!("Authorization: Bearer {WRONG_KEY}\r\n");
    let kept = format!("{good}Cache-Control: no-cache\r\n");
    for (path, fields) in [
        ("/meetings/kept", &kept),
        (&format!("/meetings/cold-{case}"), &good),
        ("/meetings/by-code/446153273", &good),
        ("/meetings/kept?canary-query=1", &good),
        ("/meetings/kept", &wrong),
        ("/meetings/a%2Fb", &good),
    ] {
        let answer = ask(service.callers, path, fields);
        // A meeting tells of itself to those who may see it. Its head is for everybody.
        let is_meeting = answer.starts_with("HTTP/1.1 200");
        let fields_of_it = answer.split("\r\n\r\n").next().unwrap_or_default();
        let told = if is_meeting { fields_of_it } else { &answer };
        heard.note(path, told.to_owned());
    }
    for path in [
        "/status",
        "/explain/meetings/kept",
        "/explain/meetings/by-code/446153273",
        "/metrics",
        "/readyz",
    ] {
        heard.note(path, ask(service.operators, path, ""));
    }
}

/// A shell in which nothing is kept from the log.
fn talkative(wecom: &Simulator) -> Shell {
    let key = ended("hash-key", KEY).stdout;
    Shell::new()
        .with_service(&wecom.base_url())
        .with_file("secret", SECRET)
        .without("WECOM_SECRET")
        .with("WECOM_SECRET_FILE", "secret")
        .with("WECOM_PROXY_LOG__LEVEL", "trace")
        .with("WECOM_PROXY_WECOM__TIMEOUT", "100ms")
        .with("WECOM_PROXY_SERVER__REQUEST_TIMEOUT", "300ms")
        .with("WECOM_PROXY_ACCESS__CALLERS__0__NAME", "calendar")
        .with("WECOM_PROXY_ACCESS__CALLERS__0__KEY_SHA256", key.trim())
        .with(
            "WECOM_PROXY_ACCESS__CALLERS__0__REVEAL",
            r#"["secrets", "phones", "extra"]"#,
        )
}

fn ended(command: &str, input: &str) -> Ended {
    Shell::new().run_with(&[command], input.as_bytes())
}

async fn wecom() -> Simulator {
    let mut world = World::empty();
    world.put_app(wecom_simulator::App::new(DEFAULT_CORP_ID, SECRET));
    let wecom = Simulator::start(world).await.expect("a WeCom");
    wecom.put_meeting(meeting("kept"));
    wecom
}

/// What gets out of a service whose WeCom is in trouble, as often as it is asked, and that writes its
/// log so.
async fn in_trouble(api: Api, trouble: Trouble, format: &str) -> Heard {
    let (wecom, collector) = (wecom().await, Collector::start().await);
    let supervisor = Supervisor::at_a_path();
    let shell = supervisor
        .starting(talkative(&wecom))
        .with("WECOM_PROXY_LOG__FORMAT", format)
        .with(
            "WECOM_PROXY_TELEMETRY__OTLP_ENDPOINT",
            &collector.endpoint(),
        );
    // Those who are asked go on meanwhile.
    let mut heard = tokio::task::block_in_place(|| {
        let mut heard = Heard::default();
        let mut service = shell.serve();
        until_ready(service.operators);
        ask_in_all_ways(&service, 0, &mut heard);
        let before = wecom.hits();
        wecom.set_trouble(api, trouble.clone());
        wecom.revoke_tokens();
        // On a busy machine, a question may be late and not tell.
        let was_met = (1..20).any(|case| {
            ask_in_all_ways(&service, case, &mut heard);
            let after = wecom.hits();
            match api {
                Api::GetInfo => after.get_info > before.get_info,
                Api::GetToken => after.gettoken > before.gettoken,
            }
        });
        assert!(was_met, "{api:?} {trouble:?}");
        wecom.clear_troubles();
        wecom.set_secret(DEFAULT_CORP_ID, SECRET, NEXT_SECRET);
        ask_in_all_ways(&service, 20, &mut heard);
        service.process.signal("-HUP");
        service.process.signal("-TERM");
        assert_eq!(service.process.code(), Some(0), "{api:?} {trouble:?}");

        let lines: Vec<_> = service.lines.iter().collect();
        assert!(lines.iter().any(|line| line.contains("GET /meetings")));
        heard.note("the log", lines.join("\n"));
        let told = supervisor.rest().concat();
        assert!(told.contains("STOPPING=1\n"), "{told}");
        heard.note("the supervisor", told);
        heard
    });
    assert!(!collector.bodies().is_empty(), "traces were handed over");
    for body in collector.bodies() {
        heard.note("a trace", String::from_utf8_lossy(&body).into_owned());
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_is_nobodys_business_gets_out() {
    for some in troubles().chunks(2) {
        let mut cases = JoinSet::new();
        for trouble in some {
            for format in ["json", "text"] {
                cases.spawn(in_trouble(Api::GetInfo, trouble.clone(), format));
                cases.spawn(in_trouble(Api::GetToken, trouble.clone(), format));
            }
        }
        while let Some(heard) = cases.join_next().await {
            heard.expect("a case").must_hold_no(&canaries());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_proxy_that_cannot_be_reached_does_not_get_out() {
    let wecom = wecom().await;
    let proxy = nobody().replace("http://", &format!("http://us:{PROXY_PASSWORD}@"));
    let shell = talkative(&wecom).with("WECOM_PROXY_WECOM__PROXY", &proxy);
    let mut service = shell.serve();
    until_ready(service.operators);
    let mut heard = Heard::default();

    ask_in_all_ways(&service, 0, &mut heard);
    service.process.signal("-TERM");
    assert_eq!(service.process.code(), Some(0));

    heard.note(
        "the log",
        service.lines.iter().collect::<Vec<_>>().join("\n"),
    );
    heard.must_hold_no(&canaries());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_are_told_without_what_is_secret_in_them() {
    let wecom = wecom().await;
    let mut heard = Heard::default();
    for (name, value) in [
        (
            "WECOM_PROXY_WECOM__PROXY",
            format!("ftp://us:{PROXY_PASSWORD}@a"),
        ),
        ("WECOM_SECRET", format!("{SECRET}\n")),
        ("WECOM_PROXY_WECOM__APPS__0__SECRET", SECRET.to_owned()),
        ("WECOM_PROXY_ACCESS__CALLERS__0__KEY_SHA256", KEY.to_owned()),
        ("WECOM_PROXY_WECOM__APPS__0__SECRETS", SECRET.to_owned()),
        (
            "WECOM_PROXY_WECOM__BASE_URL",
            format!("https://us:{SECRET}@a/"),
        ),
    ] {
        let shell = talkative(&wecom).with(name, &value);
        let Ended { stdout, stderr, .. } = shell.run(&["check-config"]);
        heard.note(name, stdout + &stderr);
    }
    let file = format!("[wecom]\nsecret = \"{SECRET}\"\n[[wecom.apps]]\nsecret = {SECRET}\n");
    let broken = talkative(&wecom).with_file("config.toml", &file);
    let Ended { stderr, .. } = broken.run(&["check-config"]);
    assert!(stderr.contains("config.toml:4"), "{stderr}");
    heard.note("a broken file", stderr);
    heard.must_hold_no(&canaries());
}
