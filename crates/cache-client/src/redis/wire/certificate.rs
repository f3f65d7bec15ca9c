//! The certificate that a server shows.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use larder_metrics_model::NodeAddress;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{Capability, Error, Result, redis::failure::Request};

/// Returns when the certificate ends that a node shows on this port, or on its own where none is given.
///
/// It is read from a handshake on a connection of its own, on which nothing is sent. Whoever signed it, and whether it has ended,
/// does not matter: that it has is what is to be found out.
///
/// # Errors
/// The node cannot be reached there within the time, shows no certificate, or is reached by a socket.
pub async fn certificate_end(
    node: &NodeAddress,
    port: Option<u16>,
    patience: Duration,
) -> Result<SystemTime> {
    let request = Request { node, command: "the TLS handshake", timeout: patience };
    let Some((host, own_port)) = host_and_port(node.as_str()) else {
        let reason = "it is reached by a socket, which has no certificate".to_owned();
        return Err(Error::Unsupported { node: node.clone(), capability: Capability::Ping, reason });
    };
    let shown = match timeout(patience, shown(host, port.unwrap_or(own_port))).await {
        Ok(shown) => shown.map_err(|error| request.failed(error.into()))?,
        Err(_) => return Err(request.timed_out()),
    };
    let (_, certificate) = x509_parser::parse_x509_certificate(&shown)
        .map_err(|error| request.unexpected(format!("its certificate cannot be read: {error}")))?;
    let ends = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(ends))
        .ok_or_else(|| request.unexpected("the end of its certificate is no time"))
}

/// `[::1]:6379` and `host:6379`; `None` for the path of a socket.
fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').filter(|_| !address.starts_with('/'))?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

async fn shown(host: &str, port: u16) -> io::Result<CertificateDer<'static>> {
    let provider = default_provider();
    let onlooker = Arc::new(Onlooker {
        algorithms: provider.signature_verification_algorithms,
        shown: Mutex::new(None),
    });
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(&onlooker) as Arc<_>;
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host, port)).await?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let shown = onlooker.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    // A server that wants a certificate of its clients hangs up, but has shown its own before.
    match (shown, connected) {
        (Some(shown), _) => Ok(shown),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Err(io::Error::other("no certificate was shown")),
    }
}

/// Remembers the certificate that it is shown.
#[derive(Debug)]
struct Onlooker {
    algorithms: WebPkiSupportedAlgorithms,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (address, parts) in [
            ("10.0.0.1:6379", Some(("10.0.0.1", 6379))),
            ("[::1]:6380", Some(("::1", 6380))),
            ("cache.example:1", Some(("cache.example", 1))),
            ("/run/cache:1", None),
            ("memory:sample", None),
            ("", None),
        ] {
            assert_eq!(host_and_port(address), parts, "{address}");
        }
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_an_error_within_the_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = NodeAddress::new(listener.local_addr().unwrap().to_string());
        let begun = std::time::Instant::now();
        let silent = certificate_end(&node, None, Duration::from_millis(200)).await;
        assert!(matches!(silent, Err(Error::Timeout { .. })), "{silent:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        let socket = certificate_end(&NodeAddress::new("/run/x.sock"), None, Duration::from_secs(1)).await;
        assert!(socket.unwrap_err().is_blocked());
    }
}
