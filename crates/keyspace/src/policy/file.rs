//! The tables of a policy file.

use serde::Deserialize;
use toml::Spanned;

use super::{
    error::{PolicyError, Quoted, Source},
    family::ValueForm,
    nearest::suggestion,
    unit::{Count, Percentage, Size, Time},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct PolicyFile {
    #[serde(default)]
    pub(super) family: Vec<Spanned<FamilyTable>>,
    pub(super) orphans: Option<OrphanTable>,
    #[serde(default)]
    pub(super) limits: LimitTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct FamilyTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) pattern: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) ttl: TtlTable,
    pub(super) max_bytes: Option<Size>,
    pub(super) types: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) values: Option<ValueForm>,
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) protected: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as { required = true, default = \"30m\" }")]
pub(super) struct TtlTable {
    pub(super) required: Option<Spanned<bool>>,
    pub(super) default: Option<Spanned<Time>>,
    pub(super) longest: Option<Spanned<Time>>,
    pub(super) jitter: Option<Spanned<Percentage>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct OrphanTable {
    pub(super) within: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) min_idle: Option<Time>,
    pub(super) grace: Option<Time>,
}

#[expect(clippy::struct_field_names, reason = "the names are the keys of the file")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct LimitTable {
    pub(super) max_keys: Option<Count>,
    pub(super) max_share: Option<Percentage>,
    pub(super) max_rate: Option<Spanned<Count>>,
}

/// Reads the tables.
pub(super) fn read(source: &Source<'_>) -> Result<PolicyFile, PolicyError> {
    toml::from_str(source.text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let (what, remedy) = explain(error.message());
        source.error(offset, what, remedy)
    })
}

/// Makes what the reader says into what is wrong and what to do.
///
/// The reader's words are ``unknown field `x`, expected one of `a`, `b` ``, ``unknown variant `x`, expected `a` or `b` ``,
/// `invalid type: x, expected y` (serde's derive), those of the units, and those of the TOML parser.
fn explain(message: &str) -> (String, String) {
    if let Some((what, remedy)) = message.rsplit_once("; ") {
        return (what.to_owned(), remedy.to_owned());
    }
    for (beginning, word) in [("unknown field ", "key"), ("unknown variant ", "word")] {
        if let Some(names) = message.strip_prefix(beginning) {
            return explain_name(names, word);
        }
    }
    let types = message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected "));
    if let Some((found, expected)) = types {
        return explain_type(found, expected);
    }
    if message == "duplicate key" {
        return ("the key is there already".to_owned(), "keep one of the two".to_owned());
    }
    (message.replace('\n', ", "), "write it as TOML asks for it (https://toml.io)".to_owned())
}

fn explain_name(names: &str, word: &str) -> (String, String) {
    let mut names = names.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    (format!("the {word} {} is unknown", Quoted(unknown)), suggestion(unknown, &known))
}

fn explain_type(found: &str, expected: &str) -> (String, String) {
    let remedy = match (found, expected) {
        ("map", "a sequence") => "write its name in two brackets, as `[[family]]`".to_owned(),
        (_, "a sequence") => "write a list, as [\"one\", \"other\"]".to_owned(),
        (_, "a boolean") => "write true or false, without quotes".to_owned(),
        (_, "a string") => "write it in quotes".to_owned(),
        _ => format!("write {expected}"),
    };
    let found = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        value => Quoted(value).to_string(),
    };
    (format!("{found} does not belong here"), remedy)
}
