//! Where keys of one kind stand in a command.

use std::collections::HashMap;

use redis::Value;

use super::{
    Keys,
    answer::{fields, items, number, place, text},
};

/// Where to begin, and which words from there on are keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    begin: Begin,
    find: Find,
    /// Whether these keys may be changed.
    writes: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Begin {
    /// At this word, the name being the first.
    At(usize),
    /// Behind this word, which is looked for from there on; from the end back where that is negative.
    Behind(String, i64),
}

#[derive(Debug, PartialEq, Eq)]
enum Find {
    /// Every so-manieth up to the last one, which counts from the beginning, or from the end where it is negative. Of what is left only
    /// the so-manieth part is keys.
    Range { last: i64, step: usize, part: usize },
    /// As many as this word says.
    Counted { count_at: usize, first: usize, step: usize },
}

impl Place {
    pub(super) fn of_positions(first: i64, last: i64, step: i64, writes: bool) -> Option<Self> {
        let begin = usize::try_from(first).ok().filter(|first| *first > 0)?;
        let last = if last < 0 { last } else { last - first };
        let step = usize::try_from(step).unwrap_or(1).max(1);
        Some(Self { begin: Begin::At(begin), find: Find::Range { last, step, part: 0 }, writes })
    }

    pub(super) fn read(specification: Value) -> Option<Self> {
        let mut fields = fields(specification);
        let flags = fields.remove("flags").map(items).unwrap_or_default();
        let flags: Vec<String> = flags.into_iter().filter_map(text).map(|flag| flag.to_lowercase()).collect();
        let has = |flag: &str| flags.iter().any(|one| one == flag);
        if has("not_key") {
            return None;
        }
        let writes = !has("ro");
        let (kind, mut by) = kind(fields.remove("begin_search")?)?;
        let begin = match kind.as_str() {
            "index" => Begin::At(by.remove("index").and_then(place)?),
            "keyword" => {
                Begin::Behind(by.remove("keyword").and_then(text)?, by.remove("startfrom").and_then(number)?)
            }
            _ => return None,
        };
        let (kind, mut by) = self::kind(fields.remove("find_keys")?)?;
        let step = by.remove("keystep").and_then(place).unwrap_or(1).max(1);
        let find = match kind.as_str() {
            "range" => Find::Range {
                last: by.remove("lastkey").and_then(number)?,
                step,
                part: by.remove("limit").and_then(place).unwrap_or(0),
            },
            "keynum" => Find::Counted {
                count_at: by.remove("keynumidx").and_then(place)?,
                first: by.remove("firstkey").and_then(place)?,
                step,
            },
            _ => return None,
        };
        Some(Self { begin, find, writes })
    }

    pub(super) fn add<'w>(&self, words: &'w [Vec<u8>], is_whole: bool, keys: &mut Keys<'w>) {
        let range = self.begin.find(words).and_then(|begin| self.find.range(words, begin, is_whole));
        let Some((first, end, step)) = range else {
            keys.is_part |= !is_whole;
            return;
        };
        keys.is_part |= !is_whole && (end > words.len() || self.find.goes_to_the_end());
        let found = words.get(first..end.min(words.len())).unwrap_or_default();
        keys.found.extend(found.iter().step_by(step).map(|key| (key.as_slice(), self.writes)));
    }

    /// Takes the word at a place that nothing before it can have moved, and no other.
    pub(super) fn add_first<'w>(&self, words: &'w [Vec<u8>], place: usize, keys: &mut Keys<'w>) {
        let is_there = self.begin == Begin::At(place) && matches!(self.find, Find::Range { .. });
        let is_one = matches!(self.find, Find::Range { last: 0, .. });
        keys.is_part |= !(is_there && is_one);
        if let (true, Some(key)) = (is_there, words.get(place)) {
            keys.found.push((key, self.writes));
        }
    }
}

impl Begin {
    fn find(&self, words: &[Vec<u8>]) -> Option<usize> {
        match self {
            Self::At(at) => Some(*at),
            Self::Behind(keyword, from) => {
                let is_it = |word: &Vec<u8>| word.eq_ignore_ascii_case(keyword.as_bytes());
                if let Ok(from) = usize::try_from(*from) {
                    return Some(words.get(from..)?.iter().position(is_it)? + from + 1);
                }
                let back = usize::try_from(from.unsigned_abs()).ok()?;
                let end = words.len().checked_sub(back)? + 1;
                Some(words[..end].iter().rposition(is_it)? + 1)
            }
        }
    }
}

impl Find {
    fn goes_to_the_end(&self) -> bool {
        matches!(self, Self::Range { last, .. } if *last < 0)
    }

    /// The first key, the end of the keys, and the step between them.
    fn range(&self, words: &[Vec<u8>], begin: usize, is_whole: bool) -> Option<(usize, usize, usize)> {
        match *self {
            Self::Range { part, .. } if part > 1 && !is_whole => None,
            Self::Range { last, step, part } => {
                let end = match usize::try_from(last) {
                    Ok(last) => begin + last + 1,
                    // Where the end was cut off, the words that stand behind the keys are not there.
                    Err(_) if !is_whole => words.len(),
                    Err(_) if part > 1 => begin + words.len().checked_sub(begin)? / part,
                    Err(_) => (words.len() + 1).checked_sub(usize::try_from(last.unsigned_abs()).ok()?)?,
                };
                Some((begin, end, step))
            }
            Self::Counted { count_at, first, step } => {
                let count = std::str::from_utf8(words.get(begin.checked_add(count_at)?)?).ok()?;
                let count: usize = count.parse().ok()?;
                let first = begin.checked_add(first)?;
                Some((first, first.checked_add(count.checked_mul(step)?)?, step))
            }
        }
    }
}

/// The kind of a search, and what it goes by.
fn kind(search: Value) -> Option<(String, HashMap<String, Value>)> {
    let mut search = fields(search);
    Some((search.remove("type").and_then(text)?, search.remove("spec").map(fields)?))
}
