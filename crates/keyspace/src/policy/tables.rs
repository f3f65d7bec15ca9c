//! What the tables of a policy say, checked.

use toml::Spanned;

use super::{
    error::{PolicyError, Quoted, Source},
    family::{KNOWN_TYPES, TtlRule, is_type},
    file::{LimitTable, OrphanTable, TtlTable},
    limits::{OrphanRule, PolicyLimits, Share},
    nearest::nearest,
    selectors::prefix_of,
};
use crate::KeyName;

/// Most of a TTL that jitter takes off.
const MOST_JITTER: f64 = 0.5;

type Checked<T> = Result<T, PolicyError>;

pub(super) fn ttl(source: &Source<'_>, table: &TtlTable) -> Checked<TtlRule> {
    let required = table.required.as_ref().is_some_and(|required| *required.get_ref());
    let default = table.default.as_ref().map(|time| time.get_ref().0);
    let longest = table.longest.as_ref().map(|time| time.get_ref().0);
    if let (true, None, Some(place)) = (required, default, &table.required) {
        let what = "a TTL is required and there is no default";
        return Err(source.error(place.span().start, what, "add one, as default = \"30m\""));
    }
    if let (Some(default), Some(longest), Some(place)) = (default, longest, &table.default)
        && default > longest
    {
        let [default, longest] = [default, longest].map(humantime::format_duration);
        let what = format!("the default TTL of {default} is over the longest of {longest}");
        return Err(source.error(place.span().start, what, "make it shorter, or `longest` longer"));
    }
    Ok(TtlRule { required, default, longest, jitter: jitter(source, table)? })
}

fn jitter(source: &Source<'_>, table: &TtlTable) -> Checked<Share> {
    let Some(jitter) = &table.jitter else { return Ok(Share::default()) };
    let refuse = |what: String, remedy| Err(source.error(jitter.span().start, what, remedy));
    let share = jitter.get_ref().0;
    if share.get() > MOST_JITTER {
        return refuse(format!("a jitter of {share} is more than half of the TTL"), "write 50% at the most");
    }
    if table.default.is_none() {
        return refuse(
            "there is a jitter, and no default TTL to take it off".to_owned(),
            "add a default, as default = \"30m\"",
        );
    }
    Ok(share)
}

pub(super) fn types(
    source: &Source<'_>,
    types: Option<Spanned<Vec<Spanned<String>>>>,
) -> Checked<Vec<String>> {
    let Some(types) = types else { return Ok(Vec::new()) };
    if types.get_ref().is_empty() {
        let what = "no type is allowed, so no key could be right";
        return Err(source.error(types.span().start, what, "write some, or leave the key out"));
    }
    types.into_inner().into_iter().map(|word| one_type(source, word)).collect()
}

fn one_type(source: &Source<'_>, word: Spanned<String>) -> Checked<String> {
    if is_type(word.get_ref()) {
        return Ok(word.into_inner());
    }
    let what = format!("TYPE never answers {}", Quoted(word.get_ref()));
    let remedy = match nearest(word.get_ref(), &KNOWN_TYPES) {
        Some(near) => format!("is `{near}` meant?"),
        None => {
            format!("write one of `{}`, or the type of a module, as `ReJSON-RL`", KNOWN_TYPES.join("`, `"))
        }
    };
    Err(source.error(word.span().start, what, remedy))
}

pub(super) fn orphans(source: &Source<'_>, table: OrphanTable) -> Checked<OrphanRule> {
    let within = table.within.map_or(Ok(Vec::new()), |list| within(source, &list))?;
    Ok(OrphanRule {
        within,
        min_idle: table.min_idle.map(|time| time.0),
        grace: table.grace.map(|time| time.0),
    })
}

fn within(source: &Source<'_>, within: &Spanned<Vec<Spanned<String>>>) -> Checked<Vec<KeyName>> {
    if within.get_ref().is_empty() {
        let what = "`within` holds nothing, so no key could be an orphan";
        return Err(source.error(within.span().start, what, "write a prefix, or leave the key out"));
    }
    within.get_ref().iter().map(|prefix| prefix_of(source, prefix)).collect()
}

pub(super) fn limits(source: &Source<'_>, table: &LimitTable) -> Checked<PolicyLimits> {
    let default = PolicyLimits::default();
    let max_rate = table.max_rate.as_ref().map(|rate| rate.get_ref().0);
    if let (Some(0), Some(place)) = (max_rate, &table.max_rate) {
        let what = "at no key a second nothing would ever end";
        return Err(source.error(place.span().start, what, "write 1 or more, or leave the key out"));
    }
    Ok(PolicyLimits {
        max_keys: table.max_keys.map_or(default.max_keys, |count| count.0),
        max_share: table.max_share.map_or(default.max_share, |share| share.0),
        max_rate,
    })
}
