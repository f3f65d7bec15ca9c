//! What a configuration file of a server sets.
//!
//! Source of the format: `loadServerConfigFromString` in config.c and `sdssplitargs` in sds.c, of Redis and of Valkey.

use std::{iter::Peekable, str::Chars};

/// The configuration file that a server was started with, and those that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsFile {
    /// Where it is, as the server says.
    pub path: String,
    /// The lines that set something.
    pub lines: Vec<SettingLine>,
    /// Files that are included and were not read, each with the reason.
    pub unread: Vec<String>,
}

/// A line that sets something. What it sets it to is not kept: that may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingLine {
    /// The name, in lower case.
    pub name: String,
    /// The file that it is in.
    pub file: String,
    /// Its number, from 1 on.
    pub line: usize,
    /// Whether it says `yes` or `no`; `None` where it says anything else.
    pub is_on: Option<bool>,
}

impl SettingsFile {
    /// Makes one of which nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Takes in the text of a file, and returns what it includes.
    ///
    /// Lines that the server itself could not read are left out.
    pub fn take_in(&mut self, file: &str, text: &str) -> Vec<String> {
        let mut included = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let Some(words) = words(line) else { continue };
            let Some((name, values)) = words.split_first() else { continue };
            let name = name.to_ascii_lowercase();
            if let ("include", [path]) = (name.as_str(), values) {
                included.push(path.clone());
            }
            let is_on = match values {
                [value] if value.eq_ignore_ascii_case("yes") => Some(true),
                [value] if value.eq_ignore_ascii_case("no") => Some(false),
                _ => None,
            };
            self.lines.push(SettingLine { name, file: file.to_owned(), line: place + 1, is_on });
        }
        included
    }
}

/// Returns the words of a line, none of a comment; `None` where a quote is not closed, or goes on after it was.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if line.starts_with('#') {
        return Some(Vec::new());
    }
    let mut rest = line.chars().peekable();
    let mut words = Vec::new();
    loop {
        while rest.next_if(char::is_ascii_whitespace).is_some() {}
        if rest.peek().is_none() {
            return Some(words);
        }
        words.push(word(&mut rest)?);
    }
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    while let Some(letter) = rest.next_if(|letter| !letter.is_ascii_whitespace()) {
        match letter {
            '"' | '\'' => {
                quoted(rest, letter, &mut word)?;
                return rest.peek().is_none_or(char::is_ascii_whitespace).then_some(word);
            }
            _ => word.push(letter),
        }
    }
    Some(word)
}

fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            letter if letter == quote => return Some(()),
            '\\' if quote == '"' => word.push(escaped(rest)?),
            '\\' if rest.peek() == Some(&quote) => word.extend(rest.next()),
            letter => word.push(letter),
        }
    }
}

/// `\xHH` of what is no ASCII comes out as another letter, which no name and no path that is looked for has.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    let letter = match rest.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'a' => '\u{7}',
        'x' => return Some(hexadecimal(rest)),
        other => other,
    };
    Some(letter)
}

fn hexadecimal(rest: &mut Peekable<Chars<'_>>) -> char {
    let digits: Vec<u32> = rest.clone().take(2).filter_map(|letter| letter.to_digit(16)).collect();
    let [high, low] = digits[..] else { return 'x' };
    rest.next();
    rest.next();
    char::from_u32(high * 16 + low).unwrap_or('x')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_server_reads_them() {
        for (line, expected) in [
            ("", Some(vec![])),
            ("   \t", Some(vec![])),
            ("# slaveof 10.0.0.1 6379", Some(vec![])),
            ("  # ??? dynamic-hz yes", Some(vec![])),
            ("port 6379", Some(vec!["port", "6379"])),
            ("\tport\t 6379 \r", Some(vec!["port", "6379"])),
            ("requirepass a#b", Some(vec!["requirepass", "a#b"])),
            ("\"slave-priority\" 10", Some(vec!["slave-priority", "10"])),
            ("\"slave\\x2dpriority\" '10'", Some(vec!["slave-priority", "10"])),
            ("save \"\"", Some(vec!["save", ""])),
            (r#"user x ">a\"b\\ \n""#, Some(vec!["user", "x", ">a\"b\\ \n"])),
            (r"requirepass 'it\'s \n'", Some(vec!["requirepass", r"it's \n"])),
            (r#"requirepass "\xZZ""#, Some(vec!["requirepass", "xZZ"])),
            ("requirepass \"open", None),
            ("requirepass 'open\\'", None),
            ("requirepass \"a\"b", None),
            ("requirepass \"a\\", None),
        ] {
            let expected: Option<Vec<String>> =
                expected.map(|words| words.into_iter().map(ToOwned::to_owned).collect());
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn names_lines_and_what_is_included_are_kept_and_no_value_is() {
        let mut file = SettingsFile::new("/etc/redis.conf");
        let text = "# all\n\nRequirePass hunter2\nSLAVE-READ-ONLY Yes\ninclude /etc/a*.conf\ninclude a b\nx \"\nio-threads-do-reads no\n\
                    # Generated by CONFIG REWRITE\nuser default on >hunter2 ~* +@all\n";
        assert_eq!(file.take_in("/etc/redis.conf", text), ["/etc/a*.conf"]);
        let seen: Vec<_> =
            file.lines.iter().map(|line| (line.name.as_str(), line.line, line.is_on)).collect();
        assert_eq!(
            seen,
            [
                ("requirepass", 3, None),
                ("slave-read-only", 4, Some(true)),
                ("include", 5, None),
                ("include", 6, None),
                ("io-threads-do-reads", 8, Some(false)),
                ("user", 10, None),
            ]
        );
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
