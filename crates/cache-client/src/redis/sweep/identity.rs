//! Whether a server is still the one that a sweep began on.

use crate::{
    Error, Result,
    redis::wire::{Requests, Wire},
};
use larder_metrics_model::Info;

/// By which a server process is known: a cursor is good for no other, and a primary that became a replica may have lost
/// keys that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    run_id: Option<String>,
    is_primary: bool,
}

/// Asks a server who it is; `None` where the user may not ask.
pub(super) async fn of(wire: &mut Wire) -> Result<Option<Identity>> {
    let mut requests = Requests::default();
    requests.add(&[b"INFO", b"server"]);
    requests.add(&[b"INFO", b"replication"]);
    wire.send(&mut requests).await?;
    let server = info(wire).await?;
    let replication = info(wire).await?;
    let (Some(server), Some(replication)) = (server, replication) else { return Ok(None) };
    Ok(Some(Identity {
        run_id: server.field("run_id").map(str::to_owned),
        is_primary: replication.field("role") == Some("master"),
    }))
}

async fn info(wire: &mut Wire) -> Result<Option<Info>> {
    let answer = wire.answer("INFO", |answer, request| answer.text(request).map(Info::parse_bytes)).await;
    match answer {
        Ok(info) => Ok(Some(info)),
        Err(Error::NotPermitted { .. } | Error::UnknownCommand { .. } | Error::Server { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
