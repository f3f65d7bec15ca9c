//! How a cache is reached.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use secrecy::SecretString;

use crate::{Error, Result};

/// How a cache is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How long a connection may take to be made, TLS and login included.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
    /// How often a request that failed for a passing reason is made again; waits grow from 50 ms and are jittered.
    pub retries: u32,
    /// How long a sweep waits for a server that is lost, or for its successor; 30 seconds.
    pub failover_patience: Duration,
    /// The user, where the URL names none.
    pub username: Option<String>,
    /// The password, where the URL has none.
    pub password: Option<SecretString>,
    /// The user of the Sentinels, which have users of their own.
    pub sentinel_username: Option<String>,
    /// The password of the Sentinels.
    pub sentinel_password: Option<SecretString>,
    /// Certificates.
    pub tls: TlsOptions,
}

/// Certificates for TLS, in PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The authority that signed the server's certificate; without it those of the system are trusted.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate; needs the key as well.
    pub cert_file: Option<PathBuf>,
    /// The key of this client's certificate.
    pub key_file: Option<PathBuf>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            retries: 2,
            failover_patience: Duration::from_secs(30),
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            tls: TlsOptions::default(),
        }
    }
}

impl TlsOptions {
    /// Reads the files and looks whether they hold what they should: certificates, a key, and a pair that belongs together.
    ///
    /// # Errors
    /// [`Error::File`] with the file that is wrong.
    pub fn check(&self) -> Result<()> {
        self.load().map(|_| ())
    }

    pub(crate) fn load(&self) -> Result<TlsCertificates> {
        let root_cert = self.ca_file.as_ref().map(|path| Ok(certificates(AUTHORITY, path)?.0)).transpose()?;
        let client_tls = match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(pair(cert, key)?),
            (Some(path), None) | (None, Some(path)) => {
                return Err(wrong(
                    CLIENT,
                    path,
                    "certificate and key go together, and one of them is not given",
                ));
            }
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }
}

const AUTHORITY: &str = "certificate of the authority";
const CLIENT: &str = "client certificate";
const KEY: &str = "key of the client certificate";

fn wrong(what: &'static str, path: &Path, words: &str) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, words.to_owned());
    Error::File { what, path: path.to_path_buf(), source: Arc::new(source) }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::File { what, path: path.to_path_buf(), source: Arc::new(source) })
}

fn certificates(what: &'static str, path: &Path) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>)> {
    let pem = read(what, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(wrong(what, path, "there is no certificate in it (PEM)"))
        }
        Ok(certificates) => Ok((pem, certificates)),
        Err(error) => Err(wrong(what, path, &error.to_string())),
    }
}

fn pair(cert: &Path, key: &Path) -> Result<ClientTlsConfig> {
    let (client_cert, chain) = certificates(CLIENT, cert)?;
    let client_key = read(KEY, key)?;
    let private = PrivateKeyDer::from_pem_slice(&client_key)
        .map_err(|_| wrong(KEY, key, "there is no key in it (PEM)"))?;
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain, private, &provider) {
        Ok(_) => Ok(ClientTlsConfig { client_cert, client_key }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(wrong(KEY, key, "it is the key of another certificate"))
        }
        Err(error) => Err(wrong(KEY, key, &error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_something_else_are_named() {
        let nothing = TlsOptions::default();
        nothing.check().unwrap();
        for (options, part) in [
            (TlsOptions { ca_file: Some("/no/such.pem".into()), ..nothing.clone() }, "/no/such.pem"),
            (TlsOptions { ca_file: Some("Cargo.toml".into()), ..nothing.clone() }, "no certificate"),
            (TlsOptions { cert_file: Some("Cargo.toml".into()), ..nothing.clone() }, "go together"),
            (
                TlsOptions {
                    cert_file: Some("Cargo.toml".into()),
                    key_file: Some("Cargo.toml".into()),
                    ..nothing
                },
                "no certificate",
            ),
        ] {
            let words = options.check().unwrap_err().with_causes();
            assert!(words.contains(part), "{words}");
        }
    }
}
