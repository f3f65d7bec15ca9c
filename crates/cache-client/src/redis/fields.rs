//! The questions about a key, and what their answers say.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, Value, cmd};

use super::{
    answer::read,
    failure::Request,
    link::{Effect, Link},
    wire::{Answer, Requests, prefix},
};
use crate::{Error, KeyFields, KeyRecord, KeyType, Result, Ttl};

/// The fields that one command each gives, in the order in which they are asked for, and the words of the command.
const QUESTIONS: [(KeyFields, &[&str]); 6] = [
    (KeyFields::TYPE, &["TYPE"]),
    (KeyFields::TTL, &["PTTL"]),
    (KeyFields::ENCODING, &["OBJECT", "ENCODING"]),
    (KeyFields::BYTES, &["MEMORY", "USAGE"]),
    (KeyFields::IDLE, &["OBJECT", "IDLETIME"]),
    (KeyFields::FREQUENCY, &["OBJECT", "FREQ"]),
];

/// The questions as the protocol has them, up to the key.
#[derive(Debug)]
pub(crate) struct Questions([(KeyFields, Vec<u8>); 6]);

/// Whether a key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is.
    There,
    /// It is not, or not any more.
    Gone,
    /// It is on another node of the cluster.
    Elsewhere,
}

impl Questions {
    pub(crate) fn new() -> Self {
        Self(QUESTIONS.map(|(field, words)| (field, prefix(words))))
    }

    /// Asks for fields of a key.
    #[inline]
    pub(crate) fn ask(&self, requests: &mut Requests, fields: KeyFields, key: &[u8]) {
        for (_, prefix) in self.0.iter().filter(|(field, _)| fields.contains(*field)) {
            requests.add_prefixed(prefix, key);
        }
    }
}

/// The fields whose answers come for a key, in their order, with the command's first word.
pub(crate) fn asked(fields: KeyFields) -> impl Iterator<Item = (KeyFields, &'static str)> {
    QUESTIONS
        .into_iter()
        .filter(move |(field, _)| fields.contains(*field))
        .map(|(field, words)| (field, words[0]))
}

/// How many commands the fields of a key take.
pub(crate) fn commands(fields: KeyFields) -> usize {
    asked(fields).count()
}

/// Takes an answer into the record.
pub(crate) fn fill(
    record: &mut KeyRecord,
    field: KeyFields,
    answer: Result<Answer<'_>>,
    request: Request<'_>,
) -> Result<Presence> {
    let answer = match answer {
        Ok(Answer::Nil) => return Ok(Presence::Gone),
        Ok(answer) => answer,
        Err(error) => return refused(error, field),
    };
    match field {
        KeyFields::TYPE => match answer.text(request)? {
            b"none" => return Ok(Presence::Gone),
            word => record.kind = Some(KeyType::from(String::from_utf8_lossy(word).as_ref())),
        },
        KeyFields::TTL => match answer.number(request)? {
            -2 => return Ok(Presence::Gone),
            -1 => record.ttl = Some(Ttl::None),
            milliseconds => {
                record.ttl = Some(Ttl::In(Duration::from_millis(unsigned(milliseconds, request)?)));
            }
        },
        KeyFields::ENCODING => record.encoding = Some(encoding(answer.text(request)?)),
        KeyFields::BYTES => record.memory_bytes = Some(unsigned(answer.number(request)?, request)?),
        KeyFields::IDLE => {
            record.idle = Some(Duration::from_secs(unsigned(answer.number(request)?, request)?));
        }
        _ => record.frequency = u8::try_from(answer.number(request)?).ok(),
    }
    Ok(Presence::There)
}

fn unsigned(number: i64, request: Request<'_>) -> Result<u64> {
    u64::try_from(number).map_err(|_| request.unexpected(format!("{number} is less than nothing")))
}

fn refused(error: Error, field: KeyFields) -> Result<Presence> {
    match error {
        // FREQ needs an LFU policy and IDLETIME any other; the server then does not know the field.
        Error::Server { .. } if field == KeyFields::IDLE || field == KeyFields::FREQUENCY => {
            Ok(Presence::There)
        }
        // Servers before 7.0 answer OBJECT on a missing key with an error.
        Error::Server { ref source, .. } if source.to_string().contains("no such key") => Ok(Presence::Gone),
        error if error.is_elsewhere() => Ok(Presence::Elsewhere),
        error => Err(error),
    }
}

/// The words that OBJECT ENCODING answers (Redis 2.2 to 8.0, Valkey 9): they are known, so that they cost nothing.
const ENCODINGS: [&str; 13] = [
    "embstr",
    "raw",
    "int",
    "listpack",
    "hashtable",
    "quicklist",
    "skiplist",
    "intset",
    "stream",
    "ziplist",
    "listpackex",
    "linkedlist",
    "zipmap",
];

pub(crate) fn encoding(word: &[u8]) -> Cow<'static, str> {
    match ENCODINGS.iter().find(|known| known.as_bytes() == word) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(String::from_utf8_lossy(word).into_owned()),
    }
}

/// The command that tells how many elements a value has; `None` for modules.
pub(crate) fn length_command(kind: &KeyType) -> Option<&'static str> {
    Some(match kind {
        KeyType::String => "STRLEN",
        KeyType::List => "LLEN",
        KeyType::Set => "SCARD",
        KeyType::SortedSet => "ZCARD",
        KeyType::Hash => "HLEN",
        KeyType::Stream => "XLEN",
        KeyType::Module(_) => return None,
    })
}

/// Asks over a link for fields of keys; a key that is gone is `None`.
pub(crate) async fn look(
    link: &Arc<dyn Link>,
    keys: &[(Bytes, KeyFields)],
) -> Vec<Result<Option<KeyRecord>>> {
    let commands =
        keys.iter().flat_map(|(key, fields)| asked(*fields).map(move |field| question(field.0, key)));
    let mut answers = link.run_all(commands.collect(), Effect::Read).await.into_iter();
    keys.iter().map(|(key, fields)| record(link, key, *fields, &mut answers)).collect()
}

fn record(
    link: &Arc<dyn Link>,
    key: &Bytes,
    fields: KeyFields,
    answers: &mut impl Iterator<Item = Result<Value>>,
) -> Result<Option<KeyRecord>> {
    let mut record = KeyRecord::new(key.clone());
    let mut outcome = Ok(Presence::There);
    for ((field, command), answer) in asked(fields).zip(answers) {
        let request = Request { node: link.node(), command, timeout: Duration::ZERO };
        let answer = answer.as_ref().map_err(Error::clone).and_then(|value| in_one_part(value, request));
        let found = fill(&mut record, field, answer, request);
        if matches!(outcome, Ok(Presence::There)) {
            outcome = found;
        }
    }
    outcome.map(|presence| (presence == Presence::There).then_some(record))
}

fn in_one_part<'a>(value: &'a Value, request: Request<'_>) -> Result<Answer<'a>> {
    Ok(match value {
        Value::Nil => Answer::Nil,
        Value::Int(number) => Answer::Number(*number),
        Value::BulkString(text) => Answer::Text(text),
        Value::SimpleString(text) => Answer::Text(text.as_bytes()),
        Value::Okay => Answer::Text(b"OK"),
        _ => return Err(request.unexpected("it is of another form than the command has")),
    })
}

fn question(field: KeyFields, key: &Bytes) -> Cmd {
    let mut command = Cmd::new();
    let words = QUESTIONS.iter().find(|(known, _)| *known == field).map_or(&["TYPE"][..], |(_, words)| words);
    command.arg(words).arg(key.as_ref());
    command
}

/// Asks over a link how many elements the values of some records have.
pub(crate) async fn count_elements(
    link: &Arc<dyn Link>,
    records: &mut [KeyRecord],
    wants: impl Fn(&KeyRecord) -> bool,
) -> Result<()> {
    let (indexes, commands): (Vec<usize>, Vec<Cmd>) = records
        .iter()
        .enumerate()
        .filter(|(_, record)| wants(record))
        .filter_map(|(index, record)| {
            let mut command = cmd(length_command(record.kind.as_ref()?)?);
            command.arg(record.key.as_ref());
            Some((index, command))
        })
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
