//! What was left out, in few words.

use super::{FEWEST, OptimizeFacts};
use crate::{TimeSeries, wording::counted};

/// So many are named one by one.
const MOST_NAMED: usize = 3;

/// Says what it takes where there is hardly anything to judge.
pub(super) fn shortage(facts: &OptimizeFacts) -> Option<String> {
    let told = [&facts.hit_ratio, &facts.latency_ms, &facts.used_memory_bytes];
    let of_cache = told.map(TimeSeries::len).into_iter();
    let of_rates = [&facts.hits, &facts.operations].map(|rates| rates.series.len());
    let of_nodes = facts.nodes.iter().map(|node| node.used_memory_bytes.len());
    let most = of_cache.chain(of_rates).chain(of_nodes).max().unwrap_or_default();
    (most < FEWEST).then(|| {
        format!(
            "not enough data, with {} in this time: most findings and a trend take {FEWEST}, anomalies more than 2 days and 24 \
             measurements; `larder collect`, or `larder maintain daily`, every few minutes makes them",
            counted(most as u64, "measurement")
        )
    })
}

/// What is the same of several things is said once: `a: gone`, `b: gone` become `a, b: gone`.
pub(super) fn together(notes: Vec<String>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for note in notes {
        let (subject, words) = match note.split_once(": ") {
            Some((subject, words)) => (Some(subject.to_owned()), words.to_owned()),
            None => (None, note),
        };
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, subjects)) => subjects.extend(subject.filter(|new| !subjects.contains(new))),
            None => groups.push((words, subject.into_iter().collect())),
        }
    }
    groups.into_iter().map(|(words, subjects)| one(words, &subjects)).collect()
}

fn one(words: String, subjects: &[String]) -> String {
    match subjects {
        [] => words,
        few if few.len() <= MOST_NAMED => format!("{}: {words}", few.join(", ")),
        many => {
            let named = many.get(..MOST_NAMED - 1).unwrap_or_default();
            format!("{} and {} more: {words}", named.join(", "), many.len() - named.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(notes: &[&str]) -> Vec<String> {
        together(notes.iter().map(|note| (*note).to_owned()).collect())
    }

    #[test]
    fn what_is_the_same_of_several_is_said_once() {
        assert!(told(&[]).is_empty());
        assert_eq!(told(&["a: gone", "b: here", "a: gone", "c: gone"]), ["a, c: gone", "b: here"]);
        assert_eq!(told(&["a: x", "b: x", "c: x"]), ["a, b, c: x"]);
        assert_eq!(told(&["a: x", "b: x", "c: x", "d: x"]), ["a, b and 2 more: x"]);
        assert_eq!(
            told(&["no subject", "no subject", "metric of h:1: x"]),
            ["no subject", "metric of h:1: x"]
        );
    }
}
