//! A connection of our own to one server, made when it is needed.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates, Value, aio::MultiplexedConnection,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    diagnosis,
    failure::Request,
    link::{Breakage, Effect, Link, send, send_all},
};
use crate::{
    ConnectOptions, Error, Result,
    url::{Endpoint, HostPort},
};

/// What connections to the servers of one cache have in common.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) login: RedisConnectionInfo,
    pub(crate) certificates: Option<TlsCertificates>,
    pub(crate) options: ConnectOptions,
    /// Whether servers are asked not to count as use what comes over the connections.
    touches: bool,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("tls", &self.certificates.is_some()).finish_non_exhaustive()
    }
}

impl Dialer {
    pub(crate) fn new(
        (username, password): (Option<&str>, Option<&SecretString>),
        database: u32,
        tls: bool,
        options: &ConnectOptions,
    ) -> Result<Self> {
        // CLIENT SETINFO on every connection would count as an error on servers before 7.2 and for restricted users.
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name().set_db(i64::from(database));
        // A user that needs no password (`nopass`) still has to be named, or the default user would be the one.
        if let Some(username) = username {
            login = login.set_username(username).set_password("");
        }
        if let Some(password) = password {
            login = login.set_password(password.expose_secret());
        }
        let certificates = tls.then(|| options.tls.load()).transpose()?;
        Ok(Self { login, certificates, options: options.clone(), touches: true })
    }

    pub(crate) fn connection_addr(&self, host: &HostPort) -> ConnectionAddr {
        let (host, port) = (host.host.clone(), host.port);
        match self.certificates {
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        }
    }

    pub(crate) fn client(&self, endpoint: &Endpoint) -> redis::RedisResult<Client> {
        let address = match endpoint {
            Endpoint::Tcp(host) => self.connection_addr(host),
            Endpoint::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        let info = address.into_connection_info()?.set_redis_settings(self.login.clone());
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }

    pub(crate) fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.options.response_timeout))
    }

    /// Returns the same dialer for links that send nothing again.
    pub(crate) fn without_retries(&self) -> Self {
        let mut once = self.clone();
        once.options.retries = 0;
        once
    }

    /// Returns the same dialer for links that look at keys without using them.
    pub(crate) fn without_touching(&self) -> Self {
        Self { touches: false, ..self.clone() }
    }

    pub(crate) fn link(&self, endpoint: Endpoint) -> DirectLink {
        DirectLink {
            node: endpoint.address(),
            endpoint,
            dialer: self.clone(),
            open: Mutex::new(Open::default()),
        }
    }
}

#[derive(Default)]
struct Open {
    connection: Option<MultiplexedConnection>,
    generation: u64,
}

/// A connection to one server: made at the first command, and anew after it broke.
pub(crate) struct DirectLink {
    node: NodeAddress,
    endpoint: Endpoint,
    dialer: Dialer,
    open: Mutex<Open>,
}

impl fmt::Debug for DirectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectLink").field("node", &self.node).finish_non_exhaustive()
    }
}

impl DirectLink {
    fn timeout(&self) -> Duration {
        self.dialer.options.response_timeout
    }

    fn current(&self) -> (Option<MultiplexedConnection>, u64) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.connection.clone(), open.generation)
    }

    /// Two callers that find no connection both make one; the later stays, which costs less than a lock across a wait.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64)> {
        if let (Some(connection), generation) = self.current() {
            return Ok((connection, generation));
        }
        let connection = self.connect().await?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.generation += 1;
        open.connection = Some(connection.clone());
        Ok((connection, open.generation))
    }

    async fn connect(&self) -> Result<MultiplexedConnection> {
        tracing::debug!(node = %self.node, tls = self.dialer.certificates.is_some(), "connects");
        let timeout = self.dialer.options.connect_timeout;
        let request = Request { node: &self.node, command: "AUTH", timeout };
        let client = self.dialer.client(&self.endpoint).map_err(|error| request.failed(error))?;
        let config = self.dialer.config();
        let connect = client.get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(timeout, connect).await {
            Ok(Ok(connection)) => Ok(self.introduced(connection).await),
            Ok(Err(error)) => Err(self.explained(request.failed(error)).await),
            Err(_) => Err(self.explained(request.timed_out()).await),
        }
    }

    /// Servers before Redis 7.2 have no CLIENT NO-TOUCH, and a user may not have the right; then looking counts as use.
    async fn introduced(&self, mut connection: MultiplexedConnection) -> MultiplexedConnection {
        if !self.dialer.touches {
            let mut command = redis::cmd("CLIENT");
            command.arg("NO-TOUCH").arg("ON");
            let (answer, _) = send(&mut connection, &self.node, &command, self.timeout()).await;
            if let Err(error) = answer {
                tracing::debug!(node = %self.node, reason = error.with_causes(), "no CLIENT NO-TOUCH");
            }
        }
        connection
    }

    async fn explained(&self, error: Error) -> Error {
        diagnosis::explained(error, &self.endpoint, self.dialer.certificates.is_some()).await
    }

    fn after(&self, breakage: Breakage, generation: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if breakage == Breakage::Broken && open.generation == generation {
            open.connection = None;
        }
    }
}

#[async_trait]
impl Link for DirectLink {
    fn node(&self) -> &NodeAddress {
        &self.node
    }

    async fn run(&self, command: Cmd, _effect: Effect) -> Result<Value> {
        let (mut connection, generation) = self.connection().await?;
        let (answer, breakage) = send(&mut connection, &self.node, &command, self.timeout()).await;
        self.after(breakage, generation);
        match answer {
            Err(error) => Err(self.explained(error).await),
            answer => answer,
        }
    }

    async fn run_all(&self, commands: Vec<Cmd>, _effect: Effect) -> Vec<Result<Value>> {
        let (mut connection, generation) = match self.connection().await {
            Ok(open) => open,
            Err(error) => return commands.iter().map(|_| Err(error.clone())).collect(),
        };
        let (answers, breakage) = send_all(&mut connection, &self.node, &commands, self.timeout()).await;
        self.after(breakage, generation);
        answers
    }
}
