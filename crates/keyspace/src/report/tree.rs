//! The families as a tree of prefixes.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    family_tally::FamilyTally,
    finish::shown_name,
    merged::Merged,
    model::{FamilyNode, Figures},
    options::ReportOptions,
};

/// Puts families below their prefixes; families of a classifier have none above them.
pub(super) fn tree(
    merged: &Merged<'_>,
    options: &ReportOptions,
    figures: impl Fn(&FamilyTally) -> Figures,
) -> Vec<FamilyNode> {
    let parent = |name| if options.classifier.is_some() { None } else { options.rule.parent(name) };
    let mut sums: BTreeMap<&[u8], FamilyTally> = BTreeMap::new();
    for (name, tally) in &merged.families {
        let mut level = Some(*name);
        while let Some(prefix) = level {
            sums.entry(prefix).or_default().merge_counts(tally);
            level = parent(prefix);
        }
    }
    let mut children: BTreeMap<Option<&[u8]>, Vec<&[u8]>> = BTreeMap::new();
    for prefix in sums.keys() {
        children.entry(parent(prefix)).or_default().push(prefix);
    }
    let mut roots = nodes(None, &children, &|prefix| figures(sums.get(prefix).unwrap_or(&merged.other)));
    if merged.other.keys > 0 {
        let name = "(other)".to_owned();
        roots.push(FamilyNode { name, figures: figures(&merged.other), children: Vec::new() });
    }
    roots
}

/// The depth of a tree is that of the rule, so it cannot exhaust the stack.
fn nodes(
    parent: Option<&[u8]>,
    children: &BTreeMap<Option<&[u8]>, Vec<&[u8]>>,
    figures: &impl Fn(&[u8]) -> Figures,
) -> Vec<FamilyNode> {
    let below = children.get(&parent).into_iter().flatten();
    let mut nodes: Vec<FamilyNode> = below
        .map(|prefix| FamilyNode {
            name: shown_name(prefix),
            figures: figures(prefix),
            children: nodes(Some(prefix), children, figures),
        })
        .collect();
    nodes.sort_by_key(|node| (Reverse(node.figures.bytes), Reverse(node.figures.keys)));
    nodes
}
