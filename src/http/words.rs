//! Values of header fields, put together of words and numbers.
//!
//! Every answer has some that tell its age: they are written where they stand, with nothing in
//! between.

use http::HeaderValue;

/// Bytes of the longest value that is put together here.
const BYTES_MAX: usize = 128;

/// Words that become the value of a header field. Words of ours: visible, and few.
pub(super) struct Words {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; BYTES_MAX],
            length: 0,
        }
    }

    /// Adds this word. One for which there is no room is left out.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds this number, in decimal digits.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }

    /// Adds these bytes, in hexadecimal digits.
    pub(super) fn hexadecimal<const N: usize>(&mut self, bytes: [u8; N]) -> &mut Self {
        let digits = bytes.map(|byte| [byte >> 4, byte & 0xf].map(digit));
        self.bytes(digits.as_flattened())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
        self
    }

    /// The value.
    pub(super) fn value(&self) -> HeaderValue {
        // Our own words and numbers are fit for a header field.
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static(""))
    }

    /// The same, as it is sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A number below 16 as a digit.
const fn digit(number: u8) -> u8 {
    match number {
        0..=9 => b'0' + number,
        _ => b'a' - 10 + number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_stand_as_they_were_added() {
        let mut words = Words::new();
        words.text("W/\"").hexadecimal([0x0f, 0xa9]);
        words.text("\"; n=").number(u64::MAX);

        assert_eq!(words.value(), "W/\"0fa9\"; n=18446744073709551615");
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_whole() {
        let full = "x".repeat(BYTES_MAX - 1);

        let mut words = Words::new();
        words.text(&full).text("no").hexadecimal([1]).text("y");

        assert_eq!(words.value(), format!("{full}y"));
    }
}
