//! Callers who are known by the certificate they show.

use super::*;
use crate::access::digest;

/// `calendar` is known by two names and a key, `kiosk` by one name, `gateway` by its key alone.
async fn house(settings: &[(&str, &str)]) -> Secured {
    let callers = format!(
        r#"[
            {{name = "calendar", tls_san = ["spiffe://example.com/calendar", "calendar.example.com"], key_sha256 = "{}", reveal = ["secrets"]}},
            {{name = "kiosk", tls_san = ["kiosk.example.com"]}},
            {{name = "gateway", key_sha256 = "{}"}},
        ]"#,
        digest("calendar-key"),
        digest("gateway-key"),
    );
    let mut all = vec![("access.callers", callers.as_str())];
    all.extend(settings);
    Secured::demanding(&all).await
}

/// The status, and whether secrets are withheld, for one with these names who says that besides.
async fn told(secured: &Secured, names: &[&str], fields: &str) -> (u16, bool) {
    let shown = secured.theirs.issue(names);
    let ask = ASK.replacen("\r\n\r\n", &format!("\r\n{fields}\r\n"), 1);
    let answer = secured.say(secured.caller(Some(&shown)), &ask).await;
    let answer = answer.expect("an answer");
    let status = answer.split(' ').nth(1).expect("a status");
    let withheld = answer.contains("\"settings.password\"");
    (status.parse().expect("a number"), withheld)
}

#[tokio::test]
async fn a_caller_is_known_by_a_name_in_its_certificate() {
    let secured = house(&[]).await;
    for (names, expected) in [
        (&["spiffe://example.com/calendar"][..], (200, false)),
        (&["calendar.example.com"], (200, false)),
        (&["Calendar.Example.COM"], (200, false)),
        (
            &["other", "calendar.example.com", "spiffe://x/y"],
            (200, false),
        ),
        (
            &["calendar.example.com", "spiffe://example.com/calendar"],
            (200, false),
        ),
        (&["kiosk.example.com"], (200, true)),
        (&["kiosk.example.com", "calendar.example.com"], (401, false)),
        (&["spiffe://example.com/Calendar"], (401, false)),
        (&["*.example.com"], (401, false)),
        (&["gateway"], (401, false)),
        (&[], (401, false)),
    ] {
        assert_eq!(told(&secured, names, "").await, expected, "{names:?}");
    }
}

#[tokio::test]
async fn a_key_counts_before_the_certificate_even_against_it() {
    let secured = house(&[]).await;
    let kiosk = &["kiosk.example.com"][..];
    for (names, fields, expected) in [
        (
            kiosk,
            "Authorization: Bearer calendar-key\r\n",
            (200, false),
        ),
        (kiosk, "Authorization: Bearer wrong\r\n", (401, false)),
        (kiosk, "Authorization: Basic a2lvc2s=\r\n", (401, false)),
        (
            &["nobody"],
            "Authorization: Bearer gateway-key\r\n",
            (200, true),
        ),
        (&[], "Authorization: Bearer gateway-key\r\n", (200, true)),
    ] {
        let told = told(&secured, names, fields).await;
        assert_eq!(told, expected, "{names:?} {fields:?}");
    }
}

#[tokio::test]
async fn where_anybody_may_ask_any_certificate_that_is_vouched_for_will_do() {
    let secured = Secured::demanding(&[]).await;

    assert_eq!(told(&secured, &["whoever"], "").await, (200, true));
}
