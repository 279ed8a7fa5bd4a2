//! Who is on a connection: where they came from, and how they are answered, whatever they speak.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use tokio_util::sync::CancellationToken;

use super::access::Origin;
use super::front::Arrival;
use super::front::Front;
use super::head::Verdict;

/// Who is on a connection.
pub(super) struct Guest {
    pub(super) front: Arc<Front>,
    pub(super) origin: Origin,
    /// Why each of their requests is refused, however good its head.
    pub(super) turned_away: Option<Verdict>,
    /// Whether HTTP/2 is spoken with them, if that is what they begin with.
    pub(super) http2: bool,
    /// The end of the house.
    pub(super) stop: CancellationToken,
}

impl Guest {
    /// Answers a request; or says why its head was refused.
    pub(super) async fn answer(
        &self,
        mut request: Request<()>,
        refused: Option<Verdict>,
    ) -> Response<Bytes> {
        let arrival = Arrival {
            request: &mut request,
            origin: &self.origin,
            refused: refused.or(self.turned_away),
        };
        self.front.answer(arrival).await
    }
}
