//! Steps over a link, which may be a connection that the embedding service owns.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future;
use redis::cmd;

use super::{END, Step, Steps};
use crate::{
    KeyFields, KeyRecord, Result, ScanOptions,
    redis::{
        answer::read,
        failure::Request,
        fields,
        link::{Effect, Link},
    },
};

/// A sweep of one node over a link: while the server answers for one step, the next is on its way.
#[derive(Debug)]
pub(super) struct LinkSteps {
    link: Arc<dyn Link>,
    options: Arc<ScanOptions>,
    cursor: String,
    ahead: Option<Came>,
}

#[derive(Debug)]
struct Came {
    keys: Vec<Bytes>,
    next: String,
}

impl LinkSteps {
    pub(super) fn new(link: Arc<dyn Link>, options: Arc<ScanOptions>, cursor: String) -> Self {
        Self { link, options, cursor, ahead: None }
    }

    async fn scan(&self, cursor: &str, count: usize) -> Result<Came> {
        let mut command = cmd("SCAN");
        command.arg(cursor);
        if let Some(pattern) = &self.options.pattern {
            command.arg("MATCH").arg(pattern.as_ref());
        }
        command.arg("COUNT").arg(count.max(1));
        let request = Request { node: self.link.node(), command: "SCAN", timeout: std::time::Duration::ZERO };
        let answer = self.link.run(command, Effect::Read).await?;
        let (next, keys): (String, Vec<Vec<u8>>) = read(answer, request)?;
        Ok(Came { keys: keys.into_iter().map(Bytes::from).collect(), next })
    }

    fn asked(&self, came: &Came) -> Vec<(Bytes, KeyFields)> {
        came.keys.iter().map(|key| (key.clone(), self.options.fields_of(key))).collect()
    }
}

#[async_trait]
impl Steps for LinkSteps {
    async fn step(&mut self, keys: usize) -> Result<Step> {
        let came = match self.ahead.take() {
            Some(came) => came,
            None => self.scan(&self.cursor, keys).await?,
        };
        let asked = self.asked(&came);
        let commands = 1 + asked.iter().map(|(_, fields)| fields::commands(*fields)).sum::<usize>();
        let looked = fields::look(&self.link, &asked);
        let looked = if came.next == END {
            looked.await
        } else {
            let (looked, ahead) = future::join(looked, self.scan(&came.next, keys)).await;
            // A step that failed is tried again when it is its turn.
            self.ahead = ahead.ok();
            self.cursor.clone_from(&came.next);
            looked
        };
        let mut records: Vec<KeyRecord> = Vec::with_capacity(looked.len());
        for record in looked {
            records.extend(record?);
        }
        let next = (came.next != END).then_some(came.next);
        Ok(Step { records, elsewhere: Vec::new(), next, commands })
    }
}
