//! What is missing, for people.

use larder_metrics_model::Skipped;

/// What is missing, and why: for the same reason it is named together.
pub(crate) fn by_reason(skipped: &[Skipped]) -> impl Iterator<Item = (String, &str)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for Skipped { what, reason } in skipped {
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, together)) => together.push(what),
            None => reasons.push((reason, vec![what])),
        }
    }
    reasons.into_iter().map(|(reason, together)| (together.join(", "), reason))
}
