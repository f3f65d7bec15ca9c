//! A cache that is gone through.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use larder_cache_client::{CacheClient, KeyFields, ReadFrom, ScanOptions, ScanPosition};
use larder_keyspace::{LiveSource, Survey, SurveyOptions};

use crate::{
    config::Settings,
    pace::{Paced, Rate},
};

#[derive(Args, Debug)]
pub(crate) struct PaceArgs {
    /// How many keys a second each node is asked for, or max for as fast as it goes [default: what its users do not feel]
    #[arg(long, value_name = "N|max")]
    pub(super) rate: Option<Rate>,
    /// Read a replica of each shard, which spares the primary; what it has not yet got is not seen
    #[arg(long)]
    pub(crate) replica: bool,
}

/// A cache that is looked at before its keys are gone through.
pub(crate) struct Live {
    pub(crate) client: CacheClient,
    pub(crate) survey: Survey,
    paced: Paced,
    read_from: ReadFrom,
}

impl Live {
    /// Looks at a cache, and begins to observe its servers where that governs the pace.
    pub(crate) async fn of(settings: &Settings, args: &PaceArgs, fields: KeyFields) -> Result<Self> {
        let client = settings.client().await?;
        let read_from = if args.replica { ReadFrom::Replica } else { ReadFrom::Primary };
        let mut options = SurveyOptions::default();
        (options.database, options.fields, options.read_from) = (settings.url.database(), fields, read_from);
        let survey = Survey::of(&client, options).await?;
        let paced = Paced::watching(settings.rate(args.rate), survey.nodes.clone());
        Ok(Self { client, survey, paced, read_from })
    }

    /// The keys, from a position on.
    pub(crate) fn source(&self, from: Option<ScanPosition>) -> LiveSource {
        let mut options = ScanOptions::default();
        options.pace = Arc::clone(&self.paced.pace);
        options.read_from = self.read_from;
        options.from = from;
        let source = LiveSource::new(&self.client, options);
        if self.survey.is_embedded { source.estimating() } else { source }
    }
}
