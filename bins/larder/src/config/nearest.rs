//! The name that was probably meant.

/// Adds the nearest known name to what the reader says of an unknown one.
///
/// The reader's words are ``unknown field `x`, expected one of `a`, `b` `` (serde's derive); other words stay as they are.
pub(crate) fn with_nearest(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else { return message.to_owned() };
    let known: Vec<&str> = names.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(unknown.len()) / 2);
    match nearest {
        Some((_, name)) => format!("unknown key `{unknown}`; is `{name}` meant?"),
        None => format!("unknown key `{unknown}`; there is {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told() {
        let message = "unknown field `timout`, expected one of `cache`, `timeout`, `retries`";
        assert_eq!(with_nearest(message), "unknown key `timout`; is `timeout` meant?");
        let message = "unknown field `zzzzzzzzz`, expected `cache` or `timeout`";
        assert_eq!(with_nearest(message), "unknown key `zzzzzzzzz`; there is cache, timeout");
        assert_eq!(with_nearest("invalid type"), "invalid type");
    }
}
