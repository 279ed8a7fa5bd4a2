//! The handle by which a test holds a WeCom. Knows nothing that the rooms below do not.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::guarded::Guarded;
use crate::ledger::Asked;
use crate::ledger::Hits;
use crate::protocol::Api;
use crate::server;
use crate::state::State;
use crate::tokens::Tokens;
use crate::trouble::Trouble;
use crate::trouble::Troubles;
use crate::visits::Connections;
use crate::visits::Visit;
use crate::world::App;
use crate::world::Listed;
use crate::world::Meeting;
use crate::world::World;

/// A running WeCom. Clones hold the same one; it stops when the last is dropped.
#[derive(Clone, Debug)]
pub struct Simulator(Arc<Running>);

#[derive(Debug)]
struct Running {
    address: SocketAddr,
    state: Arc<State>,
    serving: Guarded<Option<JoinHandle<()>>>,
}

impl Simulator {
    /// Starts on loopback, at a port that was free. It is reachable once this returns.
    pub async fn start(world: World) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), world).await
    }

    /// Starts at this address.
    #[expect(
        clippy::unused_async,
        reason = "it needs the runtime that only an async caller is sure to have"
    )]
    pub async fn start_at(address: SocketAddr, world: World) -> io::Result<Self> {
        let listener = server::listen(address)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(world));
        let serving = tokio::spawn(server::run(listener, Arc::clone(&state)));
        Ok(Self(Arc::new(Running {
            address,
            state,
            serving: Guarded::new(Some(serving)),
        })))
    }

    /// Stops, whoever else holds it. Once this returns, nobody can connect any more; dropping the
    /// last handle does the same, but a moment later.
    pub async fn stop(self) {
        let serving = self.0.serving.with(Option::take);
        if let Some(serving) = serving {
            serving.abort();
            // It ends as an aborted task does, and that is what was wanted.
            let _ = serving.await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Where its paths begin, without a closing slash: `http://127.0.0.1:40000`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Puts an app there, unless it is there.
    pub fn put_app(&self, app: App) {
        self.0.state.world.with(|world| world.put_app(app));
    }

    /// See [`World::set_secret`].
    pub fn set_secret(&self, corp_id: &str, old: &str, new: &str) {
        let state = &self.0.state;
        state
            .world
            .with(|world| world.set_secret(corp_id, old, new));
    }

    /// See [`World::put_meeting`].
    pub fn put_meeting(&self, meeting: Meeting) {
        let state = &self.0.state;
        state.world.with(|world| world.put_meeting(meeting));
    }

    /// See [`World::put_raw`].
    pub fn put_raw(&self, id_or_code: impl Into<String>, answer: impl Into<Bytes>) {
        let state = &self.0.state;
        state.world.with(|world| world.put_raw(id_or_code, answer));
    }

    /// See [`World::remove_meeting`].
    pub fn remove_meeting(&self, id: &str) {
        self.0.state.world.with(|world| world.remove_meeting(id));
    }

    /// Every meeting, by id.
    pub fn meetings(&self) -> Vec<Listed> {
        self.0.state.world.with(|world| world.listed())
    }

    /// Puts an API into trouble, in place of the one it was in. Requests already under way keep
    /// the trouble that they ran into.
    pub fn set_trouble(&self, api: Api, trouble: Trouble) {
        let state = &self.0.state;
        state.troubles.with(|troubles| troubles.set(api, trouble));
    }

    /// All is well again, for requests from now on.
    pub fn clear_troubles(&self) {
        let state = &self.0.state;
        state.troubles.with(|all| *all = Troubles::default());
    }

    /// Makes every token that was issued so far unknown (40014).
    pub fn revoke_tokens(&self) {
        self.0.state.tokens.with(Tokens::revoke_all);
    }

    /// Turns the clock forward: tokens grow old and meetings begin. Waits (latency, drips) do not
    /// get shorter by it.
    pub fn advance(&self, by: Duration) {
        self.0.state.clock.advance(by);
    }

    /// What its clock says, since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.0.state.clock.now()
    }

    /// How often it was asked.
    pub fn hits(&self) -> Hits {
        self.0.state.ledger.hits()
    }

    /// How often `get_info` was asked for this `meetingid`, or for this `meeting_code`.
    pub fn get_info_by(&self, id_or_code: &str) -> u64 {
        self.0.state.ledger.hits_of(id_or_code)
    }

    /// The last hundred requests at `get_info`, oldest first.
    pub fn get_info_requests(&self) -> Vec<Asked> {
        self.0.state.ledger.asked()
    }

    /// The most requests at `get_info` that were under way at once: read, and their answer not
    /// yet given to the last byte. A client that hung up is gone once the simulator notices.
    pub fn peak_in_flight(&self) -> u64 {
        self.0.state.ledger.peak_in_flight()
    }

    /// The last ten thousand requests at either API, in the order in which they came.
    pub fn visits(&self) -> Vec<Visit> {
        self.0.state.ledger.visits()
    }

    /// How many connections there are, and were.
    pub fn connections(&self) -> Connections {
        self.0.state.ledger.connections()
    }

    /// How often somebody came where [`Trouble::redirect`] leads.
    pub fn redirects_followed(&self) -> u64 {
        self.0.state.ledger.redirects_followed()
    }

    /// Starts counting again, and forgets the requests on record.
    pub fn reset_counters(&self) {
        self.0.state.ledger.reset();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.with(Option::take) {
            serving.abort();
        }
    }
}
