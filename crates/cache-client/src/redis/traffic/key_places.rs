//! Which words of a command are keys.

mod answer;
mod place;

use std::collections::HashMap;

use redis::Value;

use self::{
    answer::{items, number, text},
    place::Place,
};

/// Where the keys of each command stand, as the server itself says it (COMMAND): by key specifications since Redis 7.0, and by first key,
/// last key and step before.
#[derive(Debug, Default)]
pub(super) struct KeyPlaces(HashMap<String, Known>);

#[derive(Debug, Default)]
struct Known {
    places: Vec<Place>,
    /// Whether the first argument is part of the name.
    is_subcommand: bool,
}

/// The keys of one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keys<'w> {
    /// Each with whether the command may change it.
    pub(super) found: Vec<(&'w [u8], bool)>,
    /// Whether it may have others.
    pub(super) is_part: bool,
}

/// How far the words of a command can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// All are there.
    Whole,
    /// What stands at the end is not.
    CutOff,
    /// All that follows the first argument may be anything: the server does not mark where a word ends.
    Blurred,
}

impl KeyPlaces {
    /// Reads what COMMAND answers. What is not understood is left out.
    pub(super) fn read(answer: Value) -> Self {
        let mut places = Self::default();
        for command in items(answer) {
            places.add(command);
        }
        places
    }

    fn add(&mut self, command: Value) {
        let mut parts = items(command).into_iter();
        let Some(name) = parts.next().and_then(text) else { return };
        // Arity.
        parts.next();
        let flags = parts.next().map(items).unwrap_or_default();
        let writes = flags.into_iter().filter_map(text).any(|flag| flag == "write");
        let [first, last, step] = [(); 3].map(|()| parts.next().and_then(number).unwrap_or(0));
        // Categories and tips.
        let specifications = parts.nth(2);
        let places = match specifications {
            Some(specified) => items(specified).into_iter().filter_map(Place::read).collect(),
            None => Place::of_positions(first, last, step, writes).into_iter().collect(),
        };
        parts.next().map(items).unwrap_or_default().into_iter().for_each(|command| self.add(command));
        let is_subcommand = name.contains('|');
        self.0.insert(name.to_lowercase(), Known { places, is_subcommand });
    }

    /// Returns the words of a command that are keys.
    pub(super) fn keys<'w>(&self, words: &'w [Vec<u8>], state: Words) -> Keys<'w> {
        let mut keys = Keys::default();
        let Some(known) = self.of(words) else { return keys };
        for place in &known.places {
            if state == Words::Blurred {
                place.add_first(words, 1 + usize::from(known.is_subcommand), &mut keys);
            } else {
                place.add(words, state == Words::Whole, &mut keys);
            }
        }
        keys
    }

    fn of(&self, words: &[Vec<u8>]) -> Option<&Known> {
        let word = |at: usize| words.get(at).map(|word| String::from_utf8_lossy(word).to_lowercase());
        let name = word(0)?;
        word(1).and_then(|second| self.0.get(&format!("{name}|{second}"))).or_else(|| self.0.get(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn list(words: &[&str]) -> Value {
        let items = words.iter().map(|text| text.parse().map_or_else(|_| word(text), Value::Int));
        Value::Array(items.collect())
    }

    fn search(kind: &str, by: &[&str]) -> Value {
        Value::Array(vec![word("type"), word(kind), word("spec"), list(by)])
    }

    fn specified(name: &str, flags: &[&str], specifications: Vec<Value>, under: Vec<Value>) -> Value {
        let empty = || Value::Array(Vec::new());
        Value::Array(vec![
            word(name),
            Value::Int(-2),
            list(flags),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            empty(),
            empty(),
            Value::Array(specifications),
            Value::Array(under),
        ])
    }

    fn specification(rights: &str, begin: Value, find: Value) -> Value {
        let flags = list(&[rights, "access"]);
        Value::Array(vec![word("flags"), flags, word("begin_search"), begin, word("find_keys"), find])
    }

    fn places() -> KeyPlaces {
        let at = |index: &str| search("index", &["index", index]);
        let range = |last: &str, step: &str, limit: &str| {
            search("range", &["lastkey", last, "keystep", step, "limit", limit])
        };
        let counted = |first: &str| search("keynum", &["keynumidx", "0", "firstkey", first, "keystep", "1"]);
        let one = |rights, begin, find| vec![specification(rights, begin, find)];
        let streams = search("keyword", &["keyword", "STREAMS", "startfrom", "1"]);
        let last_keys = search("keyword", &["keyword", "KEYS", "startfrom", "-2"]);
        let old = Value::Array(vec![
            word("mset"),
            Value::Int(-3),
            list(&["write"]),
            Value::Int(1),
            Value::Int(-1),
            Value::Int(2),
        ]);
        let encoding =
            specified("object|encoding", &[], one("RO", at("2"), range("0", "1", "0")), Vec::new());
        let store = vec![
            specification("OW", at("1"), range("0", "1", "0")),
            specification("RO", at("2"), range("0", "1", "0")),
        ];
        KeyPlaces::read(Value::Array(vec![
            specified("zrangestore", &["write"], store, Vec::new()),
            specified("get", &["readonly"], one("RO", at("1"), range("0", "1", "0")), Vec::new()),
            specified("del", &["write"], one("RM", at("1"), range("-1", "1", "0")), Vec::new()),
            specified("blpop", &["write"], one("RW", at("1"), range("-2", "1", "0")), Vec::new()),
            specified("eval", &[], one("RW", at("2"), counted("1")), Vec::new()),
            specified("xread", &[], one("RO", streams, range("-1", "1", "2")), Vec::new()),
            specified("migrate", &[], one("RW", last_keys, range("-1", "1", "0")), Vec::new()),
            specified("object", &[], Vec::new(), vec![encoding]),
            specified("ping", &[], Vec::new(), Vec::new()),
            old,
            Value::Nil,
        ]))
    }

    /// The keys of a line, those that may be changed with an exclamation mark, and an ellipsis where there may be others.
    fn keys(line: &str, state: Words) -> String {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let places = places();
        let keys = places.keys(&words, state);
        let mark = |writes: bool| if writes { "!" } else { "" };
        let mut shown: Vec<String> = keys
            .found
            .iter()
            .map(|(key, writes)| format!("{}{}", String::from_utf8_lossy(key), mark(*writes)))
            .collect();
        shown.extend(keys.is_part.then(|| "…".to_owned()));
        shown.join(" ")
    }

    #[test]
    fn keys_stand_where_the_server_says() {
        for (line, expected) in [
            ("GET a", "a"),
            ("del a b c", "a! b! c!"),
            ("mset a 1 b 2", "a! b!"),
            ("blpop a b 0", "a! b!"),
            ("eval script 2 a b argument", "a! b!"),
            ("eval script 0 argument", ""),
            ("xread count 1 STREAMS a b 0 0", "a b"),
            ("migrate h 1 k 0 5 keys a b", "a! b!"),
            ("migrate h 1 k 0 5 copy", ""),
            ("zrangestore a b 0 9", "a! b"),
            ("OBJECT encoding a", "a"),
            ("object help", ""),
            ("ping", ""),
            ("module.command a", ""),
        ] {
            assert_eq!(keys(line, Words::Whole), expected, "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_has_no_keys() {
        for line in [
            "get",
            "del",
            "blpop",
            "eval s",
            "eval s x a",
            "eval s 99 a",
            "xread streams",
            "xread a",
            "migrate",
        ] {
            for state in [Words::Whole, Words::CutOff, Words::Blurred] {
                let found = keys(line, state);
                assert!(found.trim_end_matches(['…', ' ']).len() <= 2, "{line}: {found}");
            }
        }
        assert_eq!(keys(&format!("eval s {} a", usize::MAX), Words::Whole), "");
        assert!(KeyPlaces::read(Value::Nil).0.is_empty());
    }

    #[test]
    fn of_a_command_that_is_cut_off_no_other_word_is_taken_for_a_key() {
        for (line, expected) in [
            ("get a", "a"),
            ("zrangestore a b 0", "a! b"),
            ("mset a 1 b", "a! b! …"),
            ("del a b", "a! b! …"),
            ("xread streams a b 0", "…"),
            ("eval s", "…"),
            ("eval s 3 a b", "a! b! …"),
        ] {
            assert_eq!(keys(line, Words::CutOff), expected, "{line}");
        }
    }

    #[test]
    fn where_words_have_no_sure_end_nothing_behind_the_first_is_taken_for_a_key() {
        for (line, expected) in [
            ("get a", "a"),
            ("mset a 1 secret 2", "a! …"),
            ("del a b", "a! …"),
            ("zrangestore a b 0", "a! …"),
            ("eval s 1 a", "…"),
            ("xread streams a 0", "…"),
            ("object encoding a", "a"),
            ("ping secret", ""),
        ] {
            assert_eq!(keys(line, Words::Blurred), expected, "{line}");
        }
    }
}
