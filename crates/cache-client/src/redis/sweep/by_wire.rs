//! Steps over a connection of our own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{END, Step, Steps};
use crate::{
    KeyFields, KeyRecord, Result, ScanOptions,
    redis::{
        fields::{self, Presence, Questions},
        wire::{Requests, SweepAnswer, Wire},
    },
};

/// A sweep of one node: SCAN, and in the same packets the questions about the keys that came before.
#[derive(Debug)]
pub(super) struct WireSteps {
    wire: Wire,
    options: Arc<ScanOptions>,
    database: u64,
    questions: Questions,
    requests: Requests,
    state: State,
    /// Keys whose questions are on the way, and were not answered yet.
    asked: Option<Asked>,
}

/// Where SCAN is.
#[derive(Debug)]
enum State {
    /// A step begins at this cursor.
    At(String),
    /// A step is on its way.
    OnTheWay,
    /// Keys came that were not asked about yet.
    Came(SweepAnswer),
    /// There are no more keys.
    Through,
}

#[derive(Debug)]
struct Asked {
    keys: Vec<(Bytes, KeyFields)>,
    commands: usize,
    /// Where SCAN goes on behind the keys.
    after: String,
}

impl WireSteps {
    pub(super) fn new(wire: Wire, options: Arc<ScanOptions>, database: u64, cursor: String) -> Self {
        Self {
            wire,
            options,
            database,
            questions: Questions::new(),
            requests: Requests::default(),
            state: State::At(cursor),
            asked: None,
        }
    }

    /// The next step of SCAN is on the way before anything is asked about the keys of this one, and the questions of this
    /// one before the answers to those of the one before: the server always has something to do.
    async fn overlapped(&mut self, count: usize) -> Result<Step> {
        loop {
            match std::mem::replace(&mut self.state, State::Through) {
                State::At(cursor) => {
                    self.scan(&cursor, count);
                    self.wire.send(&mut self.requests).await?;
                    self.state = State::OnTheWay;
                }
                State::OnTheWay => {
                    let came = self.came().await?;
                    let before = self.ask(came, count).await?;
                    if let Some(before) = before {
                        return self.answers(before).await;
                    }
                }
                State::Came(came) => {
                    let before = self.ask(came, count).await?;
                    if let Some(before) = before {
                        return self.answers(before).await;
                    }
                }
                State::Through => {
                    let last = self.asked.take().unwrap_or_else(Asked::nothing);
                    return self.answers(last).await;
                }
            }
        }
    }

    /// One packet a step, and nothing on the way between two: then the round trip is what the step costs the server.
    async fn one_by_one(&mut self, count: usize) -> Result<Step> {
        if let State::At(cursor) = &self.state {
            let cursor = cursor.clone();
            self.scan(&cursor, count);
            self.wire.send(&mut self.requests).await?;
            self.state = State::Came(self.came().await?);
        }
        if let State::Came(came) = std::mem::replace(&mut self.state, State::Through) {
            self.ask(came, count).await?;
        }
        if let State::OnTheWay = self.state {
            self.state = State::Came(self.came().await?);
        }
        let asked = self.asked.take().unwrap_or_else(Asked::nothing);
        self.answers(asked).await
    }

    /// Sends the next step of SCAN and the questions about the keys that came; gives those that were asked about before.
    async fn ask(&mut self, came: SweepAnswer, count: usize) -> Result<Option<Asked>> {
        self.state = if came.cursor == END {
            State::Through
        } else {
            self.scan(&came.cursor, count);
            State::OnTheWay
        };
        let steps = self.requests.commands();
        let mut keys = Vec::with_capacity(came.keys.len());
        for key in came.keys {
            let fields = self.options.fields_of(&key);
            self.questions.ask(&mut self.requests, fields, &key);
            keys.push((key, fields));
        }
        let commands = self.requests.commands() - steps;
        if self.requests.commands() > 0 {
            self.wire.send(&mut self.requests).await?;
        }
        Ok(self.asked.replace(Asked { keys, commands, after: came.cursor }))
    }

    fn scan(&mut self, cursor: &str, count: usize) {
        let count = count.max(1).to_string();
        let words: [&[u8]; 6] = [b"SCAN", cursor.as_bytes(), b"COUNT", count.as_bytes(), b"MATCH", b""];
        match &self.options.pattern {
            Some(pattern) => self.requests.add(&[words[0], words[1], words[2], words[3], words[4], pattern]),
            None => self.requests.add(&words[..4]),
        }
    }

    async fn came(&mut self) -> Result<SweepAnswer> {
        let frame = self.wire.frame("SCAN").await?;
        SweepAnswer::parse(&frame, self.wire.request("SCAN"))
    }

    async fn answers(&mut self, asked: Asked) -> Result<Step> {
        let mut step = Step {
            records: Vec::with_capacity(asked.keys.len()),
            elsewhere: Vec::new(),
            next: (asked.after != END).then_some(asked.after),
            commands: asked.commands + 1,
        };
        for (key, fields) in asked.keys {
            let mut record = KeyRecord::new(key);
            record.database = self.database;
            let mut presence = Presence::There;
            // What remains to be answered of a key that is gone is read all the same.
            for (field, command) in fields::asked(fields) {
                let found = self
                    .wire
                    .answer(command, |answer, request| {
                        fields::fill(&mut record, field, answer.accepted(request), request)
                    })
                    .await?;
                if presence == Presence::There {
                    presence = found;
                }
            }
            match presence {
                Presence::There => step.records.push(record),
                Presence::Gone => {}
                Presence::Elsewhere => step.elsewhere.push(record.key),
            }
        }
        Ok(step)
    }
}

impl Asked {
    fn nothing() -> Self {
        Self { keys: Vec::new(), commands: 0, after: END.to_owned() }
    }
}

#[async_trait]
impl Steps for WireSteps {
    async fn step(&mut self, keys: usize) -> Result<Step> {
        if self.options.pace.overlaps() { self.overlapped(keys).await } else { self.one_by_one(keys).await }
    }
}
