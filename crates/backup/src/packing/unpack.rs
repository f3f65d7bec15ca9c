//! From what is stored to plain bytes.

use std::io::{self, BufReader, Read};

use age::Decryptor;
use flate2::bufread::MultiGzDecoder;

use super::Keyring;
use crate::{Artifact, Compression};

const BUFFER_BYTES: usize = 256 << 10;

/// Opens what is packed; `artifact` says how.
///
/// # Errors
/// It is encrypted, and nothing in the keyring opens it ([`io::ErrorKind::PermissionDenied`]), or it is not what it is said
/// to be.
pub(crate) fn unpack<'r>(
    stored: impl Read + Send + 'r,
    artifact: &Artifact,
    keyring: &Keyring,
) -> io::Result<Box<dyn Read + Send + 'r>> {
    let opened: Box<dyn Read + Send + 'r> =
        if artifact.encrypted { Box::new(open(stored, keyring)?) } else { Box::new(stored) };
    Ok(match artifact.compression {
        Compression::None => opened,
        Compression::Zstd => Box::new(zstd::Decoder::new(opened)?),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, opened))),
    })
}

fn open<'r>(stored: impl Read + Send + 'r, keyring: &Keyring) -> io::Result<impl Read + Send + 'r> {
    let refused = |words: String| io::Error::new(io::ErrorKind::PermissionDenied, words);
    if keyring.is_empty() {
        return Err(refused("no identity was given".to_owned()));
    }
    let decryptor = Decryptor::new(stored).map_err(|why| match why {
        age::DecryptError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    })?;
    decryptor.decrypt(keyring.as_dyn()).map_err(|why| match why {
        age::DecryptError::NoMatchingKeys => refused("none of the identities given opens it".to_owned()),
        age::DecryptError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    })
}
