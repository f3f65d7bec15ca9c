//! Changes of keys that are still as they were seen.

use redis::{Cmd, Value, cmd};

use super::{answer::read, failure::Request};
use crate::{GuardedAction, GuardedChange, KeyChange, Result};

/// Compares and acts in one step, which is what scripts are for: whatever is written at the same time comes before or after.
///
/// A value is known by length and end of its payload, which ends with a CRC-64 (Redis 2.6 `src/cluster.c`,
/// `createDumpPayload`). PEXPIRETIME is there since Redis 7.0; before, only whether there is an end can be compared.
/// The answer is 1 for done, 0 for a key that is not there, -1 for one that has changed.
const SCRIPT: &str = "local p=redis.call('DUMP',KEYS[1]) if not p then return 0 end \
if #p~=tonumber(ARGV[1]) or string.sub(p,-8)~=ARGV[2] then return -1 end \
local e=redis.pcall('PEXPIRETIME',KEYS[1]) \
if type(e)=='table' then if (redis.call('PTTL',KEYS[1])<0)~=(tonumber(ARGV[3])<0) then return -1 end \
elseif e~=tonumber(ARGV[3]) then return -1 end \
if ARGV[4]=='U' then redis.call('UNLINK',KEYS[1]) \
elseif ARGV[4]=='P' then redis.call('PERSIST',KEYS[1]) \
else redis.call('PEXPIREAT',KEYS[1],ARGV[5]) end return 1";

pub(super) fn command(change: &GuardedChange) -> Cmd {
    let (action, moment) = match change.action {
        GuardedAction::Unlink => ("U", 0),
        GuardedAction::Persist => ("P", 0),
        GuardedAction::ExpireAt(moment) => ("E", moment),
    };
    let mut command = cmd("EVAL");
    command
        .arg(SCRIPT)
        .arg(1)
        .arg(change.key.as_ref())
        .arg(change.value.bytes)
        .arg(&change.value.checksum.to_le_bytes()[..])
        .arg(change.expires_at_ms.unwrap_or(-1))
        .arg(action)
        .arg(moment);
    command
}

pub(super) fn outcome(answer: Result<Value>, request: Request<'_>) -> Result<KeyChange> {
    match read::<i64>(answer?, request)? {
        1 => Ok(KeyChange::Done),
        0 => Ok(KeyChange::Missing),
        _ => Ok(KeyChange::Changed),
    }
}
