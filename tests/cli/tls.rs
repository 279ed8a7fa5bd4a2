//! TLS, as callers of the real binary find it.

use std::net::SocketAddr;

use rustls::ClientConfig;
use rustls::version::TLS12;
use rustls::version::TLS13;

use crate::certificates::Authority;
use crate::certificates::caller;
use crate::shell::LONG;
use crate::shell::Shell;
use crate::shell::line_with;
use crate::shell::wecom;

/// The status that somebody is told who asks for what is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "a caller of ours, not one of WeCom"
)]
async fn status(caller: ClientConfig, callers: SocketAddr) -> Result<u16, reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(LONG)
        .tls_backend_preconfigured(caller)
        .build()?;
    let url = format!("https://localhost:{}/nowhere", callers.port());
    Ok(client.get(url).send().await?.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_spoken_and_its_certificates_are_renewed_when_it_hangs_up() {
    let wecom = wecom().await;
    let (old, new) = (Authority::called("old"), Authority::called("new"));
    let theirs = Authority::called("theirs");
    let shown = theirs.issue(&["calendar.example.com"]);
    let (certificate, renewed) = (old.issue(&["localhost"]), new.issue(&["localhost"]));
    let mut shell = Shell::new()
        .with_service(&wecom.base_url())
        .with_file("tls.crt", &certificate.certificate.pem())
        .with_file("tls.key", &certificate.key.serialize_pem())
        .with_file("ca.crt", &theirs.pem());
    for (key, file) in [
        ("CERT_FILE", "tls.crt"),
        ("KEY_FILE", "tls.key"),
        ("CLIENT_CA_FILE", "ca.crt"),
    ] {
        shell = shell.with(&format!("WECOM_PROXY_SERVER__TLS__{key}"), file);
    }
    assert_eq!(shell.run(&["check-config"]).stdout, "ok\n");
    let mut service = shell.serve();
    let ask = async |trusted, shown, version| {
        let caller = caller(trusted, shown, &[version]);
        status(caller, service.callers).await
    };

    for version in [&TLS12, &TLS13] {
        let told = ask(&old, Some(&shown), version).await;
        assert_eq!(told.expect("an answer"), 404, "{version:?}");
        assert!(ask(&old, None, version).await.is_err(), "{version:?}");
    }
    let expired = new.issue_as(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let warning = "the certificate that callers are shown has expired";
    for (identity, expected) in [(&expired, Some(warning)), (&renewed, None)] {
        shell = shell
            .with_file("tls.crt", &identity.certificate.pem())
            .with_file("tls.key", &identity.key.serialize_pem());
        service.process.signal("-HUP");
        for line in expected.into_iter().chain(["took the settings"]) {
            line_with(&service.lines, line);
        }
    }
    let told = ask(&new, Some(&shown), &TLS13).await;
    assert_eq!(told.expect("an answer"), 404);
    assert!(ask(&old, Some(&shown), &TLS13).await.is_err());

    service.process.signal("-TERM");
    assert_eq!(service.process.code(), Some(0));
    assert_eq!(shell.with_file("tls.key", "").run(&[]).code, Some(2));
}
