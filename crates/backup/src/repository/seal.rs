//! A text that tells whether it was altered.
//!
//! The last `"checksum"` in it is the SHA-256 of all of its bytes, the 64 digits of the checksum read as zeros.

use sha2::{Digest, Sha256};

use super::hex;

const FRONT: &str = "\"checksum\": \"";
const DIGITS: usize = 64;

/// What stands for a checksum before it is known.
pub(super) const OPEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Fills in the checksum.
pub(super) fn seal(mut text: String) -> String {
    if let Some(at) = place(text.as_bytes()) {
        let sum = sum(text.as_bytes(), at);
        text.replace_range(at..at + DIGITS, &sum);
    }
    text
}

/// Tells whether a text bears a checksum, or what is left of one.
pub(super) fn is_sealed(text: &[u8]) -> bool {
    place(text).is_some()
}

/// Compares the checksum.
pub(super) fn check(text: &[u8]) -> Result<(), String> {
    let at = place(text).ok_or("its checksum is missing")?;
    let stated = &text[at..at + DIGITS];
    let actual = sum(text, at);
    if stated == actual.as_bytes() {
        return Ok(());
    }
    let stated = String::from_utf8_lossy(stated).into_owned();
    Err(format!("it was altered since it was written: it states the checksum {stated}, and has {actual}"))
}

/// In the text of a JSON string a quotation mark has a backslash before it, so that no value looks like this.
fn place(text: &[u8]) -> Option<usize> {
    let front = FRONT.as_bytes();
    let last = text.windows(front.len()).rposition(|window| window == front)?;
    let at = last + front.len();
    (at + DIGITS <= text.len()).then_some(at)
}

fn sum(text: &[u8], at: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&text[..at]);
    hash.update(OPEN);
    hash.update(&text[at + DIGITS..]);
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_altered_byte_and_every_cut_is_found() {
        let text = format!("{{\n  \"x\": \"\\\"checksum\\\": \\\"\",\n  \"checksum\": \"{OPEN}\"\n}}\n");
        let sealed = seal(text.clone());
        assert_ne!(text, sealed);
        assert_eq!(check(sealed.as_bytes()), Ok(()));
        for at in 0..sealed.len() {
            assert!(check(&sealed.as_bytes()[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut altered = sealed.clone().into_bytes();
                altered[at] ^= 1 << bit;
                assert!(check(&altered).is_err(), "bit {bit} of byte {at}");
            }
        }
        let longer = format!("{sealed} ");
        assert!(check(longer.as_bytes()).is_err());
    }
}
