//! As much as the server takes: prebuilt bytes written as fast as it goes, and answers counted.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
};

use anyhow::{Result, bail, ensure};

/// What each command is answered with.
const OK: &[u8] = b"+OK\r\n";

/// Sends each block over a socket of its own.
pub(crate) fn send(port: u16, blocks: &[Vec<u8>], keys: usize) -> Result<()> {
    let bytes: usize = thread::scope(|scope| {
        let sockets: Vec<_> =
            blocks.iter().map(|block| scope.spawn(move || over_socket(port, block))).collect();
        let answered = sockets.into_iter().map(|socket| match socket.join() {
            Ok(answered) => answered,
            Err(_) => bail!("a thread panicked"),
        });
        answered.sum::<Result<usize>>()
    })?;
    ensure!(bytes == keys * OK.len(), "{bytes} bytes of answers");
    Ok(())
}

fn over_socket(port: u16, block: &[u8]) -> Result<usize> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            stream.write_all(block)?;
            stream.shutdown(std::net::Shutdown::Write)
        });
        let (mut room, mut bytes) = (vec![0; 64 << 10], 0);
        loop {
            match answers.read(&mut room)? {
                0 => break,
                count => bytes += count,
            }
        }
        match writer.join() {
            Ok(written) => written?,
            Err(_) => bail!("a thread panicked"),
        }
        Ok(bytes)
    })
}
