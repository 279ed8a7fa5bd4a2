//! A house to test: the service as it is, with its doors open, and a WeCom of its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::Method;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wecom_meeting_proxy::app::App;
use wecom_meeting_proxy::app::Rereading;
use wecom_meeting_proxy::clock::Clock;
use wecom_meeting_proxy::config;
use wecom_meeting_proxy::config::Sources;
use wecom_meeting_proxy::dice::Chance;
use wecom_meeting_proxy::dice::Dice;
use wecom_meeting_proxy::telemetry::Tracer;
use wecom_simulator::DEFAULT_CORP_ID;
use wecom_simulator::DEFAULT_SECRET;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::World;

/// Longest wait for anything that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The service, and what is around it. Closed when dropped.
pub(crate) struct House {
    pub(crate) wecom: Simulator,
    pub(crate) clock: Clock,
    pub(crate) callers: SocketAddr,
    pub(crate) operators: SocketAddr,
    pub(crate) leave: CancellationToken,
    /// Rung to have the settings read again.
    pub(crate) bell: Arc<Notify>,
    pub(crate) serving: Option<JoinHandle<()>>,
    client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body, where it is text.
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
    }

    /// `Cache-Status`, read as RFC 9651 has it: our one member's parameters, in their order.
    pub(crate) fn cache_status(&self) -> String {
        let field = self
            .header("cache-status")
            .unwrap_or_else(|| panic!("told: {self:?}"));
        let list: sfv::List = sfv::Parser::new(field).parse().expect("a structured field");
        let [sfv::ListEntry::Item(member)] = &list[..] else {
            panic!("one member: {field}");
        };
        let name = member.bare_item.as_token().map(sfv::TokenRef::as_str);
        assert_eq!(name, Some("wecom-meeting-proxy"), "{field}");
        let has = |name: &str| member.params.contains_key(name);
        assert!(
            has("hit") != has("fwd"),
            "either a hit or forwarded: {field}"
        );
        field.trim_start_matches("wecom-meeting-proxy; ").to_owned()
    }

    /// The status, and the code of the problem if it is one.
    pub(crate) fn outcome(&self) -> (u16, String) {
        let is_problem = self.header("content-type") == Some("application/problem+json");
        let code = is_problem.then(|| self.json()["code"].as_str().expect("a code").to_owned());
        (self.status.as_u16(), code.unwrap_or_default())
    }
}

/// A clock that stands still, on a Monday morning.
pub(crate) fn morning() -> Clock {
    let morning: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
    Clock::standing_at(morning)
}

impl House {
    /// A house with the default settings, and a clock that stands still.
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// A house with these settings, by key, and a clock that stands still.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        Self::around(wecom, settings, morning())
    }

    /// A house with these settings around that WeCom, and that clock.
    pub(crate) fn around(wecom: Simulator, settings: &[(&str, &str)], clock: Clock) -> Self {
        let base_url = wecom.base_url();
        let ours = [
            ("server.listen", "127.0.0.1:0"),
            ("admin.listen", "127.0.0.1:0"),
            ("wecom.base_url", base_url.as_str()),
        ];
        let variable = |key: &str| format!("WECOM_PROXY_{}", key.replace('.', "__").to_uppercase());
        let mut variables: Vec<(OsString, OsString)> = ours
            .iter()
            .chain(settings)
            .map(|(key, value)| (variable(key).into(), (*value).into()))
            .collect();
        if !settings
            .iter()
            .any(|(key, _)| key.starts_with("wecom.apps"))
        {
            variables.push(("WECOM_CORP_ID".into(), DEFAULT_CORP_ID.into()));
            variables.push(("WECOM_SECRET".into(), DEFAULT_SECRET.into()));
        }
        Self::of(
            wecom,
            Sources {
                file: None,
                variables,
            },
            clock,
        )
    }

    /// A house with these settings around that WeCom, and that clock.
    pub(crate) fn of(wecom: Simulator, sources: Sources, clock: Clock) -> Self {
        let checked =
            config::load(&sources).unwrap_or_else(|faults| panic!("good settings: {faults:?}"));
        let rereading = Rereading { sources, log: None };
        let chance = Chance {
            clock: clock.clone(),
            dice: Dice::loaded(0.5),
        };
        let app = App::open(checked, rereading, chance, Tracer::default()).expect("open doors");
        let leave = CancellationToken::new();
        Self {
            wecom,
            clock,
            callers: app.callers_address(),
            operators: app.operators_address(),
            bell: app.bell(),
            serving: Some(tokio::spawn(app.serve(leave.clone()))),
            leave,
            client: reqwest::Client::builder()
                .no_proxy()
                .gzip(false)
                .redirect(reqwest::redirect::Policy::none())
                .timeout(SOON)
                .tls_backend_preconfigured(
                    wecom_meeting_proxy::tls::for_clients(None).expect("TLS"),
                )
                .build()
                .expect("a client"),
        }
    }

    /// Has WeCom know a meeting of that name, number and title, to come.
    pub(crate) fn given_meeting(&self, id: &str, code: &str, title: &str) {
        let info = serde_json::json!({"title": title, "status": 1, "meeting_code": code});
        self.wecom.put_meeting(Meeting::new(id, code, info));
    }

    /// Has WeCom know a meeting of that name whose answer does not fit on the way to a slow reader.
    /// How many bytes it has at least.
    pub(crate) fn given_long_meeting(&self, id: &str) -> usize {
        self.given_meeting_of(id, 3_000_000)
    }

    /// Has WeCom know a meeting of that name whose answer has more than so many bytes. How many.
    pub(crate) fn given_meeting_of(&self, id: &str, bytes: usize) -> usize {
        let description = "x".repeat(bytes);
        let info = serde_json::json!({"title": "Long", "status": 1, "description": description});
        self.wecom.put_meeting(Meeting::new(id, "446153273", info));
        description.len()
    }

    /// Turns our clock and WeCom's.
    pub(crate) fn advance(&self, by: Duration) {
        self.wecom.advance(by);
        self.clock.advance(by);
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, path, headers).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        send(&self.client, self.callers, method, path, headers).await
    }

    pub(crate) async fn ask_operator(&self, path: &str) -> Reply {
        send(&self.client, self.operators, Method::GET, path, &[]).await
    }

    pub(crate) async fn ask_operator_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        send(&self.client, self.operators, Method::GET, path, headers).await
    }

    pub(crate) async fn order_operator(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        send(&self.client, self.operators, method, path, headers).await
    }

    pub(crate) async fn purge(&self, path: &str) -> Reply {
        self.order_operator(Method::DELETE, path, &[]).await
    }

    /// A request under way, that needs no house any more.
    pub(crate) fn asking(&self, path: &str) -> impl Future<Output = Reply> + Send + use<> {
        self.asking_with(path, &[])
    }

    /// The same, with these header fields.
    pub(crate) fn asking_with(
        &self,
        path: &str,
        headers: &'static [(&str, &str)],
    ) -> impl Future<Output = Reply> + Send + use<> {
        let (client, callers, path) = (self.client.clone(), self.callers, path.to_owned());
        async move { send(&client, callers, Method::GET, &path, headers).await }
    }

    /// Sends all of these at once, each on a connection of its own if need be.
    pub(crate) async fn get_at_once(&self, paths: impl IntoIterator<Item = String>) -> Vec<Reply> {
        self.asking_at_once(paths).await
    }

    /// Requests under way, that need no house any more. Their answers come in the order of the paths.
    pub(crate) fn asking_at_once<P: IntoIterator<Item = String>>(
        &self,
        paths: P,
    ) -> impl Future<Output = Vec<Reply>> + Send + use<P> {
        let asking: Vec<_> = paths
            .into_iter()
            .map(|path| tokio::spawn(self.asking(&path)))
            .collect();
        async move {
            let mut replies = Vec::new();
            for reply in asking {
                replies.push(reply.await.expect("a reply"));
            }
            replies
        }
    }

    /// What comes back for these bytes, up to the end of the connection.
    pub(crate) async fn say(&self, bytes: &[u8]) -> String {
        String::from_utf8(self.say_bytes(bytes).await).expect("text")
    }

    /// The same, whatever bytes it is.
    pub(crate) async fn say_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.callers)
            .await
            .expect("a connection");
        stream.write_all(bytes).await.expect("sent");
        let mut heard = Vec::new();
        let hearing = tokio::time::timeout(SOON, stream.read_to_end(&mut heard)).await;
        hearing
            .expect("the connection is closed in time")
            .expect("read");
        heard
    }

    /// Waits until something is so that happens in the background.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + SOON;
        while !is_so(self).await {
            assert!(
                tokio::time::Instant::now() < deadline,
                "in vain waited until {what}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A connection of one who takes little at a time.
pub(crate) async fn slow_reader_of(house: &House) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 * 1024).expect("small");
    socket.connect(house.callers).await.expect("a connection")
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a caller of ours, not one of WeCom"
)]
async fn send(
    client: &reqwest::Client,
    to: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Reply {
    let mut request = client.request(method, format!("http://{to}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.expect("a body").to_vec();
    let text = String::from_utf8(body.clone()).unwrap_or_default();
    Reply {
        status,
        headers,
        body,
        text,
    }
}
