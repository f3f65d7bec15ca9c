//! One pass: from the server to the store, checked, counted, compressed and encrypted on the way.

use std::io::{self, Write as _};

use futures_util::StreamExt;
use larder_cache_client::Dump;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Artifact, Effort, Error, KeyFamilies, Packing, Progress, Result,
    census::{self, Census},
    packing::Packer,
    passage::{self, Feed, PieceReader, PieceWriter, Pieces},
    repository::ArtifactWriter,
    thread::{self, Work},
};

/// What is needed beside the image.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) packing: &'a Packing,
    pub(super) families: Option<&'a KeyFamilies>,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a CancellationToken,
}

/// Stores an image, and tells what is in it. Where anything goes wrong on the way, nothing is stored.
pub(super) async fn store(dump: Dump, writer: ArtifactWriter, pass: &Pass<'_>) -> Result<(Artifact, Census)> {
    let node = dump.facts.node.to_string();
    let (to_census, counted) = passage::to_thread();
    let (to_packer, packed_from) = passage::to_thread();
    let (packed_to, packed) = passage::from_thread();
    let census = count(counted, pass.families.cloned(), pass.packing.effort);
    let packing = pack(packed_from, packed_to, pass.packing.clone());
    let storing = AbortOnDropHandle::new(tokio::spawn(put(packed, writer)));

    let fed = feed(dump, to_census, to_packer, pass).await;
    let census = census.done().await;
    let packing = packing.done().await;
    let stored = storing.await.map_err(thread::broken)?;
    // Of what went wrong, the first in the direction of the bytes is the cause of the others.
    fed?;
    let census = census?.map_err(|source| Error::Dump { of: node, source })?;
    // Where storing failed, packing could not go on, and says only that.
    let stored = stored?;
    packing?.map_err(|source| Error::Packing { source })?;
    Ok((stored, census))
}

/// Hands every piece to whoever counts and to whoever packs. It goes on while one of them can: what is wrong is theirs to say.
async fn feed(mut dump: Dump, to_census: Feed, to_packer: Feed, pass: &Pass<'_>) -> Result<()> {
    loop {
        let piece = tokio::select! {
            piece = dump.bytes.next() => piece,
            () = pass.stop.cancelled() => return Err(Error::Stopped),
        };
        let Some(piece) = piece.transpose()? else { break };
        pass.progress.add_bytes(piece.len());
        if !to_census.send(piece.clone()).await || !to_packer.send(piece).await {
            return Ok(());
        }
    }
    to_census.end().await;
    to_packer.end().await;
    Ok(())
}

fn count(
    from: PieceReader,
    families: Option<KeyFamilies>,
    effort: Effort,
) -> Work<larder_rdb::Result<Census>> {
    Work::start("larder-census", effort, move || census::take(from, families.as_ref()))
}

fn pack(mut from: PieceReader, to: PieceWriter, packing: Packing) -> Work<io::Result<()>> {
    Work::start("larder-pack", packing.effort, move || {
        let mut packer = Packer::new(to, &packing)?;
        while let Some(piece) = from.next_piece()? {
            packer.write_all(&piece)?;
        }
        packer.finish()?.end()
    })
}

/// Stores what was packed; what breaks off is not kept.
pub(super) async fn put(mut packed: Pieces, mut writer: ArtifactWriter) -> Result<Artifact> {
    while let Some(piece) = packed.next().await {
        let written = match piece {
            Ok(piece) => writer.write(piece).await,
            Err(source) => Err(Error::Packing { source }),
        };
        if let Err(error) = written {
            writer.abort().await;
            return Err(error);
        }
    }
    writer.finish().await
}
