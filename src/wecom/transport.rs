//! Bytes out, bytes in: the only place that sends anything to WeCom.
//!
//! WeCom has us put the secret and the access token into the URL, and `reqwest::Error` prints the
//! URL it failed on. So no such error leaves this file: it becomes a [`Fault`], which keeps the
//! kind and drops the rest. Knows neither tokens nor meetings.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use reqwest::Client;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use url::Url;

use super::Fault;
use super::Settings;
use super::body::Arriving;
use super::body::Bench;
use super::body::Body;
use super::fault::Garbled;
use super::fault::Limit;
use super::fault::Outage;
use crate::clock::Clock;
use crate::setting::Flaw;
use crate::telemetry;
use crate::tls;

/// How long a connection that nobody uses is kept. Shorter than what servers and the boxes in
/// between commonly allow, so that we seldom speak into a connection that is being closed.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(50);

/// The way to WeCom.
pub(super) struct Transport {
    client: Client,
    base_url: Url,
    body_bytes_max: u64,
    bench: Arc<Bench>,
    clock: Clock,
}

/// What WeCom answered, complete and not read yet.
pub(super) struct Reply {
    /// When the question was sent.
    pub(super) asked_at: Instant,
    /// What was answered.
    pub(super) body: Body,
}

impl Transport {
    /// Prepares the way. Sends nothing. Fails on a `ca_file` or a `proxy` that cannot be used.
    pub(super) fn new(settings: &Settings, clock: Clock) -> Result<Self, Flaw> {
        let tls = tls::for_clients(settings.ca_file.as_deref())
            .map_err(|error| Flaw::new("ca_file", error.to_string()))?;
        let mut client = Client::builder()
            .user_agent(concat!("wecom-meeting-proxy/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_CONNECTION_KEPT);
        if let Some(proxy) = &settings.proxy {
            let proxy = reqwest::Proxy::all(proxy.reveal().clone())
                .map_err(|_| Flaw::new("proxy", "cannot be used as a proxy"))?;
            client = client.proxy(proxy);
        }
        let client = client
            .build()
            .map_err(|_| Flaw::new("base_url", "no client can be made for it"))?;
        Ok(Self {
            client,
            base_url: settings.base_url.clone(),
            body_bytes_max: settings.max_response_bytes,
            bench: Bench::new(),
            clock,
        })
    }

    /// Asks with a GET.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, Fault> {
        self.send(self.client.get(self.url(path, query))).await
    }

    /// Asks with a POST of JSON.
    pub(super) async fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        json: Vec<u8>,
    ) -> Result<Reply, Fault> {
        let request = self.client.post(self.url(path, query));
        self.send(request.header(CONTENT_TYPE, "application/json").body(json))
            .await
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!(
            "{}{path}",
            self.base_url.path().trim_end_matches('/')
        ));
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the transport that everybody else goes through"
    )]
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Fault> {
        let asked_at = self.clock.now();
        telemetry::server(
            self.base_url.host_str(),
            self.base_url.port_or_known_default(),
        );
        let response = request.send().await?;
        telemetry::status(response.status().as_u16());
        check_status(response.status())?;
        let body = self.body(response).await?;
        Ok(Reply { asked_at, body })
    }

    /// The whole body, decompressed. Stops reading as soon as it is too large; the connection is
    /// then closed, not used again.
    async fn body(&self, mut response: Response) -> Result<Body, Fault> {
        let mut body = Arriving::new(&self.bench, self.body_bytes_max);
        while let Some(chunk) = response.chunk().await? {
            body.take(&chunk).await?;
        }
        Ok(body.complete())
    }
}

/// WeCom answers 200 even where it says no; any other status comes from something in between, or
/// from a WeCom that is not well.
fn check_status(status: StatusCode) -> Result<(), Fault> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(Fault::rate_limited(Limit::Status429)),
        status if status.is_server_error() => {
            Err(Fault::unavailable(Outage::Status(status.as_u16())))
        }
        status => Err(Fault::Garbled(Garbled::Status(status.as_u16()))),
    }
}

impl From<reqwest::Error> for Fault {
    /// Keeps the kind and drops the rest: a [`reqwest::Error`] prints the URL it failed on, and
    /// WeCom has us put the access token in the URL.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else if causes(&error).any(is_distrust) {
            Self::unavailable(Outage::Distrusted)
        } else if error.is_connect() {
            Self::unavailable(Outage::Unreachable)
        } else if error.is_decode() && !causes(&error).any(is_cut) {
            Self::Garbled(Garbled::NotJson)
        } else {
            Self::unavailable(Outage::Broken)
        }
    }
}

/// What lies behind an error, from the nearest to the farthest.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// Whether the connection broke before the body was complete. A body that is complete and cannot
/// be decompressed is another matter.
fn is_cut(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<hyper::Error>()
}

/// Whether the other side could not show who it is.
fn is_distrust(cause: &(dyn Error + 'static)) -> bool {
    let within = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    let error = cause.downcast_ref::<rustls::Error>().or(within);
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}
