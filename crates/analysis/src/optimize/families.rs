//! Families of keys: how long they are kept against how long they are used, and how big their keys are.

use larder_metrics_model::{Skipped, Unit};

use super::{DAY_SECONDS, FamilyUse, ids, memory::whole_bytes};
use crate::{
    Finding, Severity,
    statistics::median,
    wording::{counted, percent, seconds},
};

/// Fewer families than this are nothing to compare with.
const FEWEST_FAMILIES: usize = 3;
/// So many times the median of the families is much longer.
const MUCH_LONGER: f64 = 10.0;
/// A family of less than this share of the memory is not worth the work.
const SHARE: f64 = 0.01;
const WORTH_IT_BYTES: f64 = 1024.0 * 1024.0;
/// A value of this size takes milliseconds to send and to free.
const BIG_KEY_BYTES: f64 = 1024.0 * 1024.0;

pub(super) fn judge(families: &[FamilyUse]) -> Vec<Finding> {
    let all: f64 = families.iter().filter_map(|family| family.bytes).sum();
    let mut idle: Vec<f64> = families.iter().filter_map(|family| family.idle_median_seconds).collect();
    let usual = (idle.len() >= FEWEST_FAMILIES).then(|| median(&mut idle)).flatten();
    let longer = families.iter().filter_map(|family| longer_than_use(family, usual?, all));
    longer.chain(families.iter().filter_map(big_keys)).collect()
}

/// Says that there are no families to judge.
pub(super) fn unseen(families: &[FamilyUse]) -> Option<Skipped> {
    let reason = "no key report is in the history; `larder keys report --store` puts one there";
    families.is_empty().then(|| Skipped::new("families of keys", reason))
}

fn longer_than_use(family: &FamilyUse, usual: f64, all: f64) -> Option<Finding> {
    let (idle, bytes) = (family.idle_median_seconds?, family.bytes?);
    let is_long = idle >= usual * MUCH_LONGER && idle >= DAY_SECONDS;
    let is_worth_it = bytes >= WORTH_IT_BYTES && bytes >= all * SHARE;
    (is_long && is_worth_it).then(|| {
        let mut finding = Finding::new(ids::TTL_LONGER_THAN_USE, Severity::Info, family.name.clone())
            .saying(format!(
                "Half of the keys of this family were not used for {} or more, of other families it is {}; the family takes {}, {} \
                 of what the families take.",
                time(idle),
                time(usual),
                whole_bytes(bytes),
                percent(bytes / all),
            ))
            .with_evidence("idle_median_seconds", idle, Unit::Seconds)
            .with_evidence("usual_idle_seconds", usual, Unit::Seconds)
            .with_evidence("bytes", bytes, Unit::Bytes);
        if let Some(without) = family.without_ttl {
            finding = finding.with_evidence("keys_without_ttl", without, Unit::Count);
        }
        finding
            .recommending(format!("Give the family a TTL shorter than {}, in the policy or where it is written.", time(idle)))
            .expecting(format!(
                "About {} come free, where its keys are about equally big: the half that was not used for so long.",
                whole_bytes(bytes / 2.0)
            ))
            .risking("What is seldom asked for is then made anew each time.")
    })
}

fn big_keys(family: &FamilyUse) -> Option<Finding> {
    let keys = family.keys.filter(|keys| *keys >= 1.0);
    let mean = family.bytes.zip(keys).map(|(bytes, keys)| bytes / keys).filter(|mean| *mean >= BIG_KEY_BYTES);
    let biggest = family.biggest_bytes.filter(|bytes| *bytes >= BIG_KEY_BYTES);
    let words = match (mean, biggest) {
        (Some(mean), _) => {
            format!(
                "{} of this family take {} each in the mean.",
                counted(whole(keys.unwrap_or_default()), "key"),
                whole_bytes(mean)
            )
        }
        (None, Some(biggest)) => format!("The biggest key of this family takes {}.", whole_bytes(biggest)),
        (None, None) => return None,
    };
    let mut finding = Finding::new(ids::BIG_KEYS, Severity::Info, family.name.clone()).saying(words);
    for (name, bytes) in [("bytes_a_key", mean), ("biggest_bytes", biggest)] {
        if let Some(bytes) = bytes {
            finding = finding.with_evidence(name, bytes, Unit::Bytes);
        }
    }
    Some(
        finding
            .recommending("Split the values, or compress them; `larder keys top` names the biggest.")
            .expecting("No command on them holds up the others.")
            .risking("Whoever reads the values has to know of their new form."),
    )
}

fn time(count: f64) -> String {
    seconds(whole(count))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn whole(count: f64) -> u64 {
    count as u64
}
