//! A cache whose shards send images of themselves.

use anyhow::Result;
use clap::ValueEnum;
use larder_cache_client::{CacheClient, DumpOptions, KeyFields, ReadFrom};
use larder_keyspace::{DumpRead, Error, StreamOptions, StreamSource, Survey, SurveyOptions};

use super::live::PaceArgs;
use crate::{command_error::UsageError, config::Settings};

/// How the keys of a cache are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// The server is asked for keys and what they are, at a pace that its users do not feel
    #[default]
    Scan,
    /// Each shard sends one RDB image over the replication stream, which is read as it comes and not stored: no command a
    /// key, one fork a shard; bytes are estimated
    Dump,
}

impl Via {
    /// Refuses what is no server.
    pub(crate) fn refuse_for_files(self) -> Result<(), UsageError> {
        match self {
            Self::Scan => Ok(()),
            Self::Dump => {
                let words = "a file is there already, so --via dump means nothing for it";
                Err(UsageError(words.to_owned()))
            }
        }
    }
}

/// A cache that was found to send images.
pub(crate) struct Images {
    pub(crate) client: CacheClient,
    pub(crate) survey: Survey,
    pub(crate) source: StreamSource,
}

impl Images {
    /// Looks at a cache, and makes sure that each shard would send an image before any does.
    pub(crate) async fn of(settings: &Settings, pace: &PaceArgs) -> Result<Self> {
        if settings.url.is_embedded() {
            let words = "an embedded cache has no replication stream, so --via dump means nothing for it";
            return Err(UsageError(words.to_owned()).into());
        }
        if pace.rate.is_some() {
            let words =
                "an image comes as fast as it is sent and read, so --rate means nothing with --via dump";
            return Err(UsageError(words.to_owned()).into());
        }
        let client = settings.client().await?;
        let read_from = if pace.replica { ReadFrom::Replica } else { ReadFrom::Primary };
        let mut options = SurveyOptions::default();
        options.database = settings.url.database();
        (options.fields, options.read_from) = (KeyFields::empty(), read_from);
        let survey = Survey::of(&client, options).await?;
        let mut options = DumpOptions::default();
        options.read_from = read_from;
        let shards = client.dump_shards(&options).await?;
        let mut options = StreamOptions::default();
        options.database = Some(u64::from(settings.url.database()));
        let source = StreamSource::new(shards, options);
        source.check().await.map_err(pointed_to_scan)?;
        Ok(Self { client, survey, source })
    }

    /// What was in the images of all shards together; `None` where not one came to its end.
    pub(crate) fn read(&self) -> Option<DumpRead> {
        let mut shards = self.source.outcome().into_iter().map(|shard| shard.read);
        let mut sum = shards.next()?;
        for read in shards {
            sum.keys += read.keys;
            sum.expired_keys += read.expired_keys;
        }
        Some(sum)
    }
}

/// Names the other way, where a server does not let this user take this one.
pub(crate) fn pointed_to_scan(error: Error) -> anyhow::Error {
    let is_closed = match &error {
        Error::NoImage { source, .. } => source.is_blocked(),
        Error::NoStream { .. } | Error::Unchecked { .. } => true,
        _ => false,
    };
    if is_closed {
        return anyhow::Error::new(error)
            .context("--via dump is not open here; --via scan asks for the keys");
    }
    error.into()
}
