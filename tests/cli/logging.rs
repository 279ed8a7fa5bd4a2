//! What the log says, and that nobody waits for whoever reads it; and what has it turned.

use std::io::Read;
use std::io::Write;
use std::iter;
use std::net::SocketAddr;
use std::net::TcpStream;

use serde_json::Value;
use serde_json::json;
use wecom_simulator::Meeting;

use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_saying;
use crate::shell::line_with;
use crate::shell::wecom;

/// What a caller hears who asks once.
pub(crate) fn ask(door: SocketAddr, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(door).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).expect("an answer");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_caller_is_one_line_that_tells_nothing_of_the_meeting() {
    let wecom = wecom().await;
    let info = json!({"title": "Secret plans", "status": 1});
    wecom.put_meeting(Meeting::new("m-1", "446153273", info));
    let service = Shell::new().with_service(&wecom.base_url()).serve();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let fields = format!("X-Request-Id: r-1\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");

    ask(service.operators, "/livez", "");
    ask(service.callers, "/meetings/m-1", &fields);
    let first = line_with(&service.lines, "GET /meetings/{meeting_id} 200");
    ask(service.callers, "/meetings/m-1", "");
    let second = line_with(&service.lines, "GET /meetings");
    ask(service.callers, "/meetings/gone", "");
    let third = line_with(&service.lines, "GET /meetings");

    assert_eq!(first["request.id"], "r-1");
    assert_eq!(first["trace.id"], trace);
    assert_eq!(first["method"], "GET");
    assert_eq!(first["route"], "/meetings/{meeting_id}");
    assert_eq!(first["status"], 200);
    assert_eq!(first["cache"], "miss");
    assert_eq!(first["level"], "INFO");
    assert!(first["timestamp"].is_string(), "{first}");
    let (ours, wecoms) = (&first["elapsed_ms"], &first["wecom.elapsed_ms"]);
    assert!(
        ours.as_f64() >= wecoms.as_f64() && wecoms.as_f64() > Some(0.0),
        "{first}"
    );
    assert_eq!(first["wecom.errcode"], Value::Null);
    assert_eq!(second["cache"], "hit");
    assert_eq!(second["wecom.elapsed_ms"], Value::Null);
    assert_eq!(third["status"], 404);
    assert_eq!(third["wecom.errcode"], 90602);
    for line in [first, second, third] {
        let line = line.to_string();
        assert!(!line.contains("m-1") && !line.contains("Secret"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_meeting_is_no_outage_that_ends_again_and_again() {
    let wecom = wecom().await;
    wecom.put_meeting(Meeting::new("odd", "446153273", json!({})).with_errcode(40035));
    wecom.put_meeting(Meeting::new("good", "446153274", json!({"status": 1})));
    let mut service = Shell::new()
        .with_service(&wecom.base_url())
        .with("WECOM_PROXY_CACHE__FRESH_FOR__FAULT", "0s")
        .with("WECOM_PROXY_CACHE__MIN_REFRESH_INTERVAL", "0s")
        .serve();

    for _ in 0..20 {
        for path in ["/meetings/odd", "/meetings/good"] {
            ask(service.callers, path, "Cache-Control: no-cache\r\n");
        }
    }
    service.process.signal("-TERM");
    assert_eq!(service.process.code(), Some(0));

    let lines: Vec<_> = service.lines.iter().collect();
    let again = lines.iter().filter(|line| line.contains("again\"")).count();
    let refused = lines.iter().filter(|line| line.contains("40035")).count();
    assert_eq!(again, 0, "{lines:#?}");
    assert!(refused >= 1, "{lines:#?}");
    assert!(wecom.hits().get_info >= 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_has_the_settings_read_again_and_a_bad_file_is_told_and_changes_nothing() {
    let wecom = wecom().await;
    let settings = |level: &str| format!("[log]\nlevel = \"{level}\"\n");
    let shell = Shell::new()
        .with_file("config.toml", &settings("info"))
        .with_service(&wecom.base_url());
    let mut service = shell.serve();

    let shell = shell.with_file("config.toml", "[log]\nlevel = \"loud\"\n");
    service.process.signal("-HUP");
    let refused = line_with(&service.lines, "the settings were read again and not taken");
    ask(service.callers, "/meetings/gone", "");
    line_with(&service.lines, "GET /meetings/{meeting_id} 404");
    let _shell = shell.with_file(
        "config.toml",
        &settings("info,wecom_meeting_proxy::request=off"),
    );
    service.process.signal("-HUP");
    line_with(&service.lines, "took the settings that were read again");
    ask(service.callers, "/meetings/gone", "");
    service.process.signal("-TERM");
    let last = line_with(&service.lines, "left: nothing was under way");

    let refused = refused["message"].as_str().expect("a message");
    assert!(refused.contains("config.toml:2: log.level:"), "{refused}");
    assert_eq!(last["level"], "INFO");
    assert_eq!(service.process.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_written_as_the_settings_say_from_the_hangup_on() {
    let wecom = wecom().await;
    let settings = |format: &str| format!("[log]\nformat = \"{format}\"\n");
    let shell = Shell::new()
        .with_file("config.toml", &settings("json"))
        .with_service(&wecom.base_url());
    let service = shell.serve();
    let asked = || {
        ask(service.callers, "/meetings/gone", "X-Request-Id: r-1\r\n");
        line_saying(&service.lines, "GET /meetings/{meeting_id} 404")
    };
    let parsed = |line: &str| serde_json::from_str::<Value>(line);

    let json = asked();
    let mut shell = shell;
    for (format, is_json) in [("text", false), ("json", true)] {
        shell = shell.with_file("config.toml", &settings(format));
        service.process.signal("-HUP");
        line_saying(&service.lines, "took the settings");
        let line = asked();

        assert_eq!(parsed(&line).is_ok(), is_json, "{line}");
        assert!(line.contains("INFO") && line.contains("r-1"), "{line}");
        assert!(!line.contains('\u{1b}'), "no colours in a pipe: {line}");
    }

    assert_eq!(parsed(&json).expect("JSON")["request.id"], "r-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_next_start_is_told_and_nothing_else_is() {
    let wecom = wecom().await;
    let settings = |max_connections: u32, head_timeout: &str| {
        format!("[server]\nmax_connections = {max_connections}\nhead_timeout = \"{head_timeout}\"")
    };
    let shell = Shell::new()
        .with_file("config.toml", &settings(100, "10s"))
        .with_service(&wecom.base_url());
    let service = shell.serve();

    let _shell = shell.with_file("config.toml", &settings(200, "5s"));
    service.process.signal("-HUP");
    let told: Vec<String> = iter::from_fn(|| service.lines.recv_timeout(LONG).ok())
        .take_while(|line| !line.contains("took the settings"))
        .filter(|line| line.contains("next start"))
        .collect();

    let [told] = &told[..] else {
        panic!("{told:?}");
    };
    let told: Value = serde_json::from_str(told).expect("a line in JSON");
    assert_eq!(
        told["message"],
        "server.max_connections has changed: that takes effect at the next start"
    );
    assert_eq!(told["level"], "WARN");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_the_log_keeps_nobody_waiting() {
    let wecom = wecom().await;
    let service = Shell::new().with_service(&wecom.base_url()).serve_unheard();
    let lost = || {
        let metrics = ask(service.operators, "/metrics", "");
        let name = "\nwecom_proxy_log_lines_lost_total ";
        let (_, rest) = metrics.split_once(name).expect("a sample");
        let number = rest.lines().next().expect("a number");
        number.parse::<f64>().expect("a number")
    };

    // More than a pipe and what waits before it can hold.
    let mut asked = 0;
    while lost() == 0.0 {
        asked += 1_000;
        assert!(asked < 200_000, "nothing was ever lost");
        ask_ahead(service.callers, 1_000);
    }

    assert!(ask(service.callers, "/nowhere", "").starts_with("HTTP/1.1 404"));
}

/// Sends so many requests at once on one connection, and hears all their answers.
fn ask_ahead(door: SocketAddr, times: usize) {
    let mut stream = TcpStream::connect(door).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a limit");
    let mut hearing = stream.try_clone().expect("the other half");
    let listener = std::thread::spawn(move || {
        let mut heard = Vec::new();
        hearing.read_to_end(&mut heard).expect("answers");
        heard
            .windows(12)
            .filter(|window| window == b"HTTP/1.1 404")
            .count()
    });
    let request = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(times - 1);
    let last = "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    stream.write_all(last.as_bytes()).expect("sent");
    assert_eq!(listener.join().expect("heard"), times);
}
