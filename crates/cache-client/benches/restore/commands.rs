//! The keys, and their commands as they are sent.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use larder_cache_client::{DumpedValue, RestoreItem, Ttl};
use larder_rdb::{Server, Value};
use larder_test_support::ServerProgram;

const VALUE_BYTES: usize = 400;
/// In the year 2100.
const EXPIRES_AT_MS: i64 = 4_102_444_800_000;

/// Strings that do not compress, six in ten with a TTL.
pub(crate) fn items(program: &ServerProgram, keys: usize) -> Result<Vec<RestoreItem>> {
    let server: Server =
        format!("{} {}", program.product, program.version).parse().ok().context("a version")?;
    let mut state = 2026_u64;
    let item = |number: usize| {
        let value = Value::String((0..VALUE_BYTES).map(|_| letter(&mut state)).collect());
        let key = format!("user:{number:08}:session");
        let mut value = DumpedValue::new(value.to_payload(server, key.as_bytes())?.into(), Ttl::None);
        value.expires_at_ms = (number % 10 < 6).then_some(EXPIRES_AT_MS);
        Ok(RestoreItem { key: Bytes::from(key), value, overwrite: false })
    };
    (0..keys).map(item).collect()
}

/// The commands of all keys, in so many blocks.
pub(crate) fn encoded(items: &[RestoreItem], blocks: usize) -> Vec<Vec<u8>> {
    let encode = |items: &[RestoreItem]| items.iter().flat_map(command).collect();
    items.chunks(items.len().div_ceil(blocks).max(1)).map(encode).collect()
}

fn command(item: &RestoreItem) -> Vec<u8> {
    let mut command = redis::cmd("RESTORE");
    command
        .arg(item.key.as_ref())
        .arg(item.value.expires_at_ms.unwrap_or(0))
        .arg(item.value.payload.as_ref());
    if item.value.expires_at_ms.is_some() {
        command.arg("ABSTTL");
    }
    command.get_packed_command()
}

/// Numbers that are the same in every run (Marsaglia's xorshift64*).
fn letter(state: &mut u64) -> u8 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let [byte, ..] = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
    b'0' + byte % 64
}
