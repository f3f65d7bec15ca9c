//! Counting what the backup does not have, for the plan.

use futures_util::StreamExt;
use larder_cache_client::ScanOptions;
use larder_rdb::KeyName;

use super::{KeyNames, LiveOthers, MOST_NAMED};
use crate::{
    Error, Result,
    restore::live::{LiveRestore, apply::Clients, target::Looked},
};

impl LiveRestore {
    /// Goes through the keys of the cache once, at the pace, and counts those that are not in the backup.
    pub(in crate::restore::live) async fn count_others(
        &self,
        names: &KeyNames,
        looked: &Looked,
    ) -> Result<LiveOthers> {
        let (mut others, mut clients) = (LiveOthers::default(), Clients::of(self));
        // A scan may give a key twice.
        let mut seen = KeyNames::default();
        for database in looked.databases_in_question() {
            let client = clients.of_database(database).await?;
            let mut options = ScanOptions::default();
            options.pace = self.options.pace.clone();
            let mut batches = client.keys().scan(options);
            loop {
                let batch = tokio::select! {
                    batch = batches.next() => batch,
                    () = self.options.stop.cancelled() => return Err(Error::Stopped),
                };
                let Some(batch) = batch else { break };
                for record in batch?.records {
                    if names.has(database, &record.key) || !seen.is_new(database, &record.key) {
                        continue;
                    }
                    others.keys += 1;
                    if others.named.len() < MOST_NAMED {
                        others.named.push(KeyName::from(record.key.as_ref()).to_string());
                    }
                }
            }
        }
        Ok(others)
    }
}
