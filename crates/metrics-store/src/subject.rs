//! What a series is of, as one text: a node, a family, or nothing for the cache as a whole. The name of the metric says
//! which.

use larder_metrics_model::{NodeAddress, Sample, Scope};

use crate::{SeriesName, SeriesQuery};

/// Returns what a sample is of.
pub(crate) fn of_sample<'a>(sample: &Sample<'a>) -> &'a str {
    sample.family.or(sample.node.map(NodeAddress::as_str)).unwrap_or_default()
}

/// Returns what is asked of; `None` where no metric of that name has such series.
pub(crate) fn of_query(query: &SeriesQuery) -> Option<&str> {
    let node = query.node.as_ref().map(NodeAddress::as_str);
    match (Scope::of(&query.metric), node, query.family.as_deref()) {
        (Scope::Cache, None, None) => Some(""),
        (Scope::Node, Some(node), None) => Some(node),
        (Scope::Family, None, Some(family)) => Some(family),
        _ => None,
    }
}

/// Names the series of a metric that is of `subject`.
pub(crate) fn named(cache: Option<String>, metric: String, subject: String) -> SeriesName {
    let (node, family) = match Scope::of(&metric) {
        Scope::Family => (None, Some(subject)),
        _ if subject.is_empty() => (None, None),
        _ => (Some(NodeAddress::new(subject)), None),
    };
    SeriesName { cache, metric, node, family }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_asked_for_by_its_name() {
        for (metric, subject) in
            [("hits", ""), ("node_keys", "a:1"), ("family_keys", "app:"), ("family_keys", "")]
        {
            let name = named(None, metric.to_owned(), subject.to_owned());
            assert_eq!(of_query(&SeriesQuery::from(name)), Some(subject), "{metric}");
        }
    }

    #[test]
    fn a_node_is_no_family_and_a_family_no_node() {
        let node = |metric: &str| SeriesQuery::new(metric).of_node(NodeAddress::new("a:1"));
        let family = |metric: &str| SeriesQuery::new(metric).of_family("app:");
        for query in [
            node("hits"),
            node("family_keys"),
            family("hits"),
            family("node_keys"),
            SeriesQuery::new("node_keys"),
            SeriesQuery::new("family_keys"),
            node("family_keys").of_family("app:"),
        ] {
            assert_eq!(of_query(&query), None, "{query:?}");
        }
    }
}
