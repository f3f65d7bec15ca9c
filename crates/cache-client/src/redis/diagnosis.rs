//! Why a connection failed, where the failure itself does not tell.

use std::{io, time::Duration};

use larder_metrics_model::NodeAddress;
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::failure::{protected_mode, said};
use crate::{Error, url::Endpoint};

/// How long the second look may take.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// Looks once more where a failure has a cause that can be found out, and returns a better error where it was.
///
/// - A server without TLS takes a handshake for the beginning of a command and waits for more of it, which looks like a
///   firewall. Where the port itself opens at once, it is the handshake that was not answered.
/// - A server that has too many clients, or is in protected mode, says so and hangs up before it is asked; what was
///   written by then breaks the connection, and the words are lost.
pub(crate) async fn explained(error: Error, endpoint: &Endpoint, tls: bool) -> Error {
    match error {
        Error::Timeout { ref node, .. } if tls && opens(endpoint).await => {
            let source =
                said("the port is open, and nothing answers the handshake; it may be a port without TLS");
            Error::Tls { node: node.clone(), source }
        }
        Error::Unreachable { ref node, .. } if !tls && !error.was_refused() => {
            parting_words(endpoint).await.and_then(|words| meaning(&words, node)).unwrap_or(error)
        }
        error => error,
    }
}

async fn opens(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Tcp(host) => {
            let open = TcpStream::connect((host.host.as_str(), host.port));
            matches!(timeout(SECOND_LOOK, open).await, Ok(Ok(_)))
        }
        Endpoint::Unix(_) => false,
    }
}

/// What a server says that hangs up at once. A healthy one says nothing before it is asked.
async fn parting_words(endpoint: &Endpoint) -> Option<String> {
    let words = async {
        let mut words = vec![0; 256];
        let length = match endpoint {
            Endpoint::Tcp(host) => {
                TcpStream::connect((host.host.as_str(), host.port)).await?.read(&mut words).await?
            }
            Endpoint::Unix(path) => UnixStream::connect(path).await?.read(&mut words).await?,
        };
        words.truncate(length);
        Ok::<_, io::Error>(String::from_utf8_lossy(&words).into_owned())
    };
    timeout(SECOND_LOOK, words).await.ok()?.ok()
}

fn meaning(words: &str, node: &NodeAddress) -> Option<Error> {
    let node = node.clone();
    if words.contains("max number of clients") {
        return Some(Error::TooManyClients { node });
    }
    words.starts_with("-DENIED").then(|| Error::Authentication { node, source: protected_mode() })
}
