//! What a caller would rather have: items with weights (RFC 9110, section 12.4.2).

use http::HeaderName;

use super::fields::Fields;

/// What a field such as `Accept` lists: each item's name, and its weight in thousandths. Parameters
/// besides `q` are passed over, and so is an item whose weight is none.
pub(super) fn weighted(
    fields: &(impl Fields + ?Sized),
    name: HeaderName,
) -> impl Iterator<Item = (&str, u16)> {
    let lines = fields.texts(name);
    lines.flat_map(|line| line.split(',')).filter_map(item)
}

fn item(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    Some((name, weight.map_or(Some(1_000), thousandths)?))
}

/// A weight such as `0.8`, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| digits)?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}
