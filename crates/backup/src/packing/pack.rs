//! From plain bytes to what is stored.

use std::io::{self, Write};

use age::{Encryptor, stream::StreamWriter};
use flate2::write::GzEncoder;

use super::Packing;
use crate::Compression;

/// Compresses and encrypts what is written to it.
pub(crate) enum Packer<W: Write> {
    Plain(Sealer<W>),
    Zstd(zstd::Encoder<'static, Sealer<W>>),
    Gzip(GzEncoder<Sealer<W>>),
}

/// Encrypts what is written to it, or does not.
pub(crate) enum Sealer<W: Write> {
    Open(W),
    Sealed(StreamWriter<W>),
}

impl<W: Write> Packer<W> {
    pub(crate) fn new(out: W, packing: &Packing) -> io::Result<Self> {
        let sealer = Sealer::new(out, packing)?;
        Ok(match packing.compression {
            Compression::None => Self::Plain(sealer),
            Compression::Gzip => Self::Gzip(GzEncoder::new(sealer, flate2::Compression::new(packing.level))),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(sealer, i32::try_from(packing.level).unwrap_or(1))?;
                encoder.include_checksum(true)?;
                encoder.multithread(threads(packing))?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes what is left, and gives back what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(sealer) => sealer,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Gzip(encoder) => encoder.finish()?,
        }
        .finish()
    }
}

fn threads(packing: &Packing) -> u32 {
    match packing.threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1)),
        threads => threads,
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}

impl<W: Write> Sealer<W> {
    fn new(out: W, packing: &Packing) -> io::Result<Self> {
        if packing.recipients.is_empty() {
            return Ok(Self::Open(out));
        }
        let encryptor = Encryptor::with_recipients(packing.recipients.as_dyn()).map_err(io::Error::other)?;
        Ok(Self::Sealed(encryptor.wrap_output(out)?))
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(out) => Ok(out),
            Self::Sealed(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(out) => out.write(bytes),
            Self::Sealed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(out) => out.flush(),
            Self::Sealed(out) => out.flush(),
        }
    }
}
