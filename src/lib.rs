//! Meeting details from WeCom (企业微信) for internal services: one token, one cache, one JSON.
//!
//! One request goes down once and comes back once:
//!
//! ```text
//! http::meetings::by_id      text      -> MeetingId
//!   service::lookup          Question  -> Finding, from memory if that will do
//!     cache::board           one flight, however many callers wait or hang up
//!       wecom::meeting       Question  -> Meeting, or the news that there is none
//!         token              a token that WeCom accepts
//!         transport          bytes out, bytes in; limits
//!         wire::normalise    WeCom's shape -> ours, the only change of clothes on the way
//!         meeting::view      Meeting   -> finished bytes, one body per view
//! http::meetings::dress      Finding   -> this caller's view, with Age and Cache-Control
//! ```
//!
//! Rooms stand on the rooms below them, never the other way; `tests/architecture.rs` holds the
//! table of floors.

pub mod app;
pub mod cache;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod dice;
pub mod digest;
pub mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod healthcheck;
pub mod http;
pub mod logging;
#[cfg(feature = "measuring")]
#[doc(hidden)]
pub mod measuring;
pub mod meeting;
pub mod metrics;
pub mod pace;
pub mod pages;
pub mod places;
pub mod repeat;
pub mod service;
pub mod setting;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod wecom;
