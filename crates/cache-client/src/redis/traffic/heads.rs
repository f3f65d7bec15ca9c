//! Lines of MONITOR, as they come.

use bytes::{Buf, Bytes, BytesMut};

/// Of a line so much is kept. Names stand at its beginning, and values of any size behind them.
const MOST_KEPT_BYTES: usize = 64 << 10;

/// Takes lines apart as they come. Of a long one only the beginning is kept, and the rest is passed over.
#[derive(Debug, Default)]
pub(super) struct Heads {
    passes_over: bool,
    /// Bytes of the line that is passed over, so far.
    passed: usize,
}

/// The beginning of a line, or all of it without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) text: Bytes,
    pub(super) is_whole: bool,
}

impl Heads {
    /// Returns how many bytes of the line that is passed over came so far.
    pub(super) fn passed(&self) -> usize {
        self.passed
    }

    /// Takes the next line; `None` where more has to come first.
    pub(super) fn next(&mut self, incoming: &mut BytesMut) -> Option<Head> {
        loop {
            match incoming.iter().position(|byte| *byte == b'\n') {
                Some(end) if self.passes_over => {
                    incoming.advance(end + 1);
                    *self = Self::default();
                }
                Some(end) => {
                    let line = incoming.split_to(end + 1).freeze();
                    let text = line.strip_suffix(b"\r\n").unwrap_or(&line[..end]);
                    let is_whole = text.len() <= MOST_KEPT_BYTES;
                    return Some(Head { text: line.slice(..text.len().min(MOST_KEPT_BYTES)), is_whole });
                }
                None if self.passes_over => {
                    self.passed += incoming.len();
                    incoming.clear();
                    return None;
                }
                None if incoming.len() > MOST_KEPT_BYTES => {
                    self.passes_over = true;
                    self.passed = incoming.len();
                    let text = incoming.split_to(MOST_KEPT_BYTES).freeze();
                    incoming.clear();
                    return Some(Head { text, is_whole: false });
                }
                None => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that comes in pieces of this size.
    fn heads(bytes: &[u8], piece: usize) -> Vec<(Bytes, bool)> {
        let (mut heads, mut incoming, mut all) = (Heads::default(), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            incoming.extend_from_slice(piece);
            while let Some(head) = heads.next(&mut incoming) {
                all.push((head.text, head.is_whole));
            }
            assert!(incoming.len() <= MOST_KEPT_BYTES + piece.len());
        }
        all
    }

    #[test]
    fn of_a_long_line_the_beginning_is_kept_however_it_comes() {
        let mut bytes = b"+short\r\n+".to_vec();
        bytes.extend(vec![b'x'; 3 * MOST_KEPT_BYTES]);
        bytes.extend(b"\r\n\r\n+next\r\n+half");
        for piece in [1, 7, 1_000, MOST_KEPT_BYTES, bytes.len()] {
            let lines = heads(&bytes, piece);
            let [short, long, empty, next] = lines.as_slice() else { panic!("{}", lines.len()) };
            assert_eq!((&short.0[..], short.1), (&b"+short"[..], true));
            assert_eq!((long.0.len(), long.1), (MOST_KEPT_BYTES, false), "{piece}");
            assert_eq!((&empty.0[..], empty.1), (&b""[..], true));
            assert_eq!((&next.0[..], next.1), (&b"+next"[..], true));
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(bytes: Vec<u8>, piece in 1_usize..40) {
            prop_assert_eq!(heads(&bytes, piece), heads(&bytes, bytes.len().max(1)));
        }
    }
}
