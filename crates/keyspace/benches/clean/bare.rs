//! A bare client that scans and unlinks: one connection, and always a step of SCAN and a batch of removals under way.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// Goes through all keys and unlinks those that are chosen; gives how many there were.
pub(crate) fn remove(port: u16, count: usize, is_chosen: impl Fn(&[u8]) -> bool) -> io::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut answers = Answers { stream: stream.try_clone()?, buffer: vec![0; 1 << 20], start: 0, end: 0 };
    let mut request = Vec::new();
    scan(&mut request, b"0", count);
    stream.write_all(&request)?;
    let (mut cursor, mut keys) = answers.step()?;
    let (mut removed, mut waiting) = (0, 0);
    loop {
        request.clear();
        let last = cursor == b"0";
        if !last {
            scan(&mut request, &cursor, count);
        }
        let mut asked = 0;
        for key in keys.iter().filter(|key| is_chosen(key)) {
            command(&mut request, &["UNLINK"], key);
            asked += 1;
        }
        stream.write_all(&request)?;
        removed += asked;
        for _ in 0..waiting {
            answers.line()?;
        }
        waiting = asked;
        if last {
            for _ in 0..waiting {
                answers.line()?;
            }
            return Ok(removed);
        }
        (cursor, keys) = answers.step()?;
    }
}

fn scan(request: &mut Vec<u8>, cursor: &[u8], count: usize) {
    write!(request, "*4\r\n$4\r\nSCAN\r\n${}\r\n", cursor.len()).expect("a vector takes everything");
    request.extend_from_slice(cursor);
    let count = count.to_string();
    write!(request, "\r\n$5\r\nCOUNT\r\n${}\r\n{count}\r\n", count.len()).expect("a vector takes everything");
}

fn command(request: &mut Vec<u8>, words: &[&str], key: &[u8]) {
    write!(request, "*{}\r\n", words.len() + 1).expect("a vector takes everything");
    for word in words {
        write!(request, "${}\r\n{word}\r\n", word.len()).expect("a vector takes everything");
    }
    write!(request, "${}\r\n", key.len()).expect("a vector takes everything");
    request.extend_from_slice(key);
    request.extend_from_slice(b"\r\n");
}

struct Answers {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Answers {
    /// A line without its end; answers that are lines are all that the questions have.
    fn line(&mut self) -> io::Result<(usize, usize)> {
        let mut looked = self.start;
        loop {
            if let Some(at) = self.buffer[looked..self.end].iter().position(|byte| *byte == b'\r')
                && looked + at + 1 < self.end
            {
                let line = (self.start, looked + at);
                self.start = looked + at + 2;
                return Ok(line);
            }
            looked = self.end.saturating_sub(1).max(self.start);
            let moved = self.fill()?;
            looked -= moved;
        }
    }

    /// Reads more; gives by how much what is there was moved.
    fn fill(&mut self) -> io::Result<usize> {
        let mut moved = 0;
        if self.end == self.buffer.len() {
            moved = self.start;
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        match self.stream.read(&mut self.buffer[self.end..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.end += read;
                Ok(moved)
            }
        }
    }

    fn number(&mut self) -> io::Result<usize> {
        let (from, to) = self.line()?;
        let digits = std::str::from_utf8(&self.buffer[from + 1..to]).unwrap_or_default();
        digits.parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn bulk(&mut self) -> io::Result<Vec<u8>> {
        let length = self.number()?;
        while self.end - self.start < length + 2 {
            self.fill()?;
        }
        let bulk = self.buffer[self.start..self.start + length].to_vec();
        self.start += length + 2;
        Ok(bulk)
    }

    /// The answer of SCAN.
    fn step(&mut self) -> io::Result<(Vec<u8>, Vec<Vec<u8>>)> {
        self.number()?;
        let cursor = self.bulk()?;
        let count = self.number()?;
        let keys = (0..count).map(|_| self.bulk()).collect::<io::Result<_>>()?;
        Ok((cursor, keys))
    }
}
