//! A trouble as JSON orders it. Knows not what becomes of it.

use std::time::Duration;

use serde::Deserialize;

use crate::trouble::Trouble;

/// A trouble, by its kind and by what belongs to that kind.
///
/// Any kind may have `times` (else it lasts until it is cleared) and `latency_ms`.
///
/// | `kind`       | needs      | may have                            |
/// |--------------|------------|-------------------------------------|
/// | `array`      |            |                                     |
/// | `drip`       | `every_ms` | `forever`                           |
/// | `errcode`    | `errcode`  |                                     |
/// | `gzip_bomb`  | `bytes`    |                                     |
/// | `hang`       |            |                                     |
/// | `html`       |            | `status`, else 200                  |
/// | `huge`       | `bytes`    |                                     |
/// | `latency`    |            |                                     |
/// | `raw`        | `body`     |                                     |
/// | `redirect`   |            | `to`, else a path that counts hits  |
/// | `reset`      |            |                                     |
/// | `same_token` |            |                                     |
/// | `status`     | `status`   |                                     |
/// | `truncated`  |            |                                     |
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    kind: OrderKind,
    body: Option<String>,
    bytes: Option<u64>,
    errcode: Option<i32>,
    every_ms: Option<u64>,
    #[serde(default)]
    forever: bool,
    #[serde(default)]
    latency_ms: u64,
    status: Option<u16>,
    times: Option<u64>,
    to: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OrderKind {
    Array,
    Drip,
    Errcode,
    GzipBomb,
    Hang,
    Html,
    Huge,
    Latency,
    Raw,
    Redirect,
    Reset,
    SameToken,
    Status,
    Truncated,
}

impl Order {
    /// The trouble that is ordered, or what is missing.
    pub(super) fn trouble(self) -> Result<Trouble, String> {
        let trouble = self.kind_of_trouble()?;
        let trouble = trouble.with_latency(Duration::from_millis(self.latency_ms));
        Ok(match self.times {
            Some(times) => trouble.times(times),
            None => trouble,
        })
    }

    fn kind_of_trouble(&self) -> Result<Trouble, String> {
        Ok(match self.kind {
            OrderKind::Array => Trouble::array(),
            OrderKind::Drip => self.drip()?,
            OrderKind::Errcode => Trouble::errcode(needed("errcode", self.errcode)?),
            OrderKind::GzipBomb => Trouble::gzip_bomb(needed("bytes", self.bytes)?),
            OrderKind::Hang => Trouble::hang(),
            OrderKind::Html => Trouble::html_with_status(real(self.status.unwrap_or(200))?),
            OrderKind::Huge => Trouble::huge(needed("bytes", self.bytes)?),
            OrderKind::Latency => Trouble::latency(Duration::ZERO),
            OrderKind::Raw => Trouble::raw(needed("body", self.body.clone())?),
            OrderKind::Redirect => self.redirect(),
            OrderKind::Reset => Trouble::reset(),
            OrderKind::SameToken => Trouble::same_token(),
            OrderKind::Status => Trouble::status(real(needed("status", self.status)?)?),
            OrderKind::Truncated => Trouble::truncated(),
        })
    }

    fn drip(&self) -> Result<Trouble, String> {
        let every = Duration::from_millis(needed("every_ms", self.every_ms)?);
        Ok(if self.forever {
            Trouble::drip_forever(every)
        } else {
            Trouble::drip(every)
        })
    }

    fn redirect(&self) -> Trouble {
        match &self.to {
            Some(to) => Trouble::redirect_to(to),
            None => Trouble::redirect(),
        }
    }
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("this kind of trouble needs `{name}`"))
}

/// A status below 200 is not an answer yet, and none is above 999.
fn real(status: u16) -> Result<u16, String> {
    if (200..=999).contains(&status) {
        return Ok(status);
    }
    Err(format!("no answer has the status {status}"))
}
