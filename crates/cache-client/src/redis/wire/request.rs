//! Requests, gathered to be sent in one packet.

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

    /// Begins a command of so many words, its name included.
    pub(crate) fn begin(&mut self, words: usize) {
        self.number(b'*', words);
        self.commands += 1;
    }

    /// Adds a word to the command that was begun.
    pub(crate) fn word(&mut self, word: &[u8]) {
        self.begin_word(word.len());
        self.bytes.extend_from_slice(word);
        self.end_word();
    }

    /// Adds a word that is a number.
    pub(crate) fn number_word(&mut self, number: u64) {
        let mut room = [0; MOST_DIGITS];
        self.word(digits(number, &mut room));
    }

    /// Adds what stands in front of a word whose bytes are sent from where they lie.
    pub(crate) fn begin_word(&mut self, bytes: usize) {
        self.number(b'$', bytes);
    }

    /// Adds what stands behind a word.
    pub(crate) fn end_word(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn number(&mut self, mark: u8, number: usize) {
        let mut room = [0; MOST_DIGITS];
        self.bytes.push(mark);
        self.bytes.extend_from_slice(digits(number as u64, &mut room));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Digits of the largest number of 64 bits.
const MOST_DIGITS: usize = 20;

#[inline]
fn digits(mut number: u64, room: &mut [u8; MOST_DIGITS]) -> &[u8] {
    let mut at = MOST_DIGITS;
    loop {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[at..];
        }
    }
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
            requests.begin(3);
            requests.word(b"X");
            requests.number_word(key.len() as u64);
            requests.number_word(u64::MAX);
            let mut expected = redis::cmd("MEMORY").arg("USAGE").arg(key).get_packed_command();
            expected.extend(redis::cmd("PTTL").arg(key).get_packed_command());
            expected.extend(redis::cmd("X").arg(key.len()).arg(u64::MAX).get_packed_command());
            assert_eq!(requests.bytes(), expected);
            assert_eq!(requests.commands(), 3);
            requests.clear();
            assert!(requests.bytes().is_empty() && requests.commands() == 0);
        }
    }
}
