//! The TLS settings of a connection of our own, from the same certificates that the client library gets.

use std::{io, sync::Arc};

use redis::TlsCertificates;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsConnector;

/// Makes a connector that trusts the authority that is given, or those of the system.
pub(super) fn connector(certificates: &TlsCertificates) -> io::Result<TlsConnector> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots(certificates)?);
    let config = match &certificates.client_tls {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&client.client_cert).collect();
            let key = PrivateKeyDer::from_pem_slice(&client.client_key).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain.map_err(io::Error::other)?, key).map_err(io::Error::other)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(certificates: &TlsCertificates) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = &certificates.root_cert {
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    let (_, _) = roots.add_parsable_certificates(found.certs);
    match found.errors.into_iter().next() {
        Some(error) if roots.is_empty() => Err(io::Error::other(error)),
        _ => Ok(roots),
    }
}
