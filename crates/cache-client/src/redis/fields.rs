//! The fields of keys, fetched in one packet a batch.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, Value, cmd};

use super::{
    answer::{TimeLeft, read, time_left},
    failure::Request,
    link::{Effect, Link},
};
use crate::{Error, KeyFields, KeyRecord, KeyType, Result};

/// The commands that fetch what is asked for of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldCommands(KeyFields);

/// The fields that one command each gives, in the order in which they are asked for.
const SINGLE: [KeyFields; 6] = [
    KeyFields::TYPE,
    KeyFields::TTL,
    KeyFields::ENCODING,
    KeyFields::BYTES,
    KeyFields::IDLE,
    KeyFields::FREQUENCY,
];

impl FieldCommands {
    pub(crate) fn new(mut fields: KeyFields) -> Self {
        if fields.contains(KeyFields::ELEMENTS) {
            fields |= KeyFields::TYPE;
        }
        Self(fields)
    }

    fn asked(self) -> impl Iterator<Item = KeyFields> {
        SINGLE.into_iter().filter(move |field| self.0.contains(*field))
    }

    /// Fetches the fields of keys; a key that is gone is left out.
    pub(crate) async fn fetch(self, link: &Arc<dyn Link>, keys: Vec<Bytes>) -> Result<Vec<KeyRecord>> {
        let mut records: Vec<Option<KeyRecord>> =
            keys.into_iter().map(|key| Some(KeyRecord::new(key))).collect();
        if self.0.is_empty() {
            return Ok(records.into_iter().flatten().collect());
        }
        let commands =
            records.iter().flatten().flat_map(|record| self.asked().map(|field| command(field, &record.key)));
        let mut answers = link.run_all(commands.collect(), Effect::Read).await.into_iter();
        for slot in &mut records {
            for (field, answer) in self.asked().zip(answers.by_ref()) {
                let Some(record) = slot else { continue };
                let there = fill(record, field, answer, link)?;
                if there == Presence::Gone {
                    *slot = None;
                }
            }
        }
        let mut records: Vec<KeyRecord> = records.into_iter().flatten().collect();
        if self.0.contains(KeyFields::ELEMENTS) {
            fetch_elements(link, &mut records).await?;
        }
        Ok(records)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Gone,
}

fn words(field: KeyFields) -> &'static [&'static str] {
    match field {
        KeyFields::TTL => &["PTTL"],
        KeyFields::ENCODING => &["OBJECT", "ENCODING"],
        KeyFields::BYTES => &["MEMORY", "USAGE"],
        KeyFields::IDLE => &["OBJECT", "IDLETIME"],
        KeyFields::FREQUENCY => &["OBJECT", "FREQ"],
        _ => &["TYPE"],
    }
}

fn command(field: KeyFields, key: &Bytes) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words(field)).arg(key.as_ref());
    command
}

fn fill(
    record: &mut KeyRecord,
    field: KeyFields,
    answer: Result<Value>,
    link: &Arc<dyn Link>,
) -> Result<Presence> {
    let request = Request { node: link.node(), command: words(field)[0], timeout: Duration::ZERO };
    let value = match answer {
        Ok(Value::Nil) => return Ok(Presence::Gone),
        Ok(value) => value,
        // FREQ needs an LFU policy and IDLETIME any other; the server then does not know the field.
        Err(Error::Server { .. }) if field == KeyFields::IDLE || field == KeyFields::FREQUENCY => {
            return Ok(Presence::There);
        }
        // Servers before 7.0 answer OBJECT on a missing key with an error.
        Err(Error::Server { ref source, .. }) if source.to_string().contains("no such key") => {
            return Ok(Presence::Gone);
        }
        Err(error) => return Err(error),
    };
    match field {
        KeyFields::TTL => match time_left(value, request)? {
            TimeLeft::Gone => return Ok(Presence::Gone),
            TimeLeft::There(ttl) => record.ttl = Some(ttl),
        },
        KeyFields::ENCODING => record.encoding = Some(read(value, request)?),
        KeyFields::BYTES => record.memory_bytes = Some(read(value, request)?),
        KeyFields::IDLE => record.idle = Some(Duration::from_secs(read(value, request)?)),
        KeyFields::FREQUENCY => record.frequency = Some(read(value, request)?),
        _ => {
            let name: String = read(value, request)?;
            if name == "none" {
                return Ok(Presence::Gone);
            }
            record.kind = Some(KeyType::from(name.as_str()));
        }
    }
    Ok(Presence::There)
}

async fn fetch_elements(link: &Arc<dyn Link>, records: &mut [KeyRecord]) -> Result<()> {
    let (indexes, commands): (Vec<usize>, Vec<Cmd>) = records
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((index, elements(record.kind.as_ref()?, &record.key)?)))
        .unzip();
    let request = Request { node: link.node(), command: "STRLEN", timeout: Duration::ZERO };
    for (index, answer) in indexes.into_iter().zip(link.run_all(commands, Effect::Read).await) {
        match answer {
            Ok(value) => records[index].elements = Some(read(value, request)?),
            // The key was replaced by one of another type in between.
            Err(Error::Server { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn elements(kind: &KeyType, key: &Bytes) -> Option<Cmd> {
    let mut command = cmd(match kind {
        KeyType::String => "STRLEN",
        KeyType::List => "LLEN",
        KeyType::Set => "SCARD",
        KeyType::SortedSet => "ZCARD",
        KeyType::Hash => "HLEN",
        KeyType::Stream => "XLEN",
        KeyType::Module(_) => return None,
    });
    command.arg(key.as_ref());
    Some(command)
}
