//! Files and payloads of many versions and writers that others published: `LARDER_CORPORA` names their folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use larder_rdb::{Checksum, Element, Error, KeyName, Kind, Payload, ReadOptions, Reader, Record, Value};
use serde_json::Value as Json;

/// Folder of the RDB corpora; prints that the test is skipped where there is none.
pub(crate) fn corpora(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("LARDER_CORPORA").map(|root| Path::new(&root).join("rdb"));
    let found = folder.filter(|folder| folder.join("MANIFEST.tsv").is_file());
    if found.is_none() {
        eprintln!("{test}: skipped, because LARDER_CORPORA names no folder with rdb/MANIFEST.tsv");
    }
    found
}

/// A line of the manifest.
struct Listed {
    path: PathBuf,
    name: String,
    contents: String,
    expected: String,
}

fn manifest(folder: &Path) -> Vec<Listed> {
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        Listed {
            path: folder.join(fields[0]),
            name: fields[0].to_owned(),
            contents: fields[5].to_owned(),
            expected: fields.get(6).unwrap_or(&"").to_string(),
        }
    });
    lines.collect()
}

/// What the manifest's "contents" says of a file, in the same words: version, keys, expiries, databases, types.
fn describe(bytes: &[u8]) -> Result<String, Error> {
    let mut reader = Reader::from_slice(bytes)?;
    let version = reader.format().version();
    let mut writer = "-".to_owned();
    let (mut keys, mut expires) = (0, 0);
    let mut dbs = BTreeMap::new();
    let mut types = BTreeMap::new();
    while let Some(record) = reader.next_record()? {
        match record {
            Record::Aux { name: b"redis-ver", value } => writer = String::from_utf8_lossy(value).into_owned(),
            Record::Key(entry) => {
                let skimmed = entry.skim()?;
                keys += 1;
                expires += u64::from(skimmed.expires_at_ms.is_some());
                *dbs.entry(skimmed.db).or_insert(0) += 1;
                *types.entry(skimmed.value_type.byte()).or_insert((0, skimmed.value_type)) = {
                    let (count, _) =
                        types.get(&skimmed.value_type.byte()).copied().unwrap_or((0, skimmed.value_type));
                    (count + 1, skimmed.value_type)
                };
            }
            _ => {}
        }
    }
    let crc = match reader.checksum() {
        Checksum::Verified(_) => "ok",
        Checksum::Off => "off",
        Checksum::Absent => "none(v<5)",
        other => panic!("{other:?} at the end"),
    };
    let types: Vec<String> =
        types.values().map(|(count, value_type)| format!("{value_type}:{count}")).collect();
    let dbs: Vec<String> = dbs.iter().map(|(db, count)| format!("{db}: {count}")).collect();
    Ok(format!(
        "REDIS v{version}; writer={writer}; keys={keys}; expires={expires}; dbs={{{}}}; types=[{}]; crc={crc}",
        dbs.join(", "),
        types.join(",")
    ))
}

/// The manifest's line without what this crate counts differently (encodings of single strings, opcodes).
fn comparable(contents: &str) -> String {
    let parts =
        contents.split("; ").filter(|part| !part.starts_with("strenc=") && !part.starts_with("other="));
    parts.collect::<Vec<_>>().join("; ").replace("[stream_lp:", "[stream_listpacks:")
}

/// The files that servers load, with their names.
pub(crate) fn sound_files(folder: &Path) -> impl Iterator<Item = (String, Vec<u8>)> {
    let sound = manifest(folder)
        .into_iter()
        .filter(|listed| listed.contents.starts_with("REDIS v") && !listed.name.contains("corrupt_ziplist"));
    sound.map(|listed| (listed.name, std::fs::read(&listed.path).unwrap()))
}

#[test]
fn every_file_holds_what_the_manifest_says() {
    let Some(folder) = corpora("every_file_holds_what_the_manifest_says") else { return };
    let mut failures = String::new();
    let mut files = 0;
    for listed in manifest(&folder) {
        if !listed.contents.starts_with("REDIS v") {
            continue;
        }
        files += 1;
        let found = describe(&std::fs::read(&listed.path).unwrap());
        let expected = comparable(&listed.contents);
        match found {
            Ok(found) if found == expected => {}
            found => {
                writeln!(failures, "{}:\n  expected {expected}\n  found    {found:?}", listed.name).unwrap();
            }
        }
    }
    assert!(files > 80, "only {files} files");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_sound_file_decodes_and_the_corrupt_ones_do_not() {
    let Some(folder) = corpora("every_sound_file_decodes_and_the_corrupt_ones_do_not") else { return };
    for listed in manifest(&folder) {
        if !listed.contents.starts_with("REDIS v") {
            continue;
        }
        let bytes = std::fs::read(&listed.path).unwrap();
        let decoded = decode_all(&bytes);
        if listed.name.contains("corrupt_ziplist") {
            let error = decoded.unwrap_err();
            assert!(error.offset().is_some() && error.key().is_some(), "{}: {error}", listed.name);
        } else {
            decoded.unwrap_or_else(|error| panic!("{}: {error}", listed.name));
        }
    }
}

/// Decodes every value; gives the keys and values.
pub(crate) fn decode_all(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>, Value)>, Error> {
    let mut reader = Reader::from_slice(bytes)?;
    let mut values = Vec::new();
    while let Some(entry) = reader.next_key()? {
        let (db, key) = (entry.meta().db, entry.key().to_vec());
        values.push((db, key, entry.value()?));
    }
    Ok(values)
}

#[test]
fn values_are_those_of_the_published_json() {
    let Some(folder) = corpora("values_are_those_of_the_published_json") else { return };
    let mut compared = 0;
    for listed in manifest(&folder) {
        let Some(json) = listed.expected.strip_prefix("expected: ") else { continue };
        let Some(json) = json.split(',').find(|name| name.contains(".json")) else { continue };
        let expected: Json = {
            let text = std::fs::read(listed.path.parent().unwrap().join(json)).unwrap();
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{json}: {error}"))
        };
        let values = decode_all(&std::fs::read(&listed.path).unwrap()).unwrap();
        if listed.name.starts_with("HDT3213") {
            compare_list(&listed.name, &values, &expected);
        } else {
            compare_databases(&listed.name, &values, &expected);
        }
        compared += 1;
    }
    assert!(compared > 40, "only {compared} files");
}

/// HDT3213/rdb publishes a list of objects with `db`, `key`, `type` and the value in a field of its own.
fn compare_list(name: &str, values: &[(u64, Vec<u8>, Value)], expected: &Json) {
    let expected = expected.as_array().unwrap();
    let keys: Vec<&Json> = expected
        .iter()
        .filter(|object| !matches!(object["type"].as_str(), Some("aux" | "dbsize" | "functions")))
        .collect();
    assert_eq!(keys.len(), values.len(), "{name}");
    for (object, (db, key, value)) in keys.iter().zip(values) {
        assert_eq!(object["db"].as_u64(), Some(*db), "{name}");
        assert_eq!(object["key"].as_str().unwrap(), lossy(key), "{name}");
        assert_eq!(object["type"].as_str().unwrap(), value.kind().as_str(), "{name}");
        let field = match value.kind() {
            Kind::String => "value",
            Kind::List => "values",
            Kind::Set => "members",
            Kind::SortedSet => "entries",
            Kind::Hash => "hash",
            _ => {
                compare_stream(name, value, object);
                continue;
            }
        };
        let expected = &object[field];
        match value {
            Value::String(text) => assert_eq!(expected.as_str().unwrap(), lossy(text), "{name}"),
            Value::List(items) => assert_eq!(strings(expected), texts(items), "{name}"),
            Value::Set(members) => assert_eq!(sorted(strings(expected)), sorted(texts(members)), "{name}"),
            Value::SortedSet(members) => {
                let expected: BTreeMap<String, String> = expected
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|entry| {
                        (
                            entry["member"].as_str().unwrap().to_owned(),
                            entry["score"].as_f64().unwrap().to_string(),
                        )
                    })
                    .collect();
                let found =
                    members.iter().map(|(member, score)| (lossy(member), score.to_string())).collect();
                assert_eq!(expected, found, "{name}");
            }
            Value::Hash(fields) => {
                let expected: BTreeMap<String, String> = expected
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(field, value)| (field.clone(), value.as_str().unwrap().to_owned()))
                    .collect();
                let found = fields.iter().map(|field| (lossy(&field.name), lossy(&field.value))).collect();
                assert_eq!(expected, found, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn compare_stream(name: &str, value: &Value, object: &Json) {
    let Value::Stream(stream) = value else { panic!("{name}: {value:?}") };
    assert_eq!(object["len"].as_u64(), Some(stream.meta.length), "{name}");
    assert_eq!(object["lastId"].as_str(), Some(&stream.meta.last_id.to_string()[..]), "{name}");
    assert_eq!(object["groups"].as_array().map_or(0, Vec::len), stream.groups.len(), "{name}");
    let nodes = object["entries"].as_array().unwrap().iter();
    let expected: Vec<&Json> = nodes
        .flat_map(|node| node["msgs"].as_array().unwrap())
        .filter(|entry| entry["deleted"] == false)
        .collect();
    assert_eq!(expected.len(), stream.entries.len(), "{name}");
    for (expected, entry) in expected.iter().zip(&stream.entries) {
        assert_eq!(expected["id"].as_str(), Some(&entry.id.to_string()[..]), "{name}");
        let fields: BTreeMap<String, Json> =
            entry.fields.iter().map(|(name, value)| (lossy(name), Json::String(lossy(value)))).collect();
        let expected: BTreeMap<String, Json> = serde_json::from_value(expected["fields"].clone()).unwrap();
        assert_eq!(expected, fields, "{name}");
    }
}

/// rdb-rs publishes a list with an object of keys and plain values a database.
fn compare_databases(name: &str, values: &[(u64, Vec<u8>, Value)], expected: &Json) {
    let mut databases: Vec<u64> = values.iter().map(|(db, ..)| *db).collect();
    databases.dedup();
    let expected: Vec<&Json> = match expected {
        Json::Array(objects) => objects.iter().collect(),
        object => vec![object],
    };
    let expected: Vec<_> = expected
        .iter()
        .map(|object| object.as_object().unwrap())
        .filter(|object| !object.is_empty())
        .collect();
    assert_eq!(databases.len(), expected.len(), "{name}");
    for (db, expected) in databases.iter().zip(expected) {
        let found: Vec<_> = values.iter().filter(|(of, ..)| of == db).collect();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (_, key, value) in found {
            let expected = expected.iter().find(|(name, _)| same(name, key));
            let Some((_, expected)) = expected else { panic!("{name}: key {} is not expected", lossy(key)) };
            match value {
                Value::String(text) => assert!(same(&scalar(expected), text), "{name}: {expected}"),
                Value::List(items) => assert_list(name, items, expected),
                Value::Set(members) => {
                    let mut members = members.clone();
                    members.sort_by_key(|member| escaped(member));
                    let mut expected: Vec<Json> = expected.as_array().unwrap().clone();
                    expected.sort_by_key(scalar);
                    assert_list(name, &members, &Json::Array(expected));
                }
                Value::SortedSet(members) => {
                    let expected = expected.as_object().unwrap();
                    assert_eq!(expected.len(), members.len(), "{name}");
                    for (member, score) in members {
                        let found = expected.iter().find(|(name, _)| same(name, member)).unwrap().1;
                        let expected: f64 = scalar(found).parse().unwrap();
                        assert!((expected - score).abs() <= 1e-9 * score.abs(), "{name}: {expected} {score}");
                    }
                }
                Value::Hash(fields) => {
                    let expected = expected.as_object().unwrap();
                    assert_eq!(expected.len(), fields.len(), "{name}");
                    for field in fields {
                        let found = expected.iter().find(|(name, _)| same(name, &field.name)).unwrap().1;
                        assert!(same(&scalar(found), &field.value), "{name}: {found}");
                    }
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

fn assert_list(name: &str, items: &[Vec<u8>], expected: &Json) {
    let expected = expected.as_array().unwrap();
    assert_eq!(items.len(), expected.len(), "{name}");
    for (item, expected) in items.iter().zip(expected) {
        assert!(same(&scalar(expected), item), "{name}: {expected}");
    }
}

fn scalar(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// True if `text` is `bytes`, or `bytes` read as Latin-1 as rdb-rs prints what is not UTF-8.
fn same(text: &str, bytes: &[u8]) -> bool {
    text.as_bytes() == bytes || text == lossy(bytes) || text == escaped(bytes)
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn texts(values: &[Vec<u8>]) -> Vec<String> {
    values.iter().map(|value| lossy(value)).collect()
}

fn strings(json: &Json) -> Vec<String> {
    json.as_array().unwrap().iter().map(scalar).collect()
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

#[test]
fn payloads_that_servers_refuse_are_refused() {
    let Some(folder) = corpora("payloads_that_servers_refuse_are_refused") else { return };
    let mut accepted = String::new();
    let mut refused = 0;
    for listed in manifest(&folder) {
        if !listed.contents.contains("RESTORE payload") {
            continue;
        }
        let bytes = std::fs::read(&listed.path).unwrap();
        for verify_checksum in [true, false] {
            let mut options = ReadOptions::default();
            options.verify_checksum = verify_checksum;
            let outcome = Payload::with_options(&bytes, options).and_then(|payload| payload.check());
            if !listed.contents.contains("REJECT") {
                // Either answer is right, as long as there is one.
                continue;
            }
            refused += 1;
            if outcome.is_ok() {
                writeln!(accepted, "{} (checksum verified: {verify_checksum})", listed.name).unwrap();
            }
        }
    }
    assert!(refused >= 2 * 29, "only {refused}");
    assert!(accepted.is_empty(), "{accepted}");
}

#[test]
fn module_values_are_passed_by_and_named() {
    let Some(folder) = corpora("module_values_are_passed_by_and_named") else { return };
    let bytes = std::fs::read(folder.join("Snapchat__KeyDB/redis-module-save.rdb")).unwrap();
    let mut reader = Reader::from_slice(&bytes).unwrap();
    let mut modules = 0;
    while let Some(entry) = reader.next_key().unwrap() {
        let mut elements = entry.elements().unwrap();
        let Some(Element::Module(module)) = elements.next().unwrap() else { panic!("no module") };
        assert_eq!(module.to_string(), "test___dt v1");
        modules += 1;
    }
    assert_eq!(modules, 5);
}

#[test]
fn what_follows_an_rdb_preamble_is_left_alone() {
    let Some(folder) = corpora("what_follows_an_rdb_preamble_is_left_alone") else { return };
    let bytes = std::fs::read(folder.join("redis__redis/rdb-preamble.aof")).unwrap();
    let mut strict = Reader::from_slice(&bytes).unwrap();
    let error = loop {
        match strict.skim_next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the commands behind the preamble were not noticed"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::TrailingData { .. }), "{error}");

    let mut options = ReadOptions::default();
    options.after_end = larder_rdb::AfterEnd::Anything;
    let mut reader = Reader::with_options(&bytes[..], options).unwrap();
    while reader.skim_next().unwrap().is_some() {}
    assert!(matches!(reader.checksum(), Checksum::Verified(_)));
    let (rest, buffered) = reader.into_parts();
    let commands = [&buffered[..], rest].concat();
    assert!(commands.starts_with(b"*"), "{:?}", KeyName::from(&commands[..]));
}
