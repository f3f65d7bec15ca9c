//! Where an answer ends.

/// Whether a whole answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// It is, and has this many bytes.
    Whole(usize),
    /// More bytes are needed.
    Partly,
    /// These bytes are no answer.
    Broken,
}

/// Finds the end of an answer, and goes on where it stopped when more bytes are there.
#[derive(Debug)]
pub(super) struct Scanner {
    at: usize,
    /// Parts of the answer that are still to come.
    parts: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { at: 0, parts: 1 }
    }
}

/// The longest bulk string that servers give (`proto-max-bulk-len`).
const LONGEST_BULK: u64 = 512 << 20;
/// No answer of a sweep has more parts.
const MOST_PARTS: u64 = 1 << 32;

impl Scanner {
    /// Scans bytes whose beginning is that of the last time.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        while self.parts > 0 {
            let Some((line, after)) = line(bytes, self.at) else { return Scanned::Partly };
            let Some((mark, rest)) = line.split_first() else { return Scanned::Broken };
            match mark {
                b'+' | b'-' | b':' => self.at = after,
                b'$' => match number(rest) {
                    Some(-1) => self.at = after,
                    Some(length) => {
                        let Some(length) = u64::try_from(length).ok().filter(|it| *it <= LONGEST_BULK) else {
                            return Scanned::Broken;
                        };
                        let end = after as u64 + length + 2;
                        if end > bytes.len() as u64 {
                            return Scanned::Partly;
                        }
                        self.at = usize::try_from(end).unwrap_or(usize::MAX);
                    }
                    None => return Scanned::Broken,
                },
                b'*' => match number(rest) {
                    Some(count) => {
                        self.parts += u64::try_from(count).unwrap_or(0);
                        if self.parts > MOST_PARTS {
                            return Scanned::Broken;
                        }
                        self.at = after;
                    }
                    None => return Scanned::Broken,
                },
                _ => return Scanned::Broken,
            }
            self.parts -= 1;
        }
        Scanned::Whole(self.at)
    }
}

/// The line that begins at a place, without its end, and where the next one begins. Lines are short: what is longer than
/// this is looked for no further.
pub(super) fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let length = rest.iter().position(|byte| *byte == b'\n')?;
    Some((rest.get(..length.checked_sub(1)?)?, from + length + 1))
}

/// A number as the protocol writes it.
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_end_where_they_end() {
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Scanned::Whole(5)),
            (b":12\r\n:13\r\n", Scanned::Whole(5)),
            (b"-ERR x\r\n", Scanned::Whole(8)),
            (b"$3\r\na\r\n\r\n", Scanned::Whole(9)),
            (b"$-1\r\n", Scanned::Whole(5)),
            (b"*-1\r\n", Scanned::Whole(5)),
            (b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n:1\r\n", Scanned::Whole(26)),
            (b"*0\r\n", Scanned::Whole(4)),
            (b"", Scanned::Partly),
            (b"$5\r\nabc", Scanned::Partly),
            (b"*2\r\n:1\r\n", Scanned::Partly),
            (b"$x\r\n", Scanned::Broken),
            (b"$-2\r\n", Scanned::Broken),
            (b"$9999999999\r\n", Scanned::Broken),
            (b"*99999999999\r\n", Scanned::Broken),
            (b"HTTP/1.1 400\r\n", Scanned::Broken),
            (b"\r\n", Scanned::Broken),
        ] {
            assert_eq!(Scanner::default().scan(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_an_answer_comes(keys: Vec<Vec<u8>>, cut in 0.0..1.0_f64) {
            let mut bytes = format!("*2\r\n$1\r\n0\r\n*{}\r\n", keys.len()).into_bytes();
            for key in &keys {
                bytes.extend(format!("${}\r\n", key.len()).into_bytes());
                bytes.extend_from_slice(key);
                bytes.extend_from_slice(b"\r\n");
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
            let place = (bytes.len() as f64 * cut) as usize;
            let mut scanner = Scanner::default();
            prop_assert_eq!(scanner.scan(&bytes[..place]), Scanned::Partly);
            prop_assert_eq!(scanner.scan(&bytes), Scanned::Whole(bytes.len()));
        }

        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = Scanner::default().scan(&bytes);
            let _ = number(&bytes);
        }
    }
}
