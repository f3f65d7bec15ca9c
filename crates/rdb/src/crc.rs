//! The checksum at the end of files and payloads.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-64 as Redis uses it since version 5 of the format: Jones's polynomial `0xad93d23594c935a9`, reflected,
/// no initial or final inversion (Redis 7.0 `src/crc64.c`).
#[derive(Clone)]
pub(crate) struct Crc64(Digest);

impl Crc64 {
    pub(crate) fn new() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.finalize()
    }

    pub(crate) fn of(bytes: &[u8]) -> u64 {
        let mut crc = Self::new();
        crc.update(bytes);
        crc.value()
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc64({:016x})", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_is_the_one_in_the_servers_source() {
        // Redis 7.0 src/crc64.c, crc64Test: "123456789" and the second, longer text.
        assert_eq!(Crc64::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(Crc64::of(b""), 0);
    }

    #[test]
    fn pieces_give_the_same_value_as_the_whole() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i * 31 % 251) as u8).collect();
        for size in [1, 7, 64, 1000] {
            let mut crc = Crc64::new();
            bytes.chunks(size).for_each(|piece| crc.update(piece));
            assert_eq!(crc.value(), Crc64::of(&bytes));
        }
    }
}
