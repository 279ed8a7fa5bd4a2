//! Asks a running service how it is: a container's health check, where there is no shell and no curl.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::tls;
use crate::tls::TlsError;

/// How long to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a service does not pass for healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// It gave no answer in time, or none that is HTTP.
    #[error("no answer from {0}")]
    NoAnswer(Url),
    /// It answered something else than 200.
    #[error("the answer is {0}")]
    Status(u16),
    /// The question could not even be asked.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Where to ask by default, given where operators come in. Who listens everywhere can be found on
/// loopback.
pub fn default_url(admin: SocketAddr) -> Url {
    let ip = match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    url_of(SocketAddr::new(ip, admin.port()))
}

#[expect(
    clippy::expect_used,
    reason = "an address and a constant path always make a URL"
)]
fn url_of(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}/readyz")).expect("a URL")
}

/// Healthy is who answers 200.
#[expect(
    clippy::disallowed_methods,
    reason = "no token is in this URL, and the error is dropped"
)]
pub async fn check(url: Url) -> Result<(), Unhealthy> {
    let no_answer = || Unhealthy::NoAnswer(url.clone());
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::for_clients(None)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(|_| no_answer())?;
    let response = client
        .get(url.clone())
        .send()
        .await
        .map_err(|_| no_answer())?;
    match response.status().as_u16() {
        200 => Ok(()),
        status => Err(Unhealthy::Status(status)),
    }
}
