//! What a server sends behind PSYNC, told from the bytes alone.

use bytes::{Buf, Bytes, BytesMut};

/// The bytes that mark the end of an image whose length the server did not know (`RDB_EOF_MARK_SIZE`, Redis 2.8.18 and
/// later `src/rdb.h`).
const MARK_BYTES: usize = 40;

/// No line of the protocol comes near it; what is longer is no line.
const LONGEST_LINE: usize = 4096;

/// A transfer on its way: the answer to PSYNC, then the image in one of its two forms.
///
/// - `$LENGTH` and so many bytes, where the server saved to a disk first.
/// - `$EOF:` with forty bytes, the image, and the forty bytes once more, where it sends what its fork writes. The mark is
///   drawn anew for each transfer, so what ends with it is the end.
///
/// In front of either, a server that is still at its fork sends newlines, so that it is not taken for dead.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    state: State,
    received: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// PSYNC is not answered yet.
    #[default]
    Asked,
    /// The image is announced, and its form is not.
    Announced,
    /// So many bytes are still to come.
    Counted(u64),
    /// Bytes come until these end them.
    Marked([u8; MARK_BYTES]),
    /// The image is whole.
    Ended,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The server is alive, and not ready.
    KeepAlive,
    /// The image will be of this moment of the stream of changes.
    Announced { replication_id: String, offset: u64 },
    /// The image begins; its length, where the server knows it.
    Begins(Option<u64>),
    /// A piece of the image.
    Piece(Bytes),
    /// The image is whole.
    End,
}

/// What came that is none of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The line of an error, its mark included and its end not.
    Error(Bytes),
    /// Something that the protocol does not have there.
    Unexpected(String),
}

impl Transfer {
    /// Takes the next part from what came; `None` where more has to come first. Pieces share the memory that they came in.
    pub(super) fn next(&mut self, incoming: &mut BytesMut) -> Result<Option<Came>, Refusal> {
        let came = match self.state {
            State::Asked | State::Announced => return self.line(incoming),
            State::Counted(0) | State::Ended => {
                self.state = State::Ended;
                return Ok(Some(Came::End));
            }
            State::Counted(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(incoming.len());
                self.state = State::Counted(left - length as u64);
                length
            }
            State::Marked(mark) if incoming.ends_with(&mark) => {
                // What stands before the mark is handed on first.
                let length = incoming.len() - MARK_BYTES;
                if length == 0 {
                    incoming.clear();
                    self.state = State::Ended;
                    return Ok(Some(Came::End));
                }
                length
            }
            State::Marked(_) => incoming.len().saturating_sub(MARK_BYTES),
        };
        if came == 0 {
            return Ok(None);
        }
        self.received += came as u64;
        Ok(Some(Came::Piece(incoming.split_to(came).freeze())))
    }

    /// How many bytes of the image were handed on.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    fn line(&mut self, incoming: &mut BytesMut) -> Result<Option<Came>, Refusal> {
        if incoming.starts_with(b"\n") {
            let newlines = incoming.iter().take_while(|byte| **byte == b'\n').count();
            incoming.advance(newlines);
            return Ok(Some(Came::KeepAlive));
        }
        let Some(length) = incoming.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
            if incoming.len() >= LONGEST_LINE {
                return Err(Refusal::Unexpected(format!("{LONGEST_LINE} bytes without the end of a line")));
            }
            return Ok(None);
        };
        let line = incoming.split_to(length + 1).freeze();
        let line = line.slice(..line.strip_suffix(b"\r\n").map_or(length, <[u8]>::len));
        match line.first() {
            Some(b'-') => Err(Refusal::Error(line)),
            Some(b'+') if self.state == State::Asked => self.announced(&line).map(Some),
            Some(b'$') if self.state == State::Announced => self.begins(&line[1..]).map(Some),
            _ => Err(unexpected(&line)),
        }
    }

    /// `+FULLRESYNC ID OFFSET`. A server that would go on where a replica left off (`+CONTINUE`) sends no image.
    fn announced(&mut self, line: &[u8]) -> Result<Came, Refusal> {
        let text = std::str::from_utf8(line).map_err(|_| unexpected(line))?;
        let mut words = text.split_ascii_whitespace();
        let (Some("+FULLRESYNC"), Some(id), Some(Ok(offset))) =
            (words.next(), words.next(), words.next().map(str::parse))
        else {
            return Err(unexpected(line));
        };
        self.state = State::Announced;
        Ok(Came::Announced { replication_id: id.to_owned(), offset })
    }

    fn begins(&mut self, form: &[u8]) -> Result<Came, Refusal> {
        if let Some(mark) = form.strip_prefix(b"EOF:") {
            let mark = mark.try_into().map_err(|_| unexpected(form))?;
            self.state = State::Marked(mark);
            return Ok(Came::Begins(None));
        }
        let length = std::str::from_utf8(form).ok().and_then(|digits| digits.parse().ok());
        // There is no file of nothing.
        let length = length.filter(|length| *length > 0).ok_or_else(|| unexpected(form))?;
        self.state = State::Counted(length);
        Ok(Came::Begins(Some(length)))
    }
}

fn unexpected(line: &[u8]) -> Refusal {
    let shown = &line[..line.len().min(80)];
    Refusal::Unexpected(format!("`{}` is neither an announcement nor an image", shown.escape_ascii()))
}

#[cfg(test)]
mod tests;
