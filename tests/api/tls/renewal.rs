//! Certificates that are replaced while the house is open.

use std::time::Duration;

use super::*;

/// What is shown to somebody who connects.
async fn shown(secured: &Secured, trusted: &Authority) -> std::io::Result<Vec<u8>> {
    let stream = secured.connect(caller(trusted, None, &VERSIONS)).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    Ok(certificates.expect("a certificate")[0].to_vec())
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_who_comes_next_and_connections_go_on() {
    let secured = Secured::with(&[]).await;
    let mut open = secured
        .connect(secured.caller(None))
        .await
        .expect("a place");
    head_of_answer(&mut open).await;
    let new = secured.ours.issue(&["localhost"]);

    put(&new, secured.folder.path());
    let is_shown = async |house: &House| {
        // The files are looked at.
        house.clock.advance(Duration::from_secs(30));
        shown(&secured, &secured.ours).await.expect("one") == new.certificate.der().to_vec()
    };
    secured.house.until("it is shown", is_shown).await;

    assert!(head_of_answer(&mut open).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn who_vouches_for_callers_can_be_replaced() {
    let secured = Secured::demanding(&[]).await;
    let others = Authority::called("others");
    let old = secured.caller(Some(&secured.theirs.issue(&["a"])));
    let new = secured.caller(Some(&others.issue(&["a"])));
    assert!(!secured.is_refused(old.clone()).await);
    assert!(secured.is_refused(new.clone()).await);
    let mut open = secured.connect(old.clone()).await.expect("a place");
    head_of_answer(&mut open).await;

    fs::write(secured.file("ca.crt"), others.pem()).expect("written");
    secured.house.bell.notify_one();
    let is_let_in = async |_: &House| !secured.is_refused(new.clone()).await;
    secured.house.until("others are let in", is_let_in).await;

    assert!(secured.is_refused(old).await);
    assert!(head_of_answer(&mut open).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_certificate_that_is_no_good_changes_nothing_and_a_good_one_after_it_is_taken() {
    let secured = Secured::with(&[]).await;
    let old = shown(&secured, &secured.ours).await.expect("one");
    let new = secured.ours.issue(&["localhost"]);
    for (certificate, key) in [
        ("nonsense".to_owned(), new.key.serialize_pem()),
        (new.certificate.pem(), "nonsense".to_owned()),
        // As when the files are read while they are being replaced.
        (
            new.certificate.pem(),
            secured.ours.issue(&["x"]).key.serialize_pem(),
        ),
    ] {
        fs::write(secured.file("tls.crt"), certificate).expect("written");
        fs::write(secured.file("tls.key"), key).expect("written");
        secured.house.bell.notify_one();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(shown(&secured, &secured.ours).await.expect("one"), old);
    }

    put(&new, secured.folder.path());
    let is_shown = async |house: &House| {
        house.clock.advance(Duration::from_secs(30));
        shown(&secured, &secured.ours).await.expect("one") == new.certificate.der().to_vec()
    };
    secured.house.until("the good one is shown", is_shown).await;
}

#[tokio::test]
async fn an_own_certificate_that_has_expired_is_shown_all_the_same() {
    let secured = Secured::with(&[]).await;
    let expired = secured.ours.issue_as(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
    });
    put(&expired, secured.folder.path());

    secured.house.bell.notify_one();

    // Who minds does not take it: that is theirs to say.
    let is_refused = async |_: &House| shown(&secured, &secured.ours).await.is_err();
    secured.house.until("it is shown", is_refused).await;
}
