//! A snapshot as JSON, and back.

use serde_json::Value;

use crate::{Error, Result, measured::Measured};

/// Writes a snapshot as JSON, and makes sure that it can be read again.
///
/// JSON has no NaN: one in a field that may not be null would make the whole snapshot unreadable.
pub(crate) fn encode<T: Measured>(snapshot: &T) -> Result<String> {
    let text = serde_json::to_string(snapshot).map_err(|source| Error::Json { source })?;
    serde_json::from_str::<T>(&text).map_err(|source| Error::Json { source })?;
    Ok(text)
}

/// Reads a snapshot whose time is one.
pub(crate) fn decode<T: Measured>(value: &Value) -> std::result::Result<T, String> {
    timed(T::deserialize(value))
}

/// Reads a snapshot whose time is one.
pub(crate) fn decode_text<T: Measured>(text: &str) -> std::result::Result<T, String> {
    timed(serde_json::from_str(text))
}

fn timed<T: Measured>(snapshot: serde_json::Result<T>) -> std::result::Result<T, String> {
    let snapshot = snapshot.map_err(|error| format!("is no {}: {error}", T::NAME))?;
    match snapshot.time() {
        Some(_) => Ok(snapshot),
        None => Err(format!("its timestamp {} is no time", snapshot.timestamp())),
    }
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::Snapshot;

    use super::*;

    #[test]
    fn what_would_not_come_back_is_not_written() {
        let mut snapshot = Snapshot::default();
        assert!(encode(&snapshot).is_ok());
        snapshot.cache_stats.hit_rate = Some(f64::NAN);
        assert!(encode(&snapshot).is_ok(), "null is a value there");
        snapshot.timestamp = f64::NAN;
        assert!(matches!(encode(&snapshot), Err(Error::Json { .. })));
    }
}
