//! Reading answers.

use std::time::Duration;

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use super::failure::Request;
use crate::{Result, Ttl};

/// Reads an answer as what the command should give.
pub(crate) fn read<T: FromRedisValue>(value: Value, request: Request<'_>) -> Result<T> {
    T::from_redis_value(value).map_err(|error| request.unexpected(error.to_string()))
}

/// Reads a value that may be missing.
pub(crate) fn bytes(value: Value, request: Request<'_>) -> Result<Option<Bytes>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        other => Ok(Some(Bytes::from(read::<Vec<u8>>(other, request)?))),
    }
}

/// What PTTL answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeLeft {
    /// The key is not there.
    Gone,
    /// It is.
    There(Ttl),
}

/// Reads PTTL: -2 for a key that is not there, -1 for one without an end, milliseconds otherwise.
pub(crate) fn time_left(value: Value, request: Request<'_>) -> Result<TimeLeft> {
    match read::<i64>(value, request)? {
        -2 => Ok(TimeLeft::Gone),
        -1 => Ok(TimeLeft::There(Ttl::None)),
        milliseconds => match u64::try_from(milliseconds) {
            Ok(milliseconds) => Ok(TimeLeft::There(Ttl::In(Duration::from_millis(milliseconds)))),
            Err(_) => Err(request.unexpected(format!("{milliseconds} is no time"))),
        },
    }
}

/// Writes a time as the milliseconds that commands take: at least one, at most what fits.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}
