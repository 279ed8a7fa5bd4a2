//! A WeCom small enough to hold in the hand.
//!
//! It speaks HTTP/1.1 on loopback, counts what it is asked, can be put into trouble, and has a
//! clock that tests turn. It knows two of WeCom's APIs, `gettoken` and `meeting/get_info`, as far
//! as they are documented and have been observed. It knows nothing of who asks, and shares no type
//! with anybody: what a client believes about WeCom is tested against bytes on a socket.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use serde_json::json;
//! use wecom_simulator::{Api, Meeting, Simulator, Trouble, World};
//!
//! let wecom = Simulator::start(World::empty()).await?;
//! wecom.put_meeting(Meeting::new("mt1", "446153273", json!({ "title": "Stand-up" })));
//! wecom.set_trouble(Api::GetInfo, Trouble::errcode(45009).times(3));
//! # assert_eq!(wecom.hits().get_info, 0);
//! # Ok(())
//! # }
//! ```

mod clock;
mod control;
mod guarded;
mod ledger;
mod protocol;
mod reply;
mod server;
mod simulator;
mod state;
mod tokens;
mod trouble;
mod visits;
mod wecom;
mod world;

pub use crate::ledger::Asked;
pub use crate::ledger::Hits;
pub use crate::protocol::Api;
pub use crate::protocol::EGRESS_ADDRESS;
pub use crate::protocol::HINT;
pub use crate::simulator::Simulator;
pub use crate::tokens::TOKEN_PREFIX;
pub use crate::trouble::Trouble;
pub use crate::visits::Connections;
pub use crate::visits::End;
pub use crate::visits::Outcome;
pub use crate::visits::Visit;
pub use crate::world::App;
pub use crate::world::DEFAULT_CORP_ID;
pub use crate::world::DEFAULT_SECRET;
pub use crate::world::Listed;
pub use crate::world::Meeting;
pub use crate::world::World;
