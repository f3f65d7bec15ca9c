//! The name that was probably meant.

/// Returns the known name that is nearest to one that is not known, if it is near.
pub(super) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |name: &&'a str| strsim::damerau_levenshtein(unknown, name);
    let (distance, name) = known.iter().map(|name| (distance(name), *name)).min()?;
    (distance <= name.len().max(unknown.len()) / 2).then_some(name)
}

/// Says which known name is near, or else which there are.
pub(super) fn suggestion(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known) {
        Some(name) => format!("is `{name}` meant?"),
        None => format!("write one of `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told() {
        assert_eq!(suggestion("prefx", &["pattern", "prefix"]), "is `prefix` meant?");
        assert_eq!(suggestion("zzzzzzzz", &["pattern", "prefix"]), "write one of `pattern`, `prefix`");
        assert_eq!(nearest("", &["a"]), None);
        assert_eq!(nearest("a", &[]), None);
    }
}
