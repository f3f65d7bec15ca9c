//! Which of many prefixes a key begins with.

use super::matcher::FamilyId;

/// A radix tree of prefixes of which none begins with another. Looking a key up takes a step for each place of the key's
/// prefix at which others part from it, however many there are.
#[derive(Clone, Debug)]
pub(super) struct Prefixes {
    /// The root is the first, and its label is empty.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    label: Box<[u8]>,
    /// The first bytes of the labels of the children, in order.
    heads: Vec<u8>,
    /// The children, in the order of their heads.
    children: Vec<u32>,
    /// The family whose prefix ends here; then there are no children.
    family: Option<FamilyId>,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Prefixes {
    /// Returns the family whose prefix the key begins with.
    pub(super) fn find(&self, key: &[u8]) -> Option<FamilyId> {
        let mut node = self.nodes.first()?;
        let mut rest = key;
        loop {
            if node.family.is_some() {
                return node.family;
            }
            let child = node.child(*rest.first()?)?;
            node = self.nodes.get(child)?;
            rest = rest.strip_prefix(&*node.label)?;
        }
    }

    /// Adds a prefix, or names a family whose prefix begins with it or that it begins with.
    pub(super) fn insert(&mut self, prefix: &[u8], family: FamilyId) -> Result<(), FamilyId> {
        let (mut at, mut rest) = (0, prefix);
        loop {
            if let Some(shorter) = self.nodes[at].family {
                return Err(shorter);
            }
            let Some(head) = rest.first() else { return self.insert_here(at, family) };
            let Some(child) = self.nodes[at].child(*head) else {
                self.add_leaf(at, rest, family);
                return Ok(());
            };
            let label = &self.nodes[child].label;
            let common = label.iter().zip(rest).take_while(|(one, other)| one == other).count();
            if common < label.len() {
                self.split(child, common);
            }
            (at, rest) = (child, &rest[common..]);
        }
    }

    /// Adds a prefix that ends at a node: only the root of an empty tree has nothing below it.
    fn insert_here(&mut self, at: usize, family: FamilyId) -> Result<(), FamilyId> {
        if let Some(longer) = self.any_below(at) {
            return Err(longer);
        }
        self.nodes[at].family = Some(family);
        Ok(())
    }

    fn any_below(&self, mut at: usize) -> Option<FamilyId> {
        while self.nodes[at].family.is_none() {
            at = *self.nodes[at].children.first()? as usize;
        }
        self.nodes[at].family
    }

    fn add_leaf(&mut self, parent: usize, label: &[u8], family: FamilyId) {
        let leaf = self.push(Node { label: label.into(), family: Some(family), ..Node::default() });
        let parent = &mut self.nodes[parent];
        let place = parent.heads.partition_point(|head| *head < label[0]);
        parent.heads.insert(place, label[0]);
        parent.children.insert(place, leaf);
    }

    /// Puts a node in the middle of a label, so that something can branch off there.
    fn split(&mut self, at: usize, length: usize) {
        let mut lower = std::mem::take(&mut self.nodes[at]);
        let (upper_label, lower_label) = lower.label.split_at(length);
        let (label, head): (Box<[u8]>, u8) = (upper_label.into(), lower_label[0]);
        lower.label = lower_label.into();
        let lower = self.push(lower);
        self.nodes[at] = Node { label, heads: vec![head], children: vec![lower], family: None };
    }

    fn push(&mut self, node: Node) -> u32 {
        let index =
            u32::try_from(self.nodes.len()).expect("there are at most two nodes a family, and few families");
        self.nodes.push(node);
        index
    }
}

impl Node {
    fn child(&self, head: u8) -> Option<usize> {
        let place = self.heads.binary_search(&head).ok()?;
        self.children.get(place).map(|child| *child as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(prefixes: &[&str]) -> Result<Prefixes, FamilyId> {
        let mut tree = Prefixes::default();
        for (index, prefix) in prefixes.iter().enumerate() {
            tree.insert(prefix.as_bytes(), FamilyId::new(index))?;
        }
        Ok(tree)
    }

    #[test]
    fn keys_are_found_by_their_prefix() {
        let tree = tree(&["app:search:", "app:session:", "app:t", "b", "\u{0}"]).unwrap();
        for (key, expected) in [
            ("app:search:1", Some(0)),
            ("app:search:", Some(0)),
            ("app:search", None),
            ("app:session:x", Some(1)),
            ("app:s", None),
            ("app:temp", Some(2)),
            ("app", None),
            ("b", Some(3)),
            ("bb", Some(3)),
            ("", None),
            ("\u{0}a", Some(4)),
            ("c", None),
        ] {
            assert_eq!(tree.find(key.as_bytes()), expected.map(FamilyId::new), "{key}");
        }
    }

    #[test]
    fn a_prefix_of_another_is_named() {
        for (prefixes, clash) in [
            (&["a", "a"][..], 0),
            (&["a", "ab"], 0),
            (&["ab", "a"], 0),
            (&["x", "abc", "abd", "ab"], 1),
            (&["abc", "abd", "abde"], 1),
            (&["a", ""], 0),
            (&["", "a"], 0),
        ] {
            assert_eq!(tree(prefixes).unwrap_err(), FamilyId::new(clash), "{prefixes:?}");
        }
    }

    #[test]
    fn an_empty_tree_and_an_empty_prefix() {
        assert_eq!(Prefixes::default().find(b""), None);
        assert_eq!(Prefixes::default().find(b"a"), None);
        assert_eq!(tree(&[""]).unwrap().find(b"a"), Some(FamilyId::new(0)));
    }

    proptest! {
        #[test]
        fn a_key_is_of_the_prefix_that_it_begins_with(
            prefixes in prop::collection::vec("[ab:]{1,5}", 0..12),
            keys in prop::collection::vec("[ab:]{0,8}", 0..20),
        ) {
            let mut tree = Prefixes::default();
            let mut taken: Vec<(&str, FamilyId)> = Vec::new();
            for (index, prefix) in prefixes.iter().enumerate() {
                let id = FamilyId::new(index);
                let clashes =
                    |other: &str| prefix.starts_with(other) || other.starts_with(prefix.as_str());
                match tree.insert(prefix.as_bytes(), id) {
                    Ok(()) => {
                        prop_assert!(!taken.iter().any(|(other, _)| clashes(other)));
                        taken.push((prefix, id));
                    }
                    Err(clash) => {
                        prop_assert!(taken.iter().any(|(other, id)| *id == clash && clashes(other)));
                    }
                }
            }
            for key in &keys {
                let expected = taken.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, id)| *id);
                prop_assert_eq!(tree.find(key.as_bytes()), expected);
            }
        }
    }
}
