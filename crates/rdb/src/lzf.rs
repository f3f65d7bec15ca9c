//! LZF, the compression of strings over twenty bytes (liblzf 3.6, as in Redis `src/lzf_c.c` and `src/lzf_d.c`).
//!
//! A stream is a run of commands. A control byte below 32 is followed by that many bytes and one more, taken as
//! they are. Any other byte holds a length in its upper three bits (7: one more byte of length follows) and, with
//! the next byte, a distance of up to 8192 back, from where length + 2 bytes are copied.

use crate::narrow::low_byte;

/// Most bytes that one byte of compressed data can stand for (264 for 3), rounded up.
const MAX_RATIO: u64 = 88;

/// Distance that a back reference reaches.
const WINDOW: usize = 1 << 13;
/// Longest copy.
const MAX_COPY: usize = 264;
/// Longest literal run.
const MAX_LITERAL: usize = 32;
/// Bytes that are moved at once.
const MOVE: usize = MAX_LITERAL;
/// The same where source and target are too near for that.
const HALF_MOVE: usize = 8;
/// Strings up to this length are decompressed into a buffer of their length.
const SHORT: usize = 64 << 10;

/// True if `plain` bytes can come out of `packed` ones.
pub(crate) fn is_possible(packed: u64, plain: u64) -> bool {
    plain > 0 && packed > 1 && plain <= packed.saturating_mul(MAX_RATIO)
}

/// Decompresses `packed` into `out`, whose old content is dropped; `None` unless exactly `plain` bytes come out.
pub(crate) fn decompress(packed: &[u8], plain: usize, out: &mut Vec<u8>) -> Option<()> {
    if plain <= SHORT {
        return decompress_short(packed, plain, out);
    }
    out.clear();
    // Memory grows with what comes out, not with what was announced.
    out.reserve(plain.min(1 << 20));
    let used = expand(packed, plain, out)?;
    (used == packed.len() && out.len() == plain).then_some(())
}

/// Decompresses into a buffer that is there from the start and has room behind the end, so that most runs and copies are
/// moves of a fixed length, of which the next command writes over what is too much.
fn decompress_short(packed: &[u8], plain: usize, out: &mut Vec<u8>) -> Option<()> {
    out.resize(plain + MOVE, 0);
    let ended = expand_into(packed, plain, out);
    out.truncate(plain);
    if ended.is_none() {
        out.clear();
    }
    ended
}

fn expand_into(packed: &[u8], plain: usize, out: &mut [u8]) -> Option<()> {
    let (mut at, mut end) = (0, 0);
    while at < packed.len() {
        let control = usize::from(packed[at]);
        at += 1;
        if control < MAX_LITERAL {
            let len = control + 1;
            if end + len > plain {
                return None;
            }
            match packed[at..].first_chunk::<MOVE>() {
                Some(chunk) => out[end..end + MOVE].copy_from_slice(chunk),
                None => out[end..end + len].copy_from_slice(packed.get(at..at + len)?),
            }
            at += len;
            end += len;
            continue;
        }
        let mut len = (control >> 5) + 2;
        if len == 9 {
            len += usize::from(*packed.get(at)?);
            at += 1;
        }
        let back = ((control & 0x1f) << 8) + usize::from(*packed.get(at)?) + 1;
        at += 1;
        if back > end || end + len > plain {
            return None;
        }
        move_back(out, end, back, len);
        end += len;
    }
    (end == plain).then_some(())
}

/// Copies `len` bytes from `back` before `end` to `end`, and perhaps some more.
#[inline]
fn move_back(out: &mut [u8], end: usize, back: usize, len: usize) {
    let from = end - back;
    if back >= MOVE {
        for step in (0..len).step_by(MOVE) {
            out.copy_within(from + step..from + step + MOVE, end + step);
        }
    } else if back >= HALF_MOVE {
        for step in (0..len).step_by(HALF_MOVE) {
            out.copy_within(from + step..from + step + HALF_MOVE, end + step);
        }
    } else {
        for step in 0..len {
            out[end + step] = out[from + step];
        }
    }
}

/// Decompresses the start of `packed`, at least `wanted` bytes if there are as many.
pub(crate) fn decompress_start(packed: &[u8], wanted: usize, out: &mut Vec<u8>) {
    out.clear();
    // A cut at the end of the sample is not an error here; what came out before it is what was asked for.
    let _ = expand_until(packed, wanted, usize::MAX, out);
}

fn expand(packed: &[u8], plain: usize, out: &mut Vec<u8>) -> Option<usize> {
    expand_until(packed, plain, plain, out)
}

/// Runs commands until `enough` bytes are out or the input ends; more than `most` is refused.
fn expand_until(packed: &[u8], enough: usize, most: usize, out: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    while at < packed.len() && out.len() < enough {
        let control = usize::from(packed[at]);
        at += 1;
        if control < MAX_LITERAL {
            let end = at + control + 1;
            let literal = packed.get(at..end)?;
            if out.len() + literal.len() > most {
                return None;
            }
            out.extend_from_slice(literal);
            at = end;
            continue;
        }
        let mut len = (control >> 5) + 2;
        if len == 9 {
            len += usize::from(*packed.get(at)?);
            at += 1;
        }
        let back = ((control & 0x1f) << 8) + usize::from(*packed.get(at)?) + 1;
        at += 1;
        let from = out.len().checked_sub(back)?;
        if out.len() + len > most {
            return None;
        }
        copy_back(out, from, len);
    }
    Some(at)
}

/// Appends `len` bytes that start at `from`; the source may run into what is being appended.
fn copy_back(out: &mut Vec<u8>, from: usize, mut len: usize) {
    while len > 0 {
        // What was appended repeats the pattern from `from` on, so every turn has twice as much to take.
        let chunk = len.min(out.len() - from);
        out.extend_from_within(from..from + chunk);
        len -= chunk;
    }
}

/// Compresses strings, keeping its table of places from one to the next.
#[derive(Debug)]
pub(crate) struct Compressor {
    /// Place after which three bytes with this hash were last seen, counted over all inputs so far.
    seen: Vec<u32>,
    /// Count of bytes of all inputs so far; places below belong to older inputs.
    base: u32,
}

const HASH_BITS: u32 = 14;

impl Compressor {
    pub(crate) fn new() -> Self {
        Self { seen: vec![0; 1 << HASH_BITS], base: 1 }
    }

    /// Compresses `plain` into `out`, whose old content is dropped; false unless at least four bytes are saved.
    ///
    /// Servers keep the string as it is in the same case (`rdbSaveLzfStringObject`, Redis 7.0 `src/rdb.c`).
    pub(crate) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(most) = plain.len().checked_sub(4).filter(|most| *most > 0) else { return false };
        let Ok(len) = u32::try_from(plain.len()) else { return false };
        if self.base.checked_add(len).is_none() {
            self.seen.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base += len;
        let mut at = 0;
        let mut literal = 0;
        while at + 2 < plain.len() {
            let slot = &mut self.seen[hash(plain, at)];
            let place = u32::try_from(at).expect("the input's length fits in 32 bits") + base;
            let candidate = std::mem::replace(slot, place);
            let back = (place - candidate.min(place)) as usize;
            let matches = candidate >= base
                && (1..=WINDOW).contains(&back)
                && plain[at - back..at - back + 3] == plain[at..at + 3];
            if !matches {
                at += 1;
                continue;
            }
            let len = common_len(plain, at - back, at);
            push_literals(out, &plain[literal..at]);
            push_copy(out, back - 1, len - 2);
            at += len;
            literal = at;
            if out.len() >= most {
                return false;
            }
        }
        push_literals(out, &plain[literal..]);
        out.len() <= most
    }
}

fn hash(plain: &[u8], at: usize) -> usize {
    let three = u32::from_le_bytes([plain[at], plain[at + 1], plain[at + 2], 0]);
    (three.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

fn common_len(plain: &[u8], from: usize, at: usize) -> usize {
    let most = MAX_COPY.min(plain.len() - at);
    plain[from..from + most].iter().zip(&plain[at..at + most]).take_while(|(a, b)| a == b).count()
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(MAX_LITERAL) {
        out.push(low_byte(run.len() - 1));
        out.extend_from_slice(run);
    }
}

fn push_copy(out: &mut Vec<u8>, distance: usize, len: usize) {
    let high = low_byte(distance >> 8);
    if len < 7 {
        out.push((low_byte(len) << 5) | high);
    } else {
        out.push((7 << 5) | high);
        out.push(low_byte(len - 7));
    }
    out.push(low_byte(distance));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlapping_copies_repeat_the_pattern() {
        // Literal "ab", then 6 bytes from 2 back.
        let mut out = Vec::new();
        assert_eq!(decompress(&[1, b'a', b'b', 4 << 5, 1], 8, &mut out), Some(()));
        assert_eq!(out, b"abababab");
    }

    #[test]
    fn damaged_streams_are_refused() {
        let mut out = Vec::new();
        for (packed, plain) in [
            (&[0x20, 0x00][..], 3),                // copy from before the start
            (&[5, b'a'][..], 6),                   // literal cut
            (&[1, b'a', b'b'][..], 3),             // too few
            (&[1, b'a', b'b'][..], 1),             // too many
            (&[0, b'a', 0xe0][..], 10),            // length byte missing
            (&[0, b'a', 0, b'b', 0, b'c'][..], 2), // input left over
        ] {
            assert_eq!(decompress(packed, plain, &mut out), None, "{packed:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_out_again(
            words in prop::collection::vec(prop::collection::vec(0u8..4, 0..40), 0..60),
            again in any::<bool>(),
        ) {
            let plain = words.concat();
            let mut compressor = Compressor::new();
            let (mut packed, mut out) = (Vec::new(), Vec::new());
            if again {
                compressor.compress(&plain, &mut packed);
            }
            if compressor.compress(&plain, &mut packed) {
                prop_assert!(packed.len() + 4 <= plain.len());
                prop_assert!(is_possible(packed.len() as u64, plain.len() as u64));
                prop_assert_eq!(decompress(&packed, plain.len(), &mut out), Some(()));
                prop_assert_eq!(&out, &plain);
                decompress_start(&packed, 11, &mut out);
                prop_assert!(plain.starts_with(&out) && out.len() >= plain.len().min(11));
            }
        }

        #[test]
        fn random_input_never_panics(packed in prop::collection::vec(any::<u8>(), 0..200), plain in 0usize..4000) {
            let mut out = Vec::new();
            let _ = decompress(&packed, plain, &mut out);
            prop_assert!(out.len() <= plain);
        }
    }
}
