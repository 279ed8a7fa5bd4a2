//! A system that gives us few descriptors.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use wecom_simulator::Meeting;

use crate::shell::A_MOMENT;
use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::nobody;
use crate::shell::wecom;

/// Too few for more than some forty connections.
const FEW: u64 = 64;

/// What a caller hears who asks once.
fn ask(door: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(door).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).expect("an answer");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn when_descriptors_run_out_it_waits_for_some_and_serves_on() {
    let wecom = wecom().await;
    let info = serde_json::json!({"title": "Standup", "status": 1});
    wecom.put_meeting(Meeting::new("m1", "446153273", info));
    let service = Shell::new().with_service(&wecom.base_url()).serve();
    // It has seen to what it was given at the start: this comes as a surprise.
    service.process.limit_descriptors(FEW);

    let crowd: Vec<TcpStream> = (0..2 * FEW)
        .map(|_| TcpStream::connect(service.callers).expect("a connection"))
        .collect();
    line_with(&service.lines, "no connection could be accepted");
    let (began, before) = (Instant::now(), service.process.busy());
    let line = line_with(&service.lines, "no connection could be accepted");
    let (took, busy) = (began.elapsed(), service.process.busy());
    let busy = busy.saturating_sub(before);
    drop(crowd);
    // WeCom's connection needs one too, and those of the crowd are given back one after another.
    let is_served = |_| {
        let answer = ask(service.callers, "/meetings/m1");
        let served = answer.starts_with("HTTP/1.1 200") && answer.contains("Standup");
        if !served {
            thread::sleep(A_MOMENT);
        }
        served
    };
    let served = (0..1_000).any(is_served);

    let times = line["times"].as_u64().expect("how often");
    assert!((2..=11).contains(&times), "in a second: {line}");
    assert!(took >= Duration::from_millis(900), "again after {took:?}");
    assert!(busy < took / 5, "busy for {busy:?} of {took:?}");
    assert!(served, "never served again");
}

#[test]
fn callers_who_stay_leave_descriptors_for_operators() {
    let shell = Shell::new().with_service(&nobody());
    let service = shell.with_descriptors(80).serve();

    // As long as a head may take, they hold what they have.
    let _crowd: Vec<TcpStream> = (0..150)
        .map(|_| TcpStream::connect(service.callers).expect("a connection"))
        .collect();

    for _ in 0..20 {
        let began = Instant::now();
        let answer = ask(service.operators, "/livez");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "after {took:?}");
        thread::sleep(A_MOMENT);
    }
}

#[test]
fn no_more_callers_are_served_at_a_time_than_there_are_descriptors_for() {
    let shell = Shell::new()
        .with_service(&nobody())
        .with("WECOM_PROXY_WECOM__MAX_IN_FLIGHT", "10");
    let service = shell.with_descriptors(200).serve();
    let line = line_with(&service.lines, "callers at a time are served");

    // They stay.
    let mut guests = Vec::new();
    let answer = loop {
        let mut stream = TcpStream::connect(service.callers).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a limit");
        let head = b"HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(head).expect("sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        if &status != b"HTTP/1.1 404" {
            break status;
        }
        guests.push(stream);
    };

    assert_eq!(&answer, b"HTTP/1.1 503");
    assert_eq!(line["callers"], guests.len(), "{line}");
    assert_eq!(
        line["message"],
        format!(
            "no more than {} callers at a time are served, instead of 10000: there are not enough \
             descriptors for more connections",
            guests.len()
        )
    );
    assert!(guests.len() > 50, "only {}", guests.len());
}

#[test]
fn a_limit_that_is_too_low_is_told_with_both_numbers() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    // It ends by itself, as it finds no door.
    let shell = || {
        Shell::new()
            .with_service(&nobody())
            .with("WECOM_PROXY_SERVER__LISTEN", &taken)
            .with("WECOM_PROXY_SERVER__MAX_CONNECTIONS", "1000")
            .with("WECOM_PROXY_WECOM__MAX_IN_FLIGHT", "10")
    };

    let low = shell().with_descriptors(512).run(&[]).stderr;
    let enough = shell().with_descriptors(1_650).run(&[]).stderr;

    // Callers, operators, those turned away at both doors, WeCom, and some of our own.
    let needed = 1_000 + 64 + 2 * 256 + 10 + 64;
    let told = format!("up to {needed} descriptors are needed and the system gives us 512");
    assert_eq!(low.matches(&told).count(), 1, "{low}");
    assert!(!enough.contains("descriptors"), "{enough}");
}

#[test]
fn the_limit_that_can_be_raised_is_raised() {
    let shell = Shell::new().with_service(&nobody());
    let service = shell.with_soft_descriptors(FEW).serve();

    let limits = service.process.limits();

    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<&str> = line.expect("a limit").split_whitespace().skip(3).collect();
    assert_ne!(numbers[0], FEW.to_string());
    assert_eq!(numbers[0], numbers[1], "soft and hard");
}
