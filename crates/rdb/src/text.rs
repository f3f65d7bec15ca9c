//! A string as it is stored: bytes, or an integer that stands for its decimal digits.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A string of the data set, borrowed from the reader.
///
/// The format stores strings that are the digits of an integer as that integer. Two texts are equal when the
/// strings they stand for are, however each is stored.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    /// The bytes themselves.
    Bytes(&'a [u8]),
    /// The integer whose decimal digits are the string.
    Int(i64),
}

impl Text<'_> {
    /// Length of the string, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(value) => Decimal::new(*value).as_bytes().len(),
        }
    }

    /// True for the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string as bytes of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// Appends the string to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.with_bytes(|bytes| out.extend_from_slice(bytes));
    }

    /// Calls `then` with the bytes of the string; nothing is allocated.
    pub fn with_bytes<T>(&self, then: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Bytes(bytes) => then(bytes),
            Self::Int(value) => then(Decimal::new(*value).as_bytes()),
        }
    }

    /// The integer that the string spells in canonical form (no plus sign, no leading zeros), if it does.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bytes(bytes) => parse_int(bytes),
        }
    }
}

/// Reads a canonical decimal integer, as servers' `string2ll` does.
pub(crate) fn parse_int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [] | [b'0', ..] => return None,
        _ if digits.len() > 19 => return None,
        _ => {}
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Int(a), Self::Bytes(b)) | (Self::Bytes(b), Self::Int(a)) => {
                Decimal::new(*a).as_bytes() == *b
            }
        }
    }
}

impl Eq for Text<'_> {}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.with_bytes(|bytes| state.write(bytes));
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Int(value) => write!(f, "{value}"),
        }
    }
}

/// Decimal digits of an integer, on the stack.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(value: i64) -> Self {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Self { digits, start }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// A string kept by the reader until the next one is read.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) bytes: Vec<u8>,
    pub(crate) int: Option<i64>,
}

impl Slot {
    pub(crate) fn text(&self) -> Text<'_> {
        match self.int {
            Some(value) => Text::Int(value),
            None => Text::Bytes(&self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_their_digits_are_the_same_text() {
        for value in [0, 7, -1, 42, i64::MAX, i64::MIN] {
            let digits = value.to_string();
            assert_eq!(Text::Int(value), Text::Bytes(digits.as_bytes()));
            assert_eq!(Text::Int(value).len(), digits.len());
            assert_eq!(parse_int(digits.as_bytes()), Some(value));
        }
    }

    #[test]
    fn only_canonical_digits_are_integers() {
        for text in
            ["", "-", "007", "-0", "+1", "1 ", " 1", "9223372036854775808", "-9223372036854775809", "1e3"]
        {
            assert_eq!(parse_int(text.as_bytes()), None, "{text:?}");
        }
    }
}
