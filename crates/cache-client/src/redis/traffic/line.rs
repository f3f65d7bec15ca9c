//! What one line of MONITOR says.

/// A command that a server ran.
///
/// `+1339518083.107412 [0 127.0.0.1:60866] "get" "a key"`: when, in which database and for whom (`lua` for a script), and the words
/// as `sdscatrepr` writes them (Redis 7.0, `src/replication.c` and `src/sds.c`). Valkey 8.1.0 and 8.1.1 put no backslash before quotes and
/// backslashes (<https://github.com/valkey-io/valkey/pull/2036>), so a quote ends a word only where another word or nothing follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When, in microseconds since 1970.
    pub(super) at_us: u64,
    pub(super) database: u32,
    /// Whether a script ran it.
    pub(super) is_of_script: bool,
    /// The command and its arguments; never empty. One that is cut off is left out.
    pub(super) words: Vec<Vec<u8>>,
}

impl Line {
    /// Reads a line without its end, or its beginning; `None` of what is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"+")?;
        let open = rest.iter().position(|byte| *byte == b'[')?;
        let (time, rest) = rest.split_at(open);
        let at_us = microseconds(time)?;
        let close = rest.windows(3).position(|three| three == b"] \"")?;
        let (digits, client) = std::str::from_utf8(rest.get(1..close)?).ok()?.split_once(' ')?;
        let words: Vec<_> = Words(&rest[close + 2..]).collect();
        let (database, is_of_script) = (digits.parse().ok()?, client == "lua");
        (!words.is_empty()).then_some(Self { at_us, database, is_of_script, words })
    }
}

/// Reads `1339518083.107412 `.
fn microseconds(time: &[u8]) -> Option<u64> {
    let (seconds, fraction) = std::str::from_utf8(time).ok()?.trim_end().split_once('.')?;
    let fraction: u64 = fraction.parse().ok().filter(|fraction| *fraction < 1_000_000)?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

/// Words in quotes, one after the other, up to one that has no end.
struct Words<'a>(&'a [u8]);

impl Iterator for Words<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut rest = self.0.strip_prefix(b"\"")?;
        let mut word = Vec::new();
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b'"' if rest.is_empty() || rest.starts_with(b" \"") => {
                    self.0 = rest.strip_prefix(b" ").unwrap_or(rest);
                    return Some(word);
                }
                b'\\' => match escaped(rest) {
                    Some((byte, after)) => {
                        word.push(byte);
                        rest = after;
                    }
                    None => word.push(b'\\'),
                },
                byte => word.push(*byte),
            }
        }
    }
}

/// Reads what stands behind a backslash; `None` where that says nothing.
fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (mark, rest) = rest.split_first()?;
    let byte = match mark {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 0x07,
        b'b' => 0x08,
        b'x' => {
            let (digits, rest) = rest.split_at_checked(2)?;
            return Some((u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, rest));
        }
        b'\\' | b'"' => *mark,
        _ => return None,
    };
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `sdscatrepr` writes it.
    fn written(word: &[u8]) -> String {
        let mut text = String::from("\"");
        for byte in word {
            match byte {
                b'\\' | b'"' => text.extend(['\\', char::from(*byte)]),
                b'\n' => text.push_str("\\n"),
                b'\r' => text.push_str("\\r"),
                b'\t' => text.push_str("\\t"),
                0x07 => text.push_str("\\a"),
                0x08 => text.push_str("\\b"),
                b' '..=b'~' => text.push(char::from(*byte)),
                other => text.push_str(&["\\x", &hex(*other)].concat()),
            }
        }
        text + "\""
    }

    fn hex(byte: u8) -> String {
        format!("{byte:02x}")
    }

    #[test]
    fn lines_are_read() {
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        let parse = |text: &str| {
            let line = Line::parse(text.as_bytes())?;
            assert_eq!((line.at_us, line.is_of_script), (1_000_005, text.contains(" lua]")), "{text}");
            Some((line.database, line.words))
        };
        for (text, expected) in [
            (r#"+1.000005 [0 127.0.0.1:60866] "get" "a key""#, Some((0, words(&[b"get", b"a key"])))),
            (r#"+1.000005 [15 lua] "get" "k""#, Some((15, words(&[b"get", b"k"])))),
            (r#"+1.000005 [0 unix:/a ] b/s] "ping""#, Some((0, words(&[b"ping"])))),
            (
                r#"+1.000005 [0 [::1]:1] "set" "\"\\\xff\n" """#,
                Some((0, words(&[b"set", b"\"\\\xff\n", b""]))),
            ),
            (r#"+1.000005 [0 h:1] "set" "k" "cut off"#, Some((0, words(&[b"set", b"k"])))),
            (r#"+1.000005 [0 h:1] "set" "k" "cut \x"#, Some((0, words(&[b"set", b"k"])))),
            (r#"+1.000005 [0 h:1] "cut"#, None),
            (r#"+1.000005 [0 h:1] "get" "a "b" \c\d""#, Some((0, words(&[b"get", br#"a "b" \c\d"#])))),
            (r#"+1.000005 [x h:1] "get""#, None),
            (r#"+1 [0 h:1] "get""#, None),
            (r#"+1.1234567 [0 h:1] "get""#, None),
            (r#"+1.000005 [0] "get""#, None),
            ("+OK", None),
            ("-ERR no", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_are_read_as_they_were(words in prop::collection::vec(any::<Vec<u8>>(), 1..6)) {
            let written: Vec<String> = words.iter().map(|word| written(word)).collect();
            let line = format!("+1700000000.000001 [3 10.0.0.1:5] {}", written.join(" "));
            let expected = Line { at_us: 1_700_000_000_000_001, database: 3, is_of_script: false, words };
            prop_assert_eq!(Line::parse(line.as_bytes()), Some(expected));
        }

        #[test]
        fn any_line_is_taken(line: Vec<u8>) {
            let _ = Line::parse(&line);
            let mut begun = b"+1.000001 [0 a] \"".to_vec();
            begun.extend(line);
            let _ = Line::parse(&begun);
        }
    }
}
