//! Patterns as SCAN takes them, read once.

use super::byte_set::ByteSet;

/// A pattern: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that is taken as it is (SCAN, Redis 2.8
/// and later). Every other byte stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    /// What is between the stars: one segment where there is no star, and one more than there are stars otherwise. Only
    /// the first and the last can be empty.
    segments: Vec<Vec<ByteSet>>,
}

/// What makes a pattern senseless, with the offset of the bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GlobFault {
    Unclosed(usize),
    EmptySet(usize),
}

impl Glob {
    pub(super) fn parse(pattern: &[u8]) -> Result<Self, GlobFault> {
        let mut segments = vec![Vec::new()];
        let mut at = 0;
        while let Some(byte) = pattern.get(at) {
            let (set, length) = match byte {
                b'*' => {
                    // Stars that follow each other are one.
                    if segments.len() == 1 || segments.last().is_some_and(|segment| !segment.is_empty()) {
                        segments.push(Vec::new());
                    }
                    at += 1;
                    continue;
                }
                b'?' => (ByteSet::FULL, 1),
                b'[' => parse_set(&pattern[at + 1..], at)?,
                b'\\' => pattern.get(at + 1).map_or((ByteSet::of(b'\\'), 1), |next| (ByteSet::of(*next), 2)),
                literal => (ByteSet::of(*literal), 1),
            };
            if let Some(segment) = segments.last_mut() {
                segment.push(set);
            }
            at += length;
        }
        Ok(Self { segments })
    }

    pub(super) fn segments(&self) -> &[Vec<ByteSet>] {
        &self.segments
    }

    /// Tells whether the pattern takes whatever follows its last byte.
    pub(super) fn is_open_ended(&self) -> bool {
        self.segments.len() > 1 && self.tail().is_empty()
    }

    /// Tells whether the pattern takes every key, those aside that are shorter than a few bytes.
    pub(super) fn is_everything(&self) -> bool {
        self.segments.len() > 1 && self.segments.iter().flatten().all(|set| *set == ByteSet::FULL)
    }

    /// Tells whether a key could begin with the prefix and match the pattern.
    pub(super) fn meets_prefix(&self, prefix: &[u8]) -> bool {
        let long_enough = self.segments.len() > 1 || self.head().len() >= prefix.len();
        long_enough && self.head().iter().zip(prefix).all(|(set, byte)| set.contains(*byte))
    }

    /// Tells whether a key could match both patterns.
    ///
    /// Where both have stars, what is between their first and last star can always stand side by side in one key, so
    /// only the heads and the tails can be at odds.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self.segments.as_slice(), other.segments.as_slice()) {
            ([one], [another]) => one.len() == another.len() && fit(one.iter(), another.iter()),
            ([fixed], _) => other.takes_one_of(fixed),
            (_, [fixed]) => self.takes_one_of(fixed),
            _ => {
                fit(self.head().iter(), other.head().iter())
                    && fit(self.tail().iter().rev(), other.tail().iter().rev())
            }
        }
    }

    /// Tells whether a pattern with stars takes one of the keys that have a byte of each set in turn. A segment takes the
    /// first place that it fits: bytes of different places do not depend on each other, so a later one is never better.
    fn takes_one_of(&self, fixed: &[ByteSet]) -> bool {
        let (head, tail) = (self.head(), self.tail());
        if fixed.len() < head.len() + tail.len() || !fit(fixed.iter(), head.iter()) {
            return false;
        }
        let (mut rest, end) = fixed[head.len()..].split_at(fixed.len() - head.len() - tail.len());
        for segment in &self.segments[1..self.segments.len() - 1] {
            let place = rest.windows(segment.len()).position(|window| fit(window.iter(), segment.iter()));
            let Some(place) = place else { return false };
            rest = &rest[place + segment.len()..];
        }
        fit(end.iter(), tail.iter())
    }

    fn head(&self) -> &[ByteSet] {
        self.segments.first().map_or(&[], Vec::as_slice)
    }

    fn tail(&self) -> &[ByteSet] {
        self.segments.last().map_or(&[], Vec::as_slice)
    }
}

fn fit<'a>(one: impl Iterator<Item = &'a ByteSet>, other: impl Iterator<Item = &'a ByteSet>) -> bool {
    one.zip(other).all(|(one, other)| one.meets(other))
}

/// Reads what follows an opening bracket, and says how long all of it is, both brackets included.
fn parse_set(pattern: &[u8], opened: usize) -> Result<(ByteSet, usize), GlobFault> {
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut set = ByteSet::EMPTY;
    loop {
        match pattern.get(at..).unwrap_or_default() {
            [] => return Err(GlobFault::Unclosed(opened)),
            [b']', ..] => break,
            [b'\\', escaped, ..] => {
                set.insert(*escaped);
                at += 2;
            }
            [from, b'-', to, ..] => {
                for byte in *from.min(to)..=*from.max(to) {
                    set.insert(byte);
                }
                at += 3;
            }
            [literal, ..] => {
                set.insert(*literal);
                at += 1;
            }
        }
    }
    let set = if negated { set.complement() } else { set };
    if set == ByteSet::EMPTY { Err(GlobFault::EmptySet(opened)) } else { Ok((set, at + 2)) }
}

#[cfg(test)]
mod tests;
