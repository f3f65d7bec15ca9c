//! Reading the dump of a shard.

use std::{
    io::{ErrorKind, Read},
    ops::ControlFlow,
};

use larder_rdb::{Entry, Limits, RawValue, Reader, Record, Server, Value};

use super::LiveRestore;
use crate::{Error, Result};

/// What is read from.
pub(super) type Image = Box<dyn Read + Send>;

/// What is known of the dump that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dated {
    pub(super) taken_at_ms: Option<i64>,
    /// The server that values are made for.
    pub(super) server: Server,
}

/// Goes through the records of a shard. `server` is the one that values are for; where it is none that has a version, values
/// stay what they are.
pub(super) fn each_record(
    restore: &LiveRestore,
    shard: usize,
    server: Option<Server>,
    mut act: impl FnMut(Record<'_, Image>, Dated) -> larder_rdb::Result<ControlFlow<()>>,
) -> Result<()> {
    let source = &restore.source;
    let unsound = |error| why_unread(restore, shard, error);
    let mut reader = Reader::new(source.open(shard)?).map_err(unsound)?;
    let server = server.unwrap_or_else(|| Server::writing(reader.format()));
    let mut dated = Dated { taken_at_ms: source.taken_at_ms(shard), server };
    while let Some(record) = reader.next_record().map_err(unsound)? {
        if let Record::Aux { name: b"ctime", value } = &record
            && dated.taken_at_ms.is_none()
        {
            dated.taken_at_ms = moment_ms(value);
        }
        if act(record, dated).map_err(unsound)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A dump that could not be read to its end is not unsound where it was not opened, or where reading was stopped.
fn why_unread(restore: &LiveRestore, shard: usize, source: larder_rdb::Error) -> Error {
    let of = format!("the dump of shard {}", shard + 1);
    match source {
        _ if restore.options.stop.is_cancelled() => Error::Stopped,
        larder_rdb::Error::Read { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Error::Locked { artifact: of, reason: source.to_string() }
        }
        source => Error::Dump { of: format!("shard {}", shard + 1), source },
    }
}

fn moment_ms(seconds: &[u8]) -> Option<i64> {
    let seconds: i64 = str::from_utf8(seconds).ok()?.parse().ok()?;
    seconds.checked_mul(1000).filter(|at| *at > 0)
}

/// Tells whether a value has to be written anew for a server.
pub(super) fn is_rewritten(entry: &Entry<'_, Image>, server: Server) -> bool {
    entry.value_type().needs_file() || !server.loads_type(entry.value_type())
}

/// The value in a layout that the server loads.
pub(super) fn value_for(entry: Entry<'_, Image>, server: Server) -> larder_rdb::Result<RawValue> {
    let key = entry.key().to_vec();
    if entry.value_type().needs_file() {
        let value: Value = entry.value()?;
        return value.to_raw(server, &key);
    }
    entry.raw_value()?.for_server(server, &key, Limits::default())
}
