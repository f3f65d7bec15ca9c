//! Whether a server takes the data, and has it then.

use std::time::{Duration, Instant};

use crate::{
    BackupId, Error, Repository, Result, ScratchServer, ServerProgram, ShardImage, VerifyOptions,
    census::{self, Census},
    passage,
    reading::{self, against_census},
    scratch::{ScratchFolder, ScratchOptions, server_of},
    thread::Work,
};

/// What became of loading an image.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What is wrong.
    pub(crate) problems: Vec<String>,
    /// The server that loaded it.
    pub(crate) program: Option<String>,
    /// How long bringing the file took, and loading it.
    pub(crate) fetch_time: Duration,
    pub(crate) load_time: Duration,
}

/// Brings the image of a shard to this machine, starts a server with it, and compares what that server writes of it.
pub(crate) async fn load_shard(
    repository: &Repository,
    id: &BackupId,
    shard: &ShardImage,
    options: &VerifyOptions,
) -> Result<Loaded> {
    let begun = Instant::now();
    let folder = ScratchFolder::make(options.scratch_folder.as_deref()).await?;
    let read = reading::read_image(repository, id, shard, Some(&folder.dump()), &options.reading()).await?;
    let fetch_time = begun.elapsed();
    let mut loaded = Loaded { problems: read.problems, program: None, fetch_time, load_time: Duration::ZERO };
    // What is not sound is not given to a server.
    let Some(census) = read.census else { return Ok(loaded) };
    let program = fitting(shard, &census, options)?;
    loaded.program = Some(program.server.to_string());
    let begun = Instant::now();
    let scratch = ScratchOptions { patience: options.load_patience };
    let booted = tokio::select! {
        booted = ScratchServer::boot(program, folder, &scratch) => booted,
        () = options.stop.cancelled() => return Err(Error::Stopped),
    };
    let server = match booted {
        Ok(server) => server,
        Err(error @ Error::Unloadable { .. }) => {
            loaded.problems.push(format!("{} cannot be loaded: {error}", shard.artifact.path));
            return Ok(loaded);
        }
        Err(error) => return Err(error),
    };
    loaded.load_time = begun.elapsed();
    let written = written_by(&server, options).await;
    server.end().await;
    loaded.problems.extend(against_written(shard, &census, &written?));
    Ok(loaded)
}

fn fitting<'p>(shard: &ShardImage, census: &Census, options: &'p VerifyOptions) -> Result<&'p ServerProgram> {
    let taken_from = shard.server.as_deref().and_then(server_of);
    options.programs.fitting(census.format, taken_from).ok_or_else(|| Error::Refused {
        what: "loading the backup".to_owned(),
        reasons: vec![format!(
            "no server program that loads {} is known ({}); name one that does",
            census.format, options.programs
        )],
    })
}

/// What the server has, as it writes it.
async fn written_by(server: &ScratchServer, options: &VerifyOptions) -> Result<Census> {
    use futures_util::StreamExt;
    let mut image = server.image().await?;
    let (feed, reader) = passage::to_thread();
    let work = Work::start("larder-census", options.effort, move || census::take(reader, None));
    while let Some(piece) = image.bytes.next().await.transpose()? {
        if !feed.send(piece).await {
            break;
        }
    }
    feed.end().await;
    work.done().await?.map_err(|source| Error::Dump { of: server.program().to_owned(), source })
}

fn against_written(shard: &ShardImage, read: &Census, written: &Census) -> Vec<String> {
    let mut expected = shard.clone();
    // Another version writes the same data in other bytes.
    expected.rdb_bytes = None;
    expected.counts = Some(read.counts.clone());
    expected.digest = Some(read.digest);
    let problems = against_census(&expected, written);
    problems.into_iter().map(|problem| format!("loaded and written again, {problem}")).collect()
}
