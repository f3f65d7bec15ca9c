//! A policy, written from what is in a cache.

use std::{collections::HashSet, fmt::Write as _, time::Duration};

use super::{
    error::visible,
    family::is_type,
    observed::{Kept, ObservedFamily, apart},
    reader::MOST_FAMILIES,
    rounding::{next_usual_time, usual_size, usual_time, written_size, written_time},
    selectors::LONGEST_PREFIX_BYTES,
};
use crate::KeyName;

/// How a policy is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProposalOptions {
    /// What stands between the parts of a key; families are named for the last part of their prefix.
    pub separator: char,
    /// What the families were seen in, as the policy should name it. A URL must come without its password.
    pub source: Option<String>,
}

impl Default for ProposalOptions {
    fn default() -> Self {
        Self { separator: ':', source: None }
    }
}

const HEAD: &str = "# Families of keys, and what is asked of them. Written from what was there; read it before you use it.\n";

const TAIL: &str = "
# Keys of no family are left alone. With this they are removed:
# [orphans]
# within = [\"app:\"] # only keys that begin so
# min_idle = \"1d\"   # only if they were not used for so long
# grace = \"7d\"      # marked now, removed after this time if they still are unused

# How much may be changed or removed without a word from the operator:
# [limits]
# max_keys = 1000000
# max_share = \"50%\"
";

const EXAMPLE: &str = "
# Nothing with a prefix was there. A family looks like this:
# [[family]]
# name = \"search\"
# prefix = \"app:search:\"
# ttl = { required = true, default = \"30m\", longest = \"1d\", jitter = \"10%\" }
";

/// Writes a policy for what was seen in a cache, with comments.
///
/// Its families do not overlap: a prefix takes those in that are behind it if it has at least as many keys of its own as
/// they have, and is no family otherwise; what is left out is named in a comment. A TTL is required where nine keys of
/// ten have one. The default is the usual time (`1m`, `5m`, … `30d`, …) just over what 95 % have left, the longest the
/// one just over both that and the longest that is left, and the size limit the power of two over the biggest key, so
/// that nothing but a missing TTL is wrong at first.
///
/// [`Policy::parse`](super::Policy::parse) reads it, unless nothing with a prefix was seen: then it holds an example as a
/// comment, and no family.
#[must_use]
pub fn propose_policy(observed: &[ObservedFamily], options: &ProposalOptions) -> String {
    let apart = apart(observed, LONGEST_PREFIX_BYTES, MOST_FAMILIES);
    let mut text = HEAD.to_owned();
    if let Some(source) = &options.source {
        comment(&mut text, &format!("Seen in {}.", visible(source)));
    }
    for (prefix, keys) in &apart.left {
        comment(&mut text, &left_out(prefix, *keys));
    }
    let mut names = HashSet::new();
    for kept in &apart.kept {
        text.push('\n');
        write_family(&mut text, kept, &name(&kept.family.prefix, options.separator, &mut names));
    }
    if apart.kept.is_empty() {
        text.push_str(EXAMPLE);
    }
    text.push_str(TAIL);
    text
}

fn left_out(prefix: &KeyName, keys: u64) -> String {
    let keys = counted(keys, "key");
    if prefix.as_bytes().is_empty() {
        return format!("{keys} without a prefix: no family.");
    }
    format!("{keys} of {prefix} that are in no family below.")
}

/// Finds a name that no other family has.
fn name(prefix: &KeyName, separator: char, names: &mut HashSet<String>) -> String {
    let whole = prefix.to_string();
    let last = whole.trim_end_matches(separator).rsplit(separator).next().unwrap_or_default().to_owned();
    let base = if whole.trim().is_empty() { "blank".to_owned() } else { whole.clone() };
    let numbered = (2_u64..).map(|number| format!("{base} ({number})"));
    let mut candidates = [last, whole].into_iter().filter(|name| !name.trim().is_empty()).chain(numbered);
    candidates.find(|name| names.insert(name.clone())).unwrap_or_default()
}

fn write_family(text: &mut String, kept: &Kept, name: &str) {
    let Kept { family, absorbed } = kept;
    for words in summary(family) {
        comment(text, &words);
    }
    if !absorbed.is_empty() {
        comment(text, &nested(absorbed));
    }
    text.push_str("[[family]]\n");
    line(text, "name", &quoted(name));
    line(text, "prefix", &quoted(&family.prefix.to_string()));
    write_ttl(text, family);
    if let Some(size) = family.biggest_bytes.and_then(usual_size) {
        line(text, "max_bytes", &quoted(&written_size(size)));
    }
    write_types(text, family);
}

fn write_ttl(text: &mut String, family: &ObservedFamily) {
    let Some(default) = usual_ttl(family) else { return };
    let longest = longest_ttl(family, default);
    let mut parts = vec![format!("default = \"{}\"", written_time(default))];
    parts.extend(longest.map(|longest| format!("longest = \"{}\"", written_time(longest))));
    parts.push("jitter = \"10%\"".to_owned());
    if is_required(family) {
        parts.insert(0, "required = true".to_owned());
    }
    line(text, "ttl", &format!("{{ {} }}", parts.join(", ")));
}

fn write_types(text: &mut String, family: &ObservedFamily) {
    let mut types = family.types.clone();
    types.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    // A type that a policy does not know would be wrong from the first, so then none is asked for.
    if types.is_empty() || !types.iter().all(|(word, _)| is_type(word)) {
        return;
    }
    let words: Vec<String> = types.iter().map(|(word, _)| quoted(word)).collect();
    line(text, "types", &format!("[{}]", words.join(", ")));
}

fn usual_ttl(family: &ObservedFamily) -> Option<Duration> {
    usual_time(family.ttl_p95.or(family.ttl_max).or(family.ttl_p50)?)
}

/// Leaves room over the default, for a key that was written just now has all of its time left.
fn longest_ttl(family: &ObservedFamily, default: Duration) -> Option<Duration> {
    let over_default = next_usual_time(default)?;
    Some(over_default.max(usual_time(family.ttl_max.unwrap_or(default))?))
}

/// Tells whether nine keys of ten have a TTL.
fn is_required(family: &ObservedFamily) -> bool {
    family.keys > 0 && family.without_ttl <= family.keys / 10
}

/// Says what was seen, in lines.
fn summary(family: &ObservedFamily) -> Vec<String> {
    let mut lines = vec![ttl_summary(family)];
    let biggest = family.biggest_bytes.map(|bytes| format!("the biggest takes {} bytes", grouped(bytes)));
    let typical = family.typical_bytes.map(|bytes| format!("the typical one {}", grouped(bytes)));
    let sizes: Vec<String> = biggest.into_iter().chain(typical).collect();
    if !sizes.is_empty() {
        lines.push(format!("Size: {}.", sizes.join(", ")));
    }
    if family.types.len() > 1 {
        let types = family.types.iter();
        let types = types.map(|(word, keys)| format!("{} {}", grouped(*keys), KeyName::new(word.as_bytes())));
        lines.push(format!("Types: {}.", types.collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn ttl_summary(family: &ObservedFamily) -> String {
    let keys = counted(family.keys, "key");
    let ttls = match family.without_ttl.min(family.keys) {
        0 => "all with a TTL".to_owned(),
        all if all == family.keys => "none with a TTL".to_owned(),
        some => format!("{} of them without a TTL", grouped(some)),
    };
    let longest =
        family.ttl_max.map(|longest| format!("; the longest time left is {}", written_exactly(longest)));
    format!("{keys}, {ttls}{}.", longest.unwrap_or_default())
}

const MOST_NAMED: usize = 5;

fn nested(absorbed: &[KeyName]) -> String {
    let named: Vec<String> = absorbed.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more = match absorbed.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("It takes in {}{more}.", named.join(", "))
}

fn comment(text: &mut String, words: &str) {
    let _ = writeln!(text, "# {words}");
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

/// Writes visible text as TOML: as it is where that can be, so that backslashes need not be doubled.
fn quoted(visible: &str) -> String {
    if visible.contains(['\\', '"']) && !visible.contains('\'') {
        return format!("'{visible}'");
    }
    format!("\"{}\"", visible.replace('\\', "\\\\").replace('"', "\\\""))
}

fn written_exactly(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Writes a number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
