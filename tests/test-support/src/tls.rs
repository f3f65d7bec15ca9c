//! Certificates for one test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority, a server certificate for 127.0.0.1 and localhost, and a client certificate, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificates {
    /// The certificate of the authority.
    pub ca_file: PathBuf,
    /// The server's certificate.
    pub server_cert_file: PathBuf,
    /// The server's key.
    pub server_key_file: PathBuf,
    /// The client's certificate.
    pub client_cert_file: PathBuf,
    /// The client's key.
    pub client_key_file: PathBuf,
}

impl Certificates {
    /// Makes them in a folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(folder: &Path) -> Result<Self> {
        Self::make_with(folder, None)
    }

    /// Makes them in a folder; the server's certificate ends when that day (year, month, day) begins, UTC.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make_until(folder: &Path, day: (i32, u8, u8)) -> Result<Self> {
        Self::make_with(folder, Some(day))
    }

    fn make_with(folder: &Path, server_ends: Option<(i32, u8, u8)>) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Larder test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let made = Self {
            ca_file: folder.join("ca.crt"),
            server_cert_file: folder.join("server.crt"),
            server_key_file: folder.join("server.key"),
            client_cert_file: folder.join("client.crt"),
            client_key_file: folder.join("client.key"),
        };
        fs::write(&made.ca_file, ca.pem())?;
        let sign = |names: &[&str], usage, cert_file: &Path, key_file: &Path| -> Result<()> {
            let key = KeyPair::generate()?;
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let mut params = CertificateParams::new(names)?;
            if let Some((year, month, day)) =
                server_ends.filter(|_| usage == ExtendedKeyUsagePurpose::ServerAuth)
            {
                params.not_after = rcgen::date_time_ymd(year, month, day);
            }
            params.extended_key_usages = vec![usage];
            fs::write(cert_file, params.signed_by(&key, &issuer)?.pem())?;
            fs::write(key_file, key.serialize_pem())?;
            Ok(())
        };
        let server = ["127.0.0.1", "localhost"];
        sign(&server, ExtendedKeyUsagePurpose::ServerAuth, &made.server_cert_file, &made.server_key_file)?;
        let client = ["larder"];
        sign(&client, ExtendedKeyUsagePurpose::ClientAuth, &made.client_cert_file, &made.client_key_file)?;
        Ok(made)
    }
}
