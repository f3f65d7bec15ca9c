//! What answers say.

use bytes::Bytes;
use redis::RedisError;

use super::scanner::{line, number};
use crate::{Error, Result, redis::failure::Request};

/// An answer of one part, where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// A number.
    Number(i64),
    /// A word or a string.
    Text(&'a [u8]),
    /// Nothing is there.
    Nil,
    /// The whole line of an error, its mark included.
    Error(&'a [u8]),
    /// Several parts.
    Several,
}

impl<'a> Answer<'a> {
    /// Reads an answer whose end is known.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, after) = line(bytes, 0)?;
        let (mark, rest) = head.split_first()?;
        Some(match mark {
            b':' => Self::Number(number(rest)?),
            b'+' => Self::Text(rest),
            b'-' => Self::Error(bytes),
            b'$' => match number(rest)? {
                -1 => Self::Nil,
                _ => Self::Text(bytes.get(after..bytes.len().checked_sub(2)?)?),
            },
            b'*' => match number(rest)? {
                -1 => Self::Nil,
                _ => Self::Several,
            },
            _ => return None,
        })
    }

    pub(crate) fn number(self, request: Request<'_>) -> Result<i64> {
        match self {
            Self::Number(number) => Ok(number),
            other => Err(other.unexpected(request)),
        }
    }

    pub(crate) fn text(self, request: Request<'_>) -> Result<&'a [u8]> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.unexpected(request)),
        }
    }

    /// The answer, unless it is the server's error.
    pub(crate) fn accepted(self, request: Request<'_>) -> Result<Self> {
        match self {
            Self::Error(_) => Err(self.unexpected(request)),
            answer => Ok(answer),
        }
    }

    /// The server's error, or that the answer is none of those that the command has.
    pub(crate) fn unexpected(self, request: Request<'_>) -> Error {
        match self {
            Self::Error(line) => request.failed(server_error(line)),
            _ => request.unexpected("it is of another form than the command has"),
        }
    }
}

/// The client library tells the kinds of errors apart; so that there is one place for it, it reads the line here too.
pub(crate) fn server_error(line: &[u8]) -> RedisError {
    match redis::parse_redis_value(line) {
        Ok(value) => match value.extract_error() {
            Err(error) => error,
            Ok(_) => RedisError::from((redis::ErrorKind::Parse, "an error that is none")),
        },
        Err(error) => error,
    }
}

/// What one step of SCAN gave.
#[derive(Debug)]
pub(crate) struct SweepAnswer {
    /// Where the next step goes on; `0` at the end.
    pub(crate) cursor: String,
    /// The keys, which share the memory of the answer.
    pub(crate) keys: Vec<Bytes>,
}

impl SweepAnswer {
    /// Reads the answer of SCAN.
    pub(crate) fn parse(frame: &Bytes, request: Request<'_>) -> Result<Self> {
        if let Some(answer @ Answer::Error(_)) = Answer::parse(frame) {
            return Err(answer.unexpected(request));
        }
        Self::read(frame).ok_or_else(|| request.unexpected("it is no cursor with keys"))
    }

    fn read(frame: &Bytes) -> Option<Self> {
        let mut at = 0;
        if count(frame, &mut at, b'*')? != 2 {
            return None;
        }
        let cursor = std::str::from_utf8(&bulk(frame, &mut at)?).ok()?.to_owned();
        let keys = count(frame, &mut at, b'*')?;
        // No key takes less than five bytes, so the number says nothing that the frame cannot hold.
        let mut all = Vec::with_capacity(keys.min(frame.len() / 5 + 1));
        for _ in 0..keys {
            all.push(bulk(frame, &mut at)?);
        }
        Some(Self { cursor, keys: all })
    }
}

fn count(frame: &[u8], at: &mut usize, mark: u8) -> Option<usize> {
    let (head, after) = line(frame, *at)?;
    let digits = head.strip_prefix(&[mark])?;
    *at = after;
    usize::try_from(number(digits)?).ok()
}

fn bulk(frame: &Bytes, at: &mut usize) -> Option<Bytes> {
    let length = count(frame, at, b'$')?;
    let end = at.checked_add(length)?;
    if end + 2 > frame.len() {
        return None;
    }
    let bulk = frame.slice(*at..end);
    *at = end + 2;
    Some(bulk)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_metrics_model::NodeAddress;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_read() {
        for (bytes, expected) in [
            (&b":-2\r\n"[..], Some(Answer::Number(-2))),
            (b"+string\r\n", Some(Answer::Text(b"string"))),
            (b"$3\r\na\nb\r\n", Some(Answer::Text(b"a\nb"))),
            (b"$0\r\n\r\n", Some(Answer::Text(b""))),
            (b"$-1\r\n", Some(Answer::Nil)),
            (b"*-1\r\n", Some(Answer::Nil)),
            (b"*1\r\n:1\r\n", Some(Answer::Several)),
            (b"-ERR no\r\n", Some(Answer::Error(b"-ERR no\r\n"))),
            (b":x\r\n", None),
            (b"", None),
        ] {
            assert_eq!(Answer::parse(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn errors_are_of_the_kind_that_the_server_says() {
        let node = NodeAddress::new("n");
        let request = Request { node: &node, command: "SCAN", timeout: Duration::ZERO };
        let error = |line: &'static [u8]| SweepAnswer::parse(&Bytes::from_static(line), request).unwrap_err();
        assert!(matches!(error(b"-NOPERM this user has no permissions\r\n"), Error::NotPermitted { .. }));
        assert!(matches!(error(b"-LOADING Redis is loading\r\n"), Error::Loading { .. }));
        assert!(matches!(error(b"-MOVED 1 127.0.0.1:1\r\n"), Error::ClusterDown { .. }));
        assert!(matches!(error(b":1\r\n"), Error::Unexpected { .. }));
    }

    proptest! {
        #[test]
        fn any_frame_is_taken(frame: Vec<u8>) {
            let frame = Bytes::from(frame);
            let _ = Answer::parse(&frame);
            let _ = SweepAnswer::read(&frame);
        }
    }
}
