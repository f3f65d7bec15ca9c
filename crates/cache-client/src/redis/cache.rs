//! Values in Redis or Valkey.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, cmd};

use super::{
    answer::{TimeLeft, bytes, milliseconds, read, time_left},
    failure::Request,
    link::{Effect, Link},
};
use crate::{Cache, Entry, Result, Ttl};

/// Values over whatever link leads to them.
#[derive(Debug)]
pub(crate) struct RedisCache {
    link: Arc<dyn Link>,
}

impl RedisCache {
    pub(crate) fn new(link: Arc<dyn Link>) -> Self {
        Self { link }
    }

    fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: self.link.node(), command, timeout: Duration::ZERO }
    }
}

fn keyed(name: &str, key: &[u8]) -> Cmd {
    let mut command = cmd(name);
    command.arg(key);
    command
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        bytes(self.link.run(keyed("GET", key), Effect::Read).await?, self.request("GET"))
    }

    /// GET and PTTL in one packet. Between the two the key can go; then it was not there.
    async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        let commands = vec![keyed("GET", key), keyed("PTTL", key)];
        let mut answers = self.link.run_all(commands, Effect::Read).await.into_iter();
        let (Some(value), Some(left)) = (answers.next(), answers.next()) else {
            return Err(self.request("GET").unexpected("no answer"));
        };
        let Some(value) = bytes(value?, self.request("GET"))? else { return Ok(None) };
        Ok(match time_left(left?, self.request("PTTL"))? {
            TimeLeft::Gone => None,
            TimeLeft::There(Ttl::None) => Some(Entry { value, ttl: None }),
            TimeLeft::There(Ttl::In(ttl)) => Some(Entry { value, ttl: Some(ttl) }),
        })
    }

    async fn set(&self, key: &[u8], value: Bytes, ttl: Option<Duration>) -> Result<()> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return self.delete(key).await.map(|_| ());
        }
        let mut command = keyed("SET", key);
        command.arg(value.as_ref());
        if let Some(ttl) = ttl {
            command.arg("PX").arg(milliseconds(ttl));
        }
        self.link.run(command, Effect::Write).await.map(|_| ())
    }

    async fn delete(&self, key: &[u8]) -> Result<bool> {
        let removed: u64 = read(self.link.run(keyed("DEL", key), Effect::Write).await?, self.request("DEL"))?;
        Ok(removed > 0)
    }

    async fn exists(&self, key: &[u8]) -> Result<bool> {
        let there: u64 =
            read(self.link.run(keyed("EXISTS", key), Effect::Read).await?, self.request("EXISTS"))?;
        Ok(there > 0)
    }
}
