//! A cache that is gone through.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use larder_cache_client::{
    CacheClient, FixedRate, FullSpeed, Governor, KeyFields, Pace, ReadFrom, ScanOptions, ScanPosition,
};
use larder_keyspace::{LiveSource, Survey, SurveyOptions};

use crate::config::Settings;

#[derive(Args, Debug)]
pub(super) struct PaceArgs {
    /// How many keys a second each node is asked for, or max for as fast as it goes [default: what its users do not feel]
    #[arg(long, value_parser = rate, value_name = "N|max")]
    rate: Option<Rate>,
    /// Read a replica of each shard, which spares the primary; what it has not yet got is not seen
    #[arg(long)]
    pub(super) replica: bool,
}

/// How fast a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    KeysPerSecond(u32),
    Max,
}

/// A cache that is looked at before its keys are gone through.
pub(super) struct Live {
    pub(super) client: CacheClient,
    pub(super) survey: Survey,
    pace: Arc<dyn Pace>,
    read_from: ReadFrom,
    /// Observes the servers while the sweep goes on.
    _watch: Option<Box<dyn Send>>,
}

impl Live {
    /// Looks at a cache, and begins to observe its servers where that governs the pace.
    pub(super) async fn of(settings: &Settings, args: &PaceArgs, fields: KeyFields) -> Result<Self> {
        let client = settings.client().await?;
        let read_from = if args.replica { ReadFrom::Replica } else { ReadFrom::Primary };
        let mut options = SurveyOptions::default();
        (options.database, options.fields, options.read_from) = (settings.url.database(), fields, read_from);
        let survey = Survey::of(&client, options).await?;
        let (pace, watch): (Arc<dyn Pace>, Option<Box<dyn Send>>) = match args.rate {
            Some(Rate::KeysPerSecond(keys)) => (Arc::new(FixedRate::new(keys)), None),
            Some(Rate::Max) => (Arc::new(FullSpeed), None),
            // No one else waits for a cache inside this process.
            None if survey.is_embedded => (Arc::new(FullSpeed), None),
            None => {
                let governor = Arc::new(Governor::default());
                let watch = governor.watch(survey.nodes.clone());
                (governor, Some(Box::new(watch)))
            }
        };
        Ok(Self { client, survey, pace, read_from, _watch: watch })
    }

    /// The keys, from a position on.
    pub(super) fn source(&self, from: Option<ScanPosition>) -> LiveSource {
        let mut options = ScanOptions::default();
        options.pace = Arc::clone(&self.pace);
        options.read_from = self.read_from;
        options.from = from;
        let source = LiveSource::new(&self.client, options);
        if self.survey.is_embedded { source.estimating() } else { source }
    }
}

/// Reads a number of keys a second, or `max`.
fn rate(text: &str) -> Result<Rate, String> {
    match text.parse::<u32>() {
        Ok(keys) if keys > 0 => Ok(Rate::KeysPerSecond(keys)),
        _ if text == "max" => Ok(Rate::Max),
        _ => Err(format!("`{text}` is neither a number of keys a second nor max")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_or_max() {
        assert_eq!((rate("5000"), rate("max")), (Ok(Rate::KeysPerSecond(5000)), Ok(Rate::Max)));
        for text in ["", "0", "-1", "fast", "1.5"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
