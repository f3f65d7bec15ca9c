//! How a cache is reached.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use redis::{ClientTlsConfig, TlsCertificates};
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
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            tls: TlsOptions::default(),
        }
    }
}

impl TlsOptions {
    pub(crate) fn load(&self) -> Result<TlsCertificates> {
        let read = |what: &'static str, path: &PathBuf| {
            fs::read(path).map_err(|source| Error::File {
                what,
                path: path.clone(),
                source: Arc::new(source),
            })
        };
        let root_cert =
            self.ca_file.as_ref().map(|path| read("certificate of the authority", path)).transpose()?;
        let client_tls = match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(ClientTlsConfig {
                client_cert: read("client certificate", cert)?,
                client_key: read("key of the client certificate", key)?,
            }),
            (Some(path), None) | (None, Some(path)) => {
                return Err(Error::File {
                    what: "client certificate or key that belongs to",
                    path: path.clone(),
                    source: Arc::new(std::io::Error::new(
                        std::io::ErrorKind::InvalidInput,
                        "certificate and key go together, and one of them is not given",
                    )),
                });
            }
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }
}
