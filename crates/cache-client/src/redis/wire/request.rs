//! Requests, gathered to be sent in one packet.

use std::io::Write;

/// Commands as the protocol has them, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    commands: usize,
}

impl Requests {
    /// Adds a command.
    pub(crate) fn add(&mut self, words: &[&[u8]]) {
        self.begin(words.len());
        for word in words {
            self.word(word);
        }
    }

    /// Adds a command whose words before the key are written already, as [`prefix`] does it.
    #[inline]
    pub(crate) fn add_prefixed(&mut self, prefix: &[u8], key: &[u8]) {
        self.bytes.extend_from_slice(prefix);
        self.word(key);
        self.commands += 1;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many commands were gathered since the last sending.
    pub(crate) fn commands(&self) -> usize {
        self.commands
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.commands = 0;
    }

    fn begin(&mut self, words: usize) {
        self.number(b'*', words);
        self.commands += 1;
    }

    fn word(&mut self, word: &[u8]) {
        self.number(b'$', word.len());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn number(&mut self, mark: u8, number: usize) {
        self.bytes.push(mark);
        match number {
            0..=9 => self.bytes.push(digit(number)),
            10..=99 => self.bytes.extend([digit(number / 10), digit(number % 10)]),
            _ => write!(self.bytes, "{number}").expect("a vector takes everything"),
        }
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[expect(clippy::cast_possible_truncation, reason = "one digit")]
fn digit(number: usize) -> u8 {
    b'0' + number as u8
}

/// Writes the words that stand before the key of a command.
pub(crate) fn prefix(words: &[&str]) -> Vec<u8> {
    let mut requests = Requests::default();
    requests.number(b'*', words.len() + 1);
    for word in words {
        requests.word(word.as_bytes());
    }
    requests.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_the_client_library_writes_them() {
        for key in [&b""[..], b"k", b"\r\n\0\xff", &[b'x'; 9], &[b'x'; 10], &[b'x'; 99], &[b'x'; 12_345]] {
            let mut requests = Requests::default();
            requests.add_prefixed(&prefix(&["MEMORY", "USAGE"]), key);
            requests.add(&[b"PTTL", key]);
            let mut expected = redis::cmd("MEMORY").arg("USAGE").arg(key).get_packed_command();
            expected.extend(redis::cmd("PTTL").arg(key).get_packed_command());
            assert_eq!(requests.bytes(), expected);
            assert_eq!(requests.commands(), 2);
            requests.clear();
            assert!(requests.bytes().is_empty() && requests.commands() == 0);
        }
    }
}
