//! Times, sizes, shares and counts, as people write them.

use std::{fmt, marker::PhantomData, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

use super::{error::Quoted, limits::Share};

/// No time of a policy is longer, so that a server can always count it in milliseconds.
pub(super) const LONGEST_TIME: Duration = Duration::from_hours(100 * 365 * 24);

/// A time of at least a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Duration);

/// A number of bytes, at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

/// A share, written as a percentage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percentage(pub(super) Share);

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) u64);

/// Something that is written as a word or as a number. What is wrong is told as `what; remedy`.
trait Unit: Sized {
    const EXPECTED: &'static str;

    fn from_words(words: &str) -> Result<Self, String>;

    fn from_number(number: i64) -> Result<Self, String>;
}

const TIME_REMEDY: &str = "write a number with its unit, as \"30s\", \"15m\", \"2h\", \"7d\"";
const SIZE_REMEDY: &str = "write a number with its unit, as \"512B\", \"64KiB\", \"1MiB\", \"10MB\"";
const SHARE_REMEDY: &str = "write a percentage, as \"10%\"";

impl Unit for Time {
    const EXPECTED: &'static str = "a time with its unit, as \"30m\"";

    fn from_words(words: &str) -> Result<Self, String> {
        let time = humantime::parse_duration(words).map_err(|error| time_fault(words, &error))?;
        if time < Duration::from_secs(1) {
            return Err(format!(
                "{} is less than a second; write a second at least, or leave the key out",
                Quoted(words)
            ));
        }
        if time > LONGEST_TIME {
            return Err(format!(
                "{} is more than 100 years; write less, or leave the key out",
                Quoted(words)
            ));
        }
        Ok(Self(time))
    }

    fn from_number(number: i64) -> Result<Self, String> {
        Err(format!("the time {number} has no unit; {TIME_REMEDY}"))
    }
}

fn time_fault(words: &str, error: &humantime::DurationError) -> String {
    use humantime::DurationError::{NumberOverflow, UnknownUnit};
    let quoted = Quoted(words);
    match error {
        _ if words.trim_start().starts_with('-') => {
            format!("{quoted} is a negative time; write a positive one")
        }
        UnknownUnit { unit, .. } if unit.is_empty() => {
            format!("the time {quoted} has no unit; {TIME_REMEDY}")
        }
        UnknownUnit { unit, .. } => {
            format!("the time {quoted} has the unknown unit {}; write one of s, m, h, d, w", Quoted(unit))
        }
        NumberOverflow => format!("{quoted} is more than 100 years; write less, or leave the key out"),
        _ => format!("{quoted} is no time; {TIME_REMEDY}"),
    }
}

impl Unit for Size {
    const EXPECTED: &'static str = "a size with its unit, as \"1MiB\"";

    fn from_words(words: &str) -> Result<Self, String> {
        let size = words.parse::<ByteSize>().map_err(|_| size_fault(words))?;
        Self::positive(size.0, words)
    }

    fn from_number(number: i64) -> Result<Self, String> {
        let words = number.to_string();
        let bytes = u64::try_from(number).map_err(|_| size_fault(&words))?;
        Self::positive(bytes, &words)
    }
}

impl Size {
    fn positive(bytes: u64, words: &str) -> Result<Self, String> {
        if bytes == 0 {
            return Err(format!(
                "the size {} is nothing; write a byte at least, or leave the key out",
                Quoted(words)
            ));
        }
        Ok(Self(bytes))
    }
}

fn size_fault(words: &str) -> String {
    let quoted = Quoted(words);
    let number = words.trim_end_matches(|character: char| character.is_alphabetic() || character == 'µ');
    let unit = &words[number.len()..];
    if words.trim_start().starts_with('-') {
        return format!("{quoted} is a negative size; write a positive one");
    }
    if number.trim_end().parse::<f64>().is_ok() && !unit.is_empty() {
        let units = "B, KB, MB, GB (thousands) or KiB, MiB, GiB (1024)";
        return format!("the size {quoted} has the unknown unit {}; write one of {units}", Quoted(unit));
    }
    format!("{quoted} is no size; {SIZE_REMEDY}")
}

impl Unit for Percentage {
    const EXPECTED: &'static str = "a percentage, as \"10%\"";

    fn from_words(words: &str) -> Result<Self, String> {
        let quoted = Quoted(words);
        let Some(number) = words.trim_end().strip_suffix('%') else {
            return Err(format!("the share {quoted} has no percent sign; {SHARE_REMEDY}"));
        };
        let percent: f64 =
            number.trim().parse().map_err(|_| format!("{quoted} is no share; {SHARE_REMEDY}"))?;
        let share = Share::new(percent / 100.0);
        share.map(Self).ok_or_else(|| format!("{quoted} is not between 0% and 100%; {SHARE_REMEDY}"))
    }

    fn from_number(number: i64) -> Result<Self, String> {
        Err(format!("the share {number} has no percent sign; {SHARE_REMEDY}"))
    }
}

impl Unit for Count {
    const EXPECTED: &'static str = "a whole number, as 100000";

    fn from_words(words: &str) -> Result<Self, String> {
        Err(format!("{} is text; write a whole number without quotes, as 100000", Quoted(words)))
    }

    fn from_number(number: i64) -> Result<Self, String> {
        u64::try_from(number).map(Self).map_err(|_| format!("{number} is negative; write 0 or more"))
    }
}

struct UnitVisitor<T>(PhantomData<T>);

impl<T: Unit> de::Visitor<'_> for UnitVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, words: &str) -> Result<T, E> {
        T::from_words(words).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::from_number(number).map_err(E::custom)
    }
}

fn unit<'de, T: Unit, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(UnitVisitor(PhantomData))
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unit(deserializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unit(deserializer)
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unit(deserializer)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unit(deserializer)
    }
}
