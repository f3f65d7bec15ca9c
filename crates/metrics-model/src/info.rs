//! The answer to INFO, read as it is.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

/// The answer to INFO: every section and every field, known or not.
///
/// The form is `# Section` lines and `field:value` lines (Redis 2.4 and later, Valkey, managed services). Reading it
/// never fails: what has no colon is kept in [`unparsed`](Self::unparsed), fields before the first heading go to a
/// section with an empty name, and of a field that is there twice the last stays. Section names are kept in lower
/// case with `_` for blanks, as INFO takes them as an argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    #[serde(flatten)]
    sections: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(skip)]
    unparsed: Vec<String>,
}

/// The fields inside one value, `name=value,name=value`, such as those of `db0` or `cmdstat_get`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfoFields<'a>(Vec<(&'a str, &'a str)>);

impl Info {
    /// Reads an answer.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut info = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix('#') {
                section = name.trim().to_lowercase().replace(' ', "_");
            } else if let Some((field, value)) = line.split_once(':') {
                info.set(&section, field, value);
            } else {
                info.unparsed.push(line.to_owned());
            }
        }
        info
    }

    /// Reads an answer that may not be UTF-8 throughout (paths and vendor fields need not be).
    #[must_use]
    pub fn parse_bytes(bytes: &[u8]) -> Self {
        Self::parse(&String::from_utf8_lossy(bytes))
    }

    /// Sets one field, for servers that are not asked over the network.
    pub fn set(&mut self, section: &str, field: &str, value: impl Into<String>) {
        self.sections.entry(section.to_owned()).or_default().insert(field.to_owned(), value.into());
    }

    /// Returns the value of a field, whichever section it is in.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&str> {
        self.sections.values().find_map(|fields| fields.get(field)).map(String::as_str)
    }

    /// Returns a field as a number, or whatever else can be read from text; `None` where it is missing or reads wrong.
    #[must_use]
    pub fn number<T: FromStr>(&self, field: &str) -> Option<T> {
        self.field(field)?.trim().parse().ok()
    }

    /// Returns a field that is `0` or `1`.
    #[must_use]
    pub fn flag(&self, field: &str) -> Option<bool> {
        match self.field(field)?.trim() {
            "0" | "no" => Some(false),
            "1" | "yes" => Some(true),
            _ => None,
        }
    }

    /// Returns the fields of one section in the order of their names.
    pub fn section(&self, section: &str) -> impl Iterator<Item = (&str, &str)> {
        self.sections
            .get(section)
            .into_iter()
            .flatten()
            .map(|(field, value)| (field.as_str(), value.as_str()))
    }

    /// Returns every field with its section.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.sections.iter().flat_map(|(section, fields)| {
            fields.iter().map(move |(field, value)| (section.as_str(), field.as_str(), value.as_str()))
        })
    }

    /// Returns every field whose name begins with `prefix`, without the prefix, whichever section it is in.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields().filter_map(move |(_, field, value)| Some((field.strip_prefix(prefix)?, value)))
    }

    /// Returns the lines that were neither a heading nor a field.
    #[must_use]
    pub fn unparsed(&self) -> &[String] {
        &self.unparsed
    }

    /// Tells whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.values().all(BTreeMap::is_empty)
    }
}

impl<'a> InfoFields<'a> {
    /// Reads `name=value,name=value`; parts without `=` are left out.
    #[must_use]
    pub fn parse(value: &'a str) -> Self {
        Self(value.split(',').filter_map(|part| part.split_once('=')).collect())
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    /// Returns a field as a number; `None` where it is missing or reads wrong.
    #[must_use]
    pub fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.field(name)?.trim().parse().ok()
    }

    /// Returns the fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_and_unknown_fields_are_kept() {
        let info = Info::parse(
            "# Server\r\nredis_version:7.0.15\r\nvendor_field:a:b\r\n\r\n# Command Stats\r\nx:1\r\n",
        );
        assert_eq!(info.field("vendor_field"), Some("a:b"));
        assert_eq!(info.section("command_stats").collect::<Vec<_>>(), [("x", "1")]);
        assert_eq!(info.number::<u64>("x"), Some(1));
        assert_eq!(info.number::<u64>("redis_version"), None);
    }

    #[test]
    fn what_is_no_field_is_named_not_dropped() {
        let info = Info::parse("lonely\n:empty name\nbefore:1\n");
        assert_eq!(info.unparsed(), ["lonely"]);
        assert_eq!(info.section("").count(), 2);
        assert!(Info::parse("").is_empty());
    }

    #[test]
    fn values_within_a_value() {
        let fields = InfoFields::parse("keys=12,expires=3,avg_ttl=5000,broken,subexpiry=0");
        assert_eq!(fields.number::<u64>("keys"), Some(12));
        assert_eq!(fields.field("broken"), None);
        assert_eq!(fields.iter().count(), 4);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let info = Info::parse_bytes(&bytes);
            let _ = crate::ServerFacts::from(&info);
        }

        #[test]
        fn what_was_set_is_read_back(fields in prop::collection::btree_map("[a-z_]{1,12}", "[ -~]{0,20}", 0..20)) {
            let text = fields.iter().fold(String::from("# Any\r\n"), |text, (field, value)| {
                text + field + ":" + value.trim_end() + "\r\n"
            });
            let info = Info::parse(&text);
            for (field, value) in &fields {
                prop_assert_eq!(info.field(field), Some(value.trim_end()));
            }
            let json = serde_json::to_string(&info).unwrap();
            prop_assert_eq!(serde_json::from_str::<Info>(&json).unwrap(), info);
        }
    }
}
