//! Data that drives a server into every layout it has.

use larder_rdb::{Server, ServerLine};

use crate::servers::Running;

/// A generator of numbers that are the same in every run (Marsaglia's xorshift64*).
#[derive(Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// Printable bytes that do not compress.
    pub(crate) fn noise(&mut self, len: usize) -> Vec<u8> {
        const LETTERS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
        (0..len).map(|_| LETTERS[usize::try_from(self.below(64)).unwrap()]).collect()
    }

    /// Text that does compress.
    pub(crate) fn json(&mut self, len: usize) -> Vec<u8> {
        let mut text = b"{\"rows\":[".to_vec();
        while text.len() < len {
            text.extend(
                format!("{{\"id\":{},\"name\":\"row\",\"value\":{}}},", self.below(100), self.below(1000))
                    .bytes(),
            );
        }
        text.truncate(len);
        text
    }
}

/// When keys and fields of the fixtures expire: in the year 2100.
pub(crate) const EXPIRES_AT_MS: i64 = 4_102_444_800_000;

fn has_field_expiry(server: Server) -> bool {
    match server.line() {
        ServerLine::Redis => server.version() >= (7, 4),
        _ => server.version() >= (9, 0),
    }
}

/// Fills a server.
pub(crate) fn fill(running: &mut Running, server: Server) {
    let mut numbers = Numbers::new(2026);
    strings(running, &mut numbers);
    lists(running, &mut numbers);
    sets(running, &mut numbers);
    sorted_sets(running, &mut numbers);
    hashes(running, &mut numbers);
    streams(running, &mut numbers);
    if has_field_expiry(server) {
        expiring_fields(running, &mut numbers);
    }
    if server.line() == ServerLine::Redis && server.version() >= (8, 0) {
        for element in 0..5 {
            running.say(&format!("VADD vectors VALUES 3 0.{element} 0.5 1.5 element:{element}"));
        }
    }
    if server.format().version() >= 10 {
        running.run(&[
            b"FUNCTION",
            b"LOAD",
            b"#!lua name=fixture\nredis.register_function('answer', function() return 42 end)",
        ]);
    }
    other_databases(running);
}

fn expire(running: &mut Running, key: &str, at_ms: i64) {
    running.say(&format!("PEXPIREAT {key} {at_ms}"));
}

fn strings(running: &mut Running, numbers: &mut Numbers) {
    for value in [0i64, 1, 9999, 10_000, -1, 127, 128, 32_768, 1 << 31, 1 << 40, i64::MAX, i64::MIN] {
        running.say(&format!("SET string:int:{value} {value}"));
    }
    for (i, len) in
        [0, 1, 7, 20, 21, 43, 44, 45, 52, 53, 63, 64, 100, 127, 128, 200, 255, 256, 500, 1000, 4000, 17_000]
            .into_iter()
            .enumerate()
    {
        let key = format!("string:noise:{len}");
        running.run(&[b"SET", key.as_bytes(), &numbers.noise(len)]);
        let key = format!("string:json:{len}");
        running.run(&[b"SET", key.as_bytes(), &numbers.json(len)]);
        if i % 2 == 0 {
            expire(running, &key, EXPIRES_AT_MS + i64::try_from(i).unwrap());
        }
    }
    for len in (1..=120).step_by(7) {
        let key = [&b"string:key:"[..], &numbers.noise(len)].concat();
        let value = numbers.noise(len / 2);
        running.run(&[b"SET", &key, &value]);
        if len % 2 == 0 {
            running.run(&[b"PEXPIREAT", &key, EXPIRES_AT_MS.to_string().as_bytes()]);
        }
    }
    running.run(&[b"SET", b"string:binary\0\xff\n", b"\0\x01\xfe\xff"]);
    running.say("PFADD string:hyperloglog a b c");
    running.say("SETBIT string:bitmap 100000 1");
    running.say("APPEND string:appended 123");
}

/// Runs one command with many arguments, in slices that a server takes.
fn bulk(running: &mut Running, command: &[&[u8]], arguments: &[Vec<u8>], group: usize) {
    for slice in arguments.chunks(group * 200) {
        let whole: Vec<&[u8]> = command.iter().copied().chain(slice.iter().map(Vec::as_slice)).collect();
        running.run(&whole);
    }
}

fn lists(running: &mut Running, numbers: &mut Numbers) {
    for (items, len) in [(1, 1), (3, 5), (10, 20), (50, 30), (128, 10), (200, 60), (600, 40)] {
        let key = format!("list:{items}:{len}");
        let values: Vec<Vec<u8>> = (0..items)
            .map(|i| if i % 3 == 0 { i.to_string().into_bytes() } else { numbers.noise(len) })
            .collect();
        bulk(running, &[b"RPUSH", key.as_bytes()], &values, 1);
    }
    running.run(&[
        b"RPUSH",
        b"list:large-items",
        &numbers.json(9000),
        b"small",
        &numbers.noise(10_000),
        b"12345",
    ]);
    running.say("DEBUG QUICKLIST-PACKED-THRESHOLD 300b");
    running.run(&[
        b"RPUSH",
        b"list:plain-nodes",
        b"a",
        &numbers.noise(400),
        b"b",
        &numbers.noise(500),
        &numbers.json(600),
    ]);
    running.say("DEBUG QUICKLIST-PACKED-THRESHOLD 0");
    let integers =
        [0i64, 127, 128, 4095, 4096, -1, -4096, 32_767, 8_388_607, 2_147_483_647, i64::MAX, i64::MIN];
    for value in integers {
        running.say(&format!("RPUSH list:integers {value}"));
    }
}

fn sets(running: &mut Running, numbers: &mut Numbers) {
    for (name, base, count) in
        [("16", 1i64, 10), ("16", -300, 60), ("32", 100_000, 100), ("64", 1 << 40, 200), ("16", 0, 512)]
    {
        let key = format!("set:int{name}:{count}");
        let values: Vec<Vec<u8>> = (0..count).map(|i| (base + i * 3).to_string().into_bytes()).collect();
        bulk(running, &[b"SADD", key.as_bytes()], &values, 1);
    }
    for (members, len) in
        [(1, 3), (5, 10), (20, 12), (100, 8), (127, 20), (129, 10), (140, 5), (300, 24), (20, 70), (520, 6)]
    {
        let key = format!("set:{members}:{len}");
        let values: Vec<Vec<u8>> =
            (0..members).map(|i| [format!("{i}:").as_bytes(), &numbers.noise(len)].concat()).collect();
        bulk(running, &[b"SADD", key.as_bytes()], &values, 1);
    }
    let values: Vec<Vec<u8>> = (0..600).map(|i| (i * 1000).to_string().into_bytes()).collect();
    bulk(running, &[b"SADD", b"set:many-integers"], &values, 1);
}

fn sorted_sets(running: &mut Running, numbers: &mut Numbers) {
    for (members, len) in
        [(1, 3), (5, 10), (30, 12), (100, 8), (127, 30), (129, 10), (200, 5), (400, 24), (20, 70)]
    {
        let key = format!("zset:{members}:{len}");
        let mut values = Vec::new();
        for i in 0..members {
            let score = match i % 4 {
                0 => i.to_string(),
                1 => format!("{}.5", numbers.below(1000)),
                2 => format!("-0.{:03}1", numbers.below(1000)),
                _ => (1_700_000_000 + i).to_string(),
            };
            values.push(score.into_bytes());
            values.push([format!("{i}:").as_bytes(), &numbers.noise(len)].concat());
        }
        bulk(running, &[b"ZADD", key.as_bytes()], &values, 2);
    }
    running
        .say("ZADD zset:extremes inf a -inf b 0 c 1e300 d -1e-300 e 3.141592653589793 f 9007199254740993 g");
    running.say("GEOADD zset:geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
}

fn hashes(running: &mut Running, numbers: &mut Numbers) {
    for (fields, len) in
        [(1, 1), (3, 10), (10, 20), (60, 12), (127, 30), (129, 10), (200, 5), (520, 8), (10, 70), (5, 3000)]
    {
        let key = format!("hash:{fields}:{len}");
        let mut values = Vec::new();
        for i in 0..fields {
            values.push(format!("field:{i}").into_bytes());
            values.push(if i % 3 == 0 {
                numbers.below(1 << 40).to_string().into_bytes()
            } else {
                numbers.noise(len)
            });
        }
        bulk(running, &[b"HSET", key.as_bytes()], &values, 2);
    }
    expire(running, "hash:3:10", EXPIRES_AT_MS);
}

fn expiring_fields(running: &mut Running, numbers: &mut Numbers) {
    for (fields, len) in [(1, 4), (5, 10), (40, 20), (100, 30), (150, 10), (300, 12), (10, 80)] {
        let key = format!("hash:expiring:{fields}:{len}");
        for i in 0..fields {
            let field = format!("field:{i}");
            running.run(&[b"HSET", key.as_bytes(), field.as_bytes(), &numbers.noise(len)]);
            if i % 3 != 1 {
                let at = EXPIRES_AT_MS + i * 1000;
                running.say(&format!("HPEXPIREAT {key} {at} FIELDS 1 {field}"));
            }
        }
    }
}

fn streams(running: &mut Running, numbers: &mut Numbers) {
    for (entries, len) in [(1, 5), (10, 20), (99, 10), (101, 10), (350, 30), (40, 300)] {
        let key = format!("stream:{entries}:{len}");
        for i in 0..entries {
            let id = format!("{}-{}", 1_700_000_000_000u64 + i / 3 * 7, i % 3);
            let value = numbers.noise(len);
            if i % 10 == 9 {
                running.run(&[b"XADD", key.as_bytes(), id.as_bytes(), b"other", &value, b"count", b"17"]);
            } else {
                running.run(&[b"XADD", key.as_bytes(), id.as_bytes(), b"name", &value]);
            }
        }
    }
    running.say("XGROUP CREATE stream:empty nobody $ MKSTREAM");
    for i in 1..=150 {
        running.say(&format!("XADD stream:groups 1700000000000-{i} number {i} square {}", i * i));
    }
    running.say("XDEL stream:groups 1700000000000-3 1700000000000-120");
    running.say("XGROUP CREATE stream:groups readers 0");
    running.say("XGROUP CREATE stream:groups others 1700000000000-50");
    running.say("XGROUP CREATE stream:groups untouched $");
    for (group, consumer, count) in [("readers", "alice", 40), ("readers", "bob", 20), ("others", "carol", 5)]
    {
        running.say(&format!("XREADGROUP GROUP {group} {consumer} COUNT {count} STREAMS stream:groups >"));
    }
    running.say("XACK stream:groups readers 1700000000000-1 1700000000000-7 1700000000000-45");
    running.say("XGROUP CREATECONSUMER stream:groups readers idle-one");
}

fn other_databases(running: &mut Running) {
    for db in [1, 9] {
        running.say(&format!("SELECT {db}"));
        running.say(&format!("SET db:{db} value"));
        running.say(&format!("RPUSH db:{db}:list a b c"));
    }
    running.say("SELECT 0");
}
