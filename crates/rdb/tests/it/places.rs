//! What skimming says of places, lengths and numbers, against the bytes themselves.

use larder_rdb::{Element, KeyMeta, Payload, Reader, Server, Value, Writer};

use crate::generate::fixtures;

#[test]
fn every_value_lies_where_skimming_says() {
    let mut keys = 0;
    for folder in std::fs::read_dir(fixtures()).unwrap().map(|folder| folder.unwrap().path()) {
        let Ok(bytes) = std::fs::read(folder.join("data.rdb")) else { continue };
        let mut skim = Reader::from_slice(&bytes).unwrap();
        let mut copy = Reader::from_slice(&bytes).unwrap();
        let slice = |start: u64, len: u64| {
            let start = usize::try_from(start).unwrap();
            &bytes[start..start + usize::try_from(len).unwrap()]
        };
        while let Some(key) = skim.skim_next().unwrap() {
            let raw = copy.next_key().unwrap().unwrap().raw_value().unwrap();
            assert_eq!(slice(key.value_offset, key.value_bytes), raw.as_bytes());
            // The record starts with the expiry, if there is one, or with the type.
            let first = slice(key.offset, 1)[0];
            let expected = if key.expires_at_ms.is_some() { 0xfc } else { key.value_type.byte() };
            assert_eq!(first, expected);
            // A payload of the same value has the same shape.
            let format = raw.format().version();
            let server = if format >= 80 { Server::valkey(9, 0) } else { Server::redis(8, 0) };
            let payload = raw.to_payload(server, key.key).unwrap();
            let shape = Payload::parse(&payload).unwrap().skim().unwrap();
            assert_eq!((shape.elements, shape.plain_bytes), (key.elements, key.plain_bytes));
            assert_eq!(raw.into_payload(server, key.key).unwrap(), payload);
            keys += 1;
        }
    }
    assert!(keys > 400, "only {keys} keys");
}

#[test]
fn a_packed_string_with_more_elements_than_it_can_say_is_told_apart() {
    let mut packed = vec![0; 6];
    let members = 70_000u32;
    for member in 0..members {
        let [a, b, c, _] = (member + 100_000).to_le_bytes();
        packed.extend([0xf2, a, b, c, 4]);
    }
    packed.push(0xff);
    let len = u32::try_from(packed.len()).unwrap();
    packed[..4].copy_from_slice(&len.to_le_bytes());
    packed[4..6].copy_from_slice(&[0xff, 0xff]);
    let mut file = b"REDIS0011".to_vec();
    file.extend([20, 1, b's', 0x80]);
    file.extend(len.to_be_bytes());
    file.extend_from_slice(&packed);
    file.extend([0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut reader = Reader::from_slice(&file).unwrap();
    let key = reader.skim_next().unwrap().unwrap();
    assert_eq!((key.elements, key.elements_exact), (65_535, false));
    let mut reader = Reader::from_slice(&file).unwrap();
    let mut elements = reader.next_key().unwrap().unwrap().elements().unwrap();
    let mut found = 0;
    while let Some(Element::Member(member)) = elements.next().unwrap() {
        assert_eq!(member.as_int(), Some(100_000 + i64::from(found)));
        found += 1;
    }
    assert_eq!(found, members);
}

#[test]
fn bytes_are_counted_before_and_after_compression() {
    let text = b"abcdefgh".repeat(1000);
    let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
    writer.value(b"k", &KeyMeta::in_db(2), &Value::List(vec![text.clone(), text])).unwrap();
    let file = writer.finish().unwrap();
    let mut reader = Reader::from_slice(&file).unwrap();
    let key = reader.skim_next().unwrap().unwrap();
    assert_eq!((key.db, key.elements, key.plain_bytes), (2, 2, 16_000));
    assert!(key.value_bytes < 400, "{} bytes", key.value_bytes);
}
