//! How such a connection is made.

use std::{io, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{Answer, Carrier, Requests, Wire, tls};
use crate::{
    Error, Result,
    redis::{Dialer, Link, Retrying, diagnosis, failure::Request},
    url::{Endpoint, HostPort},
};

/// Makes connections for sweeps, with the login and the certificates of the cache.
#[derive(Clone, Debug)]
pub(crate) struct WireDialer(Dialer);

/// What is asked of a node before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Introduction {
    /// A replica in a cluster sends readers to its primary, unless it is told otherwise.
    pub(crate) reads_replica: bool,
}

impl WireDialer {
    pub(crate) fn new(dialer: Dialer) -> Self {
        Self(dialer)
    }

    /// Connects, logs in, chooses the database, and asks the server not to count what is looked at as used.
    pub(crate) async fn dial(&self, endpoint: &Endpoint, introduction: Introduction) -> Result<Wire> {
        let (node, options) = (endpoint.address(), &self.0.options);
        let request = Request { node: &node, command: "AUTH", timeout: options.connect_timeout };
        let carrier = match timeout(options.connect_timeout, self.carrier(endpoint)).await {
            Ok(Ok(carrier)) => Ok(carrier),
            Ok(Err(error)) => Err(request.failed(error.into())),
            Err(_) => Err(request.timed_out()),
        };
        let wire = async {
            let mut wire = Wire::new(carrier?, node.clone(), options.response_timeout);
            self.introduce(&mut wire, introduction).await?;
            Ok(wire)
        };
        match wire.await {
            Ok(wire) => Ok(wire),
            Err(error) => Err(diagnosis::explained(error, endpoint, self.0.certificates.is_some()).await),
        }
    }

    async fn carrier(&self, endpoint: &Endpoint) -> io::Result<Box<dyn Carrier>> {
        let HostPort { host, port } = match endpoint {
            Endpoint::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Endpoint::Tcp(host) => host,
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let Some(certificates) = &self.0.certificates else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(tls::connector(certificates)?.connect(name, stream).await?))
    }

    async fn introduce(&self, wire: &mut Wire, introduction: Introduction) -> Result<()> {
        let login = &self.0.login;
        let mut requests = Requests::default();
        let mut expected = Vec::new();
        match (login.username(), login.password()) {
            (Some(user), password) => {
                requests.add(&[b"AUTH", user.as_bytes(), password.unwrap_or_default().as_bytes()]);
                expected.push("AUTH");
            }
            (None, Some(password)) => {
                requests.add(&[b"AUTH", password.as_bytes()]);
                expected.push("AUTH");
            }
            (None, None) => {}
        }
        let database = login.db();
        if database != 0 {
            requests.add(&[b"SELECT", database.to_string().as_bytes()]);
            expected.push("SELECT");
        }
        if introduction.reads_replica {
            requests.add(&[b"READONLY"]);
            expected.push("READONLY");
        }
        requests.add(&[b"CLIENT", b"NO-TOUCH", b"ON"]);
        wire.send(&mut requests).await?;
        for command in expected {
            wire.answer(command, |answer, request| answer.text(request).map(drop)).await?;
        }
        // Servers before Redis 7.2 do not have it, and a user may not have the right; looks do not count as use there either.
        wire.answer("CLIENT NO-TOUCH", |answer, request| match answer {
            Answer::Text(_) => Ok(()),
            Answer::Error(_) => match answer.unexpected(request) {
                error @ Error::Authentication { .. } => Err(error),
                error => {
                    tracing::debug!(node = %request.node, reason = error.with_causes(), "no CLIENT NO-TOUCH");
                    Ok(())
                }
            },
            _ => Err(answer.unexpected(request)),
        })
        .await
    }

    /// Returns the same dialer for connections to another database.
    pub(crate) fn in_database(&self, database: u64) -> Self {
        let mut dialer = self.0.clone();
        dialer.login = dialer.login.set_db(i64::try_from(database).unwrap_or(i64::MAX));
        Self(dialer)
    }

    /// Returns a link to one server with the same login, that looks at keys without using them.
    pub(crate) fn link(&self, endpoint: &Endpoint) -> Arc<dyn Link> {
        let direct = self.0.without_touching().link(endpoint.clone());
        Arc::new(Retrying::new(Arc::new(direct), &self.0.options))
    }

    pub(crate) fn database(&self) -> u64 {
        u64::try_from(self.0.login.db()).unwrap_or(0)
    }
}
