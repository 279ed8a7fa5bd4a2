//! On the way to WeCom: who cannot show that it is WeCom is told nothing.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// Somebody who stands before WeCom and opens TLS with a certificate of its own.
struct Between {
    base_url: String,
    /// Those who went on once they had seen it.
    taken_in: Arc<AtomicUsize>,
    _passing_on: AbortOnDropHandle<()>,
}

impl Between {
    async fn stand_before(wecom: &Simulator, shown: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let behind = wecom.base_url().replace("http://", "");
        let acceptor = acceptor(shown);
        let taken_in = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&taken_in);
        let passing_on = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut opened) = acceptor.accept(stream).await else {
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                let mut wecom = TcpStream::connect(&behind).await.expect("WeCom");
                // Whoever hangs up first.
                tokio::spawn(async move {
                    let _ = tokio::io::copy_bidirectional(&mut opened, &mut wecom).await;
                });
            }
        });
        Self {
            base_url: format!("https://localhost:{port}"),
            taken_in,
            _passing_on: AbortOnDropHandle::new(passing_on),
        }
    }
}

fn acceptor(shown: &Identity) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth();
    let chain = vec![shown.certificate.der().clone()];
    let key = PrivatePkcs8KeyDer::from(shown.key.serialize_der());
    let config = config.with_single_cert(chain, key.into());
    TlsAcceptor::from(Arc::new(config.expect("a certificate")))
}

#[tokio::test]
async fn who_cannot_show_that_it_is_wecom_is_told_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (trusted, other) = (Authority::called("egress"), Authority::called("other"));
    fs::write(folder.path().join("ca.crt"), trusted.pem()).expect("a file");
    let ca_file = path(folder.path(), "ca.crt");
    for (case, shown, settings, is_taken) in [
        (
            "ours",
            trusted.issue(&["localhost"]),
            &[("wecom.ca_file", &*ca_file)][..],
            true,
        ),
        (
            "another name's",
            trusted.issue(&["example.com"]),
            &[("wecom.ca_file", &*ca_file)],
            false,
        ),
        (
            "another authority's",
            other.issue(&["localhost"]),
            &[("wecom.ca_file", &*ca_file)],
            false,
        ),
        ("nobody's", trusted.issue(&["localhost"]), &[], false),
    ] {
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        let between = Between::stand_before(&wecom, &shown).await;
        let settings = [&[("wecom.base_url", &*between.base_url)], settings].concat();
        let house = House::around(wecom, &settings, morning());
        house.given_meeting("m1", "446153273", "Standup");

        let reply = house.get("/meetings/m1").await;

        let expected = if is_taken {
            (200, "")
        } else {
            (503, "wecom_unavailable")
        };
        assert_eq!(
            reply.outcome(),
            (expected.0, expected.1.to_owned()),
            "{case}"
        );
        let hits = house.wecom.hits();
        assert_eq!(
            (hits.gettoken > 0, hits.get_info > 0),
            (is_taken, is_taken),
            "{case}"
        );
        assert_eq!(
            between.taken_in.load(Ordering::Relaxed) > 0,
            is_taken,
            "{case}"
        );
    }
}
