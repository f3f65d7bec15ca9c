//! From lines to the keys of what clients called.

use super::{
    heads::Head,
    key_places::{KeyPlaces, Words},
    line::Line,
};
use crate::traffic::{Round, UsedKey};

/// Counts what clients called, each key once a call. What a script runs stands behind the script, and is part of its call.
#[derive(Debug)]
pub(super) struct Calls<'p> {
    places: &'p KeyPlaces,
    /// Whether the server marks where words end.
    marks_words: bool,
    round: Round,
    open: Option<Call>,
    first_us: u64,
    last_us: u64,
}

/// The call that was told last, to which commands of a script may be added.
#[derive(Debug, Default)]
struct Call {
    keys: Vec<(UsedKey, bool)>,
    is_part: bool,
}

impl<'p> Calls<'p> {
    pub(super) fn new(places: &'p KeyPlaces, marks_words: bool) -> Self {
        Self { places, marks_words, round: Round::default(), open: None, first_us: 0, last_us: 0 }
    }

    /// How many calls there were.
    pub(super) fn count(&self) -> u64 {
        self.round.commands
    }

    /// Takes a line; what is none is passed over.
    pub(super) fn take(&mut self, head: &Head) {
        let Some(line) = Line::parse(&head.text) else { return };
        if !line.is_of_script {
            self.close();
            self.open = Some(Call::default());
            if self.round.commands == 0 {
                self.first_us = line.at_us;
            }
            self.last_us = line.at_us;
            self.round.commands += 1;
        }
        // A round may begin in the middle of a script.
        let Some(call) = &mut self.open else { return };
        let state = match (self.marks_words, head.is_whole) {
            (false, _) => Words::Blurred,
            (true, false) => Words::CutOff,
            (true, true) => Words::Whole,
        };
        let keys = self.places.keys(&line.words, state);
        call.is_part |= keys.is_part;
        for (name, writes) in keys.found {
            call.add(UsedKey::new(line.database, name), writes);
        }
    }

    fn close(&mut self) {
        let Some(call) = self.open.take() else { return };
        self.round.half_read += u64::from(call.is_part);
        for (key, writes) in call.keys {
            self.round.count(key, writes);
        }
    }

    /// Returns what was counted; how long the calls took by the server's own clock, in seconds, where there were several.
    pub(super) fn finish(mut self) -> (Round, Option<f64>) {
        self.close();
        let span = self.last_us.saturating_sub(self.first_us);
        #[expect(clippy::cast_precision_loss, reason = "a round takes less than 53 bits of microseconds")]
        let seconds = (span > 0).then_some(span as f64 / 1e6);
        (self.round, seconds)
    }
}

impl Call {
    fn add(&mut self, key: UsedKey, writes: bool) {
        match self.keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, written)) => *written |= writes,
            None => self.keys.push((key, writes)),
        }
    }
}
