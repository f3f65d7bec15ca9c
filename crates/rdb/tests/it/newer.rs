//! Layouts of servers that are not here to test on, put together from public descriptions: Redis 8.6 to 8.10
//! (versions 13 to 15), the release candidates of Redis 7.4, and opcodes that only clusters write.

use larder_rdb::{
    ArraySlot, Element, Error, Payload, ReadOptions, Reader, Record, StreamId, StreamPart, Value,
};

/// A file without a checksum, of records that stand one after the other.
fn file(header: &[u8; 9], records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for record in records {
        bytes.extend_from_slice(record);
    }
    bytes.push(0xff);
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn only_value(bytes: &[u8]) -> Value {
    let mut skim = Reader::from_slice(bytes).unwrap();
    while skim.skim_next().unwrap().is_some() {}
    let mut reader = Reader::from_slice(bytes).unwrap();
    let value = reader.next_key().unwrap().unwrap().value().unwrap();
    assert!(reader.next_key().unwrap().is_none());
    value
}

fn fields(value: &Value) -> Vec<(String, String, Option<i64>)> {
    let Value::Hash(fields) = value else { panic!("{value:?}") };
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    fields.iter().map(|field| (text(&field.name), text(&field.value), field.expires_at_ms)).collect()
}

/// A listpack of short strings and small integers.
fn listpack(entries: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        match entry.parse::<u8>() {
            Ok(value) if value < 128 => body.extend([value, 1]),
            _ => {
                let len = u8::try_from(entry.len()).unwrap();
                body.push(0x80 | len);
                body.extend_from_slice(entry.as_bytes());
                body.push(len + 1);
            }
        }
    }
    let total = u32::try_from(body.len() + 7).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    [&total.to_le_bytes()[..], &count.to_le_bytes(), &body, &[0xff]].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 64);
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn hashes_refer_to_templates_of_the_file() {
    let template = [&[0xf2, 0, 3][..], &string(b"age"), &string(b"name"), &string(b"email")].concat();
    let packed = [&[30, 1, b'a'][..], &string(&listpack(&["0", "42", "Ann", "a@b"]))].concat();
    let plain = [&[32, 1, b'b', 0][..], &[0xc0, 7], &string(b"Bob"), &string(b"b@c")].concat();
    let bytes = file(b"REDIS0015", &[&template, &packed, &plain]);
    let mut reader = Reader::from_slice(&bytes).unwrap();
    let Some(Record::HashTemplate { number: 0, fields: 3 }) = reader.next_record().unwrap() else {
        panic!("no template")
    };
    let a = reader.next_key().unwrap().unwrap().value().unwrap();
    let b = reader.next_key().unwrap().unwrap().value().unwrap();
    let expected = |values: [&str; 3]| {
        ["age", "name", "email"]
            .into_iter()
            .zip(values)
            .map(|(n, v)| (n.to_owned(), v.to_owned(), None))
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(&a), expected(["42", "Ann", "a@b"]));
    assert_eq!(fields(&b), expected(["7", "Bob", "b@c"]));
    let mut reader = Reader::from_slice(&bytes).unwrap();
    for _ in 0..2 {
        assert_eq!(reader.skim_next().unwrap().unwrap().elements, 3);
    }
    // Such a value says nothing without its file.
    let mut reader = Reader::from_slice(&bytes).unwrap();
    assert!(reader.next_key().unwrap().unwrap().raw_value().is_err());
}

#[test]
fn damaged_templates_are_refused() {
    let unsorted = [&[0xf2, 0, 2][..], &string(b"bb"), &string(b"a")].concat();
    let empty = [0xf2, 0, 0];
    let one = [&[0xf2, 0, 1][..], &string(b"a")].concat();
    let twice = [&one[..], &one].concat();
    let unknown = [&one[..], &[32, 1, b'k', 5, 0xc0, 1]].concat();
    let too_many = [&one[..], &[30, 1, b'k'], &string(&listpack(&["0", "1", "2"]))].concat();
    for records in [&unsorted[..], &empty, &twice, &unknown, &too_many] {
        let bytes = file(b"REDIS0015", &[records]);
        let mut reader = Reader::from_slice(&bytes).unwrap();
        let outcome = loop {
            match reader.next_key() {
                Ok(Some(entry)) => {
                    if let Err(error) = entry.value() {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{records:?}: {outcome:?}");
    }
    // The opcode means something else in older versions and in the other fork.
    for header in [b"REDIS0014", b"VALKEY081"] {
        let bytes = file(header, &[&one]);
        let mut reader = Reader::from_slice(&bytes).unwrap();
        assert!(matches!(reader.next_record(), Err(Error::UnknownType { byte: 0xf2, .. })));
    }
}

#[test]
fn payloads_carry_their_template_with_them() {
    let footer = [15, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let packed =
        [&[29, 0][..], &string(&listpack(&["f1", "f2"])), &string(&listpack(&["0", "1", "x"])), &footer]
            .concat();
    let plain =
        [&[31, 1, 2][..], &string(b"f1"), &string(b"f2"), &[0xc0, 1], &string(b"x"), &footer].concat();
    for payload in [&packed, &plain] {
        let payload = Payload::parse(payload).unwrap();
        assert_eq!(payload.skim().unwrap().elements, 2);
        let expected = vec![("f1".to_owned(), "1".to_owned(), None), ("f2".to_owned(), "x".to_owned(), None)];
        assert_eq!(fields(&payload.value().unwrap()), expected);
    }
    // Without the values, with one too few, with a number that is none, without fields, out of order.
    for damaged in [
        [&[29, 0][..], &string(&listpack(&["f1", "f2"])), &string(&listpack(&[])), &footer].concat(),
        [&[29, 0][..], &string(&listpack(&["f1", "f2"])), &string(&listpack(&["0", "1"])), &footer].concat(),
        [&[29, 0][..], &string(&listpack(&["f1", "f2"])), &string(&listpack(&["x", "1", "2"])), &footer]
            .concat(),
        [&[29, 0][..], &string(&listpack(&[])), &string(&listpack(&["0", "1", "2"])), &footer].concat(),
        [&[31, 1, 0][..], &[0xc0, 1], &footer].concat(),
        [&[31, 1, 2][..], &string(b"f2"), &string(b"f1"), &[0xc0, 1, 0xc0, 2], &footer].concat(),
        // References belong into files.
        [&[30][..], &string(&listpack(&["0", "1", "2"])), &footer].concat(),
        [&[32, 5, 0xc0, 1, 0xc0, 2][..], &footer].concat(),
    ] {
        let outcome = Payload::parse(&damaged).and_then(|payload| payload.check());
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{outcome:?}");
    }
}

#[test]
fn arrays_have_slots_of_four_forms() {
    let record = [
        &[28, 1, b'k', 4, 1, 9][..],
        &[0, 0],
        &string(b"text"),
        &[3, 1],
        &(-5i64).to_le_bytes(),
        &[0x40, 100, 2],
        &1.5f64.to_le_bytes(),
        &[0x40, 101, 3],
        &string(b"short"),
    ]
    .concat();
    let value = only_value(&file(b"REDIS0014", &[&record]));
    assert_eq!(
        value,
        Value::Array(vec![
            (0, ArraySlot::Text(b"text".to_vec())),
            (3, ArraySlot::Int(-5)),
            (100, ArraySlot::Double(1.5)),
            (101, ArraySlot::Text(b"short".to_vec())),
        ])
    );
}

/// A stream of one entry and one group, in which nobody or somebody has the entry.
fn stream(type_byte: u8, owner: bool, handed_back: bool) -> Vec<u8> {
    let id = [[0, 0, 0, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0, 0, 1]].concat();
    let node = listpack(&["1", "0", "1", "name", "0", "2", "0", "0", "value", "4"]);
    let mut record = vec![type_byte, 1, b'k', 1, 16];
    record.extend_from_slice(&id);
    record.extend(string(&node));
    // Length, last id, first id, deleted id, entries added.
    record.extend([1, 5, 1, 5, 1, 0, 0, 1]);
    // A group: last id, entries read, one pending entry delivered at 9, twice.
    record.extend([&[1, 1, b'g', 5, 1, 1, 1][..], &id, &9u64.to_le_bytes(), &[2]].concat());
    record.extend([&[1, 1, b'c'][..], &7u64.to_le_bytes(), &8u64.to_le_bytes()].concat());
    record.push(u8::from(owner));
    record.extend_from_slice(if owner { &id } else { &[] });
    if type_byte == 27 {
        record.push(u8::from(handed_back));
        record.extend_from_slice(if handed_back { &id } else { &[] });
    }
    if type_byte >= 26 {
        // Seconds, entries, one producer with one entry, and two counts.
        record.extend([&[60, 10, 1][..], &string(b"p"), &[1], &string(b"iid"), &[5, 1, 3, 2]].concat());
    }
    record
}

#[test]
fn streams_know_producers_and_entries_handed_back() {
    for (type_byte, owner, handed_back, sound) in [
        (21, true, false, true),
        (21, false, false, false),
        (26, true, false, true),
        (27, true, false, true),
        (27, false, true, true),
        (27, false, false, false),
        (27, true, true, false),
    ] {
        let bytes = file(b"REDIS0014", &[&stream(type_byte, owner, handed_back)]);
        let mut reader = Reader::from_slice(&bytes).unwrap();
        assert_eq!(reader.skim_next().unwrap().unwrap().elements, 1);
        assert!(reader.skim_next().unwrap().is_none());
        let mut reader = Reader::from_slice(&bytes).unwrap();
        let mut elements = reader.next_key().unwrap().unwrap().elements().unwrap();
        let mut seen = String::new();
        let outcome = loop {
            match elements.next() {
                Ok(Some(Element::Stream(part))) => seen.push(match part {
                    StreamPart::Entry { id, fields } => {
                        assert_eq!((id, fields.count()), (StreamId::new(5, 1), 1));
                        'e'
                    }
                    StreamPart::Meta(_) => 'm',
                    StreamPart::Group { name: b"g", .. } => 'g',
                    StreamPart::Pending { delivered_at_ms: 9, deliveries: 2, .. } => 'p',
                    StreamPart::Consumer { name: b"c", seen_at_ms: 7, active_at_ms: Some(8) } => 'c',
                    StreamPart::ConsumerPending(_) => 'o',
                    StreamPart::HandedBack(id) => {
                        assert_eq!(id, StreamId::new(5, 1));
                        'h'
                    }
                    StreamPart::Repeats { duration_s: 60, max_entries: 10 } => 'r',
                    StreamPart::Producer { name: b"p" } => 'P',
                    StreamPart::Produced { .. } => 'i',
                    StreamPart::ProducerTotals { added: 3, repeated: 2 } => 't',
                    other => panic!("{other:?}"),
                }),
                Ok(other) => break Ok(other.is_none()),
                Err(error) => break Err(error),
            }
        };
        if !sound {
            assert!(matches!(outcome, Err(Error::Malformed { .. })), "{type_byte} {owner} {handed_back}");
            continue;
        }
        assert!(outcome.unwrap());
        let owned = if owner { "o" } else { "h" };
        let producers = if type_byte >= 26 { "rPit" } else { "" };
        assert_eq!(seen, format!("emgpc{owned}{producers}"));
    }
}

#[test]
fn field_expiry_of_the_release_candidates_is_absolute() {
    let plain = [
        &[22, 1, b'k', 2][..],
        &[0x81],
        &5000u64.to_be_bytes(),
        &string(b"a"),
        &string(b"1"),
        &[0],
        &string(b"b"),
        &string(b"2"),
    ]
    .concat();
    let expected = vec![("a".to_owned(), "1".to_owned(), Some(5000)), ("b".to_owned(), "2".to_owned(), None)];
    assert_eq!(fields(&only_value(&file(b"REDIS0012", &[&plain]))), expected);
    let packed = [&[23, 1, b'k'][..], &string(&listpack(&["a", "x", "100", "b", "y", "0"]))].concat();
    let expected = vec![("a".to_owned(), "x".to_owned(), Some(100)), ("b".to_owned(), "y".to_owned(), None)];
    assert_eq!(fields(&only_value(&file(b"REDIS0012", &[&packed]))), expected);
    // The same byte is another layout in the other fork: the expiry comes last.
    let valkey = [&[22, 1, b'k', 1][..], &string(b"a"), &string(b"1"), &5000u64.to_le_bytes()].concat();
    assert_eq!(
        fields(&only_value(&file(b"VALKEY080", &[&valkey]))),
        [("a".to_owned(), "1".to_owned(), Some(5000))]
    );
}

#[test]
fn opcode_243_depends_on_the_dialect() {
    let import = [&[0xf3][..], &string(b"job"), &[2, 1, 5, 10, 20], &[0, 1, b'k', 1, b'v']].concat();
    let bytes = file(b"VALKEY080", &[&import]);
    let mut reader = Reader::from_slice(&bytes).unwrap();
    assert!(matches!(reader.next_record().unwrap(), Some(Record::SlotImport { job: b"job", ranges: 2 })));
    assert_eq!(reader.skim_next().unwrap().unwrap().key, b"k");

    // One attribute of a module in front of the key, after its expiry.
    let meta = [
        &[0xfc][..],
        &99i64.to_le_bytes(),
        &[0xf3, 1, 1, 2, 3, 4, 2, 7, 5, 1, b'x', 0],
        &[0, 1, b'k', 1, b'v'],
    ]
    .concat();
    let bytes = file(b"REDIS0013", &[&meta]);
    let mut reader = Reader::from_slice(&bytes).unwrap();
    let entry = reader.next_key().unwrap().unwrap();
    assert!(entry.has_module_meta());
    assert_eq!(entry.meta().expires_at_ms, Some(99));
    let payload =
        [&[0xf3, 1, 1, 2, 3, 4, 2, 7, 0][..], &[0, 1, b'v'], &[13, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(Payload::parse(&payload).unwrap().value().unwrap(), Value::String(b"v".to_vec()));
}

#[test]
fn slots_functions_and_module_data_are_passed_by() {
    let records = [
        &[0xf4, 5, 2, 1][..],
        &[0xf5, 4, b'c', b'o', b'd', b'e'],
        &[0xf6, 1, b'n', 3, b'L', b'U', b'A', 1, 1, b'd', 2, b'x', b'y'],
        &[0xf7, 9, 2, 1, 1, 5, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, b's', 0],
    ];
    let bytes = file(b"REDIS0012", &records);
    let mut reader = Reader::from_slice(&bytes).unwrap();
    assert!(matches!(reader.next_record().unwrap(), Some(Record::SlotInfo { slot: 5, keys: 2, expires: 1 })));
    assert!(matches!(reader.next_record().unwrap(), Some(Record::Function { code: b"code" })));
    assert!(matches!(reader.next_record().unwrap(), Some(Record::FunctionPreGa { name: b"n", code: b"xy" })));
    assert!(matches!(reader.next_record().unwrap(), Some(Record::ModuleAux { when: 1, .. })));
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn a_value_that_only_its_module_can_read_is_named() {
    let bytes = file(b"REDIS0008", &[&[6, 1, b'k', 0x81, 0, 0, 0, 0, 0, 0, 4, 1, 1, 2, 3]]);
    for decode in [false, true] {
        let mut reader = Reader::with_options(&bytes[..], ReadOptions::default()).unwrap();
        let entry = reader.next_key().unwrap().unwrap();
        let error = if decode { entry.value().map(drop) } else { entry.skim().map(drop) }.unwrap_err();
        let Error::OpaqueModule { module, .. } = &error else { panic!("{error}") };
        assert_eq!(module, "AAAAAAAAB");
        assert_eq!(error.key().unwrap().as_bytes(), b"k");
    }
}
