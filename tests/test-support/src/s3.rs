//! A server that speaks the protocol of S3, with faults on purpose.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::IF_NONE_MATCH, service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{
    Body,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

/// A server that speaks the protocol of S3 on the loopback interface, with one bucket in a temporary folder; signatures are
/// checked. It ends when it is dropped.
#[derive(Debug)]
pub struct TestS3 {
    folder: TempDir,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

/// What the server does in place of what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// It answers with status 500.
    Status500,
    /// It closes the connection without an answer.
    Cut,
}

#[derive(Debug, Default)]
struct State {
    /// Requests with this in `METHOD PATH?QUERY` fail so, from the one of this number on.
    fault: Option<(String, usize, S3Fault)>,
    requests: Vec<String>,
}

impl TestS3 {
    /// The only bucket.
    pub const BUCKET: &str = "bucket";
    /// The id of the key that it knows.
    pub const ACCESS_KEY_ID: &str = "larder";
    /// That key.
    pub const SECRET_ACCESS_KEY: &str = "hunter2-of-the-bucket";

    /// Starts one, on the runtime of the caller.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(Self::BUCKET))?;
        let files = FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY_ID, Self::SECRET_ACCESS_KEY));
        let service = builder.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<State>>::default();
        let task = tokio::spawn(serve(listener, service, Arc::clone(&state)));
        Ok(Self { folder, address, state, task })
    }

    /// Returns the endpoint, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the folder of the server; the bucket is a folder in it, and unfinished uploads are beside that.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets requests fail whose `METHOD PATH?QUERY` contains this text, after as many that do not.
    pub fn break_requests(&self, with: &str, after: usize, fault: S3Fault) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault =
            Some((with.to_owned(), after, fault));
    }

    /// Lets no request fail any more.
    pub fn heal(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault = None;
    }

    /// Returns every request so far, as `METHOD PATH?QUERY`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }
}

impl Drop for TestS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn fault(&mut self, method: &Method, target: &str) -> Option<S3Fault> {
        let request = format!("{method} {target}");
        let fault = match &mut self.fault {
            Some((with, 0, fault)) if request.contains(with.as_str()) => Some(*fault),
            Some((with, after, _)) if request.contains(with.as_str()) => {
                *after -= 1;
                None
            }
            _ => None,
        };
        self.requests.push(request);
        fault
    }
}

async fn serve(listener: TcpListener, service: S3Service, state: Arc<Mutex<State>>) {
    let conditional = Arc::<tokio::sync::Mutex<()>>::default();
    // The connections end with the task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (service, state, conditional) = (service.clone(), Arc::clone(&state), Arc::clone(&conditional));
        let answer = service_fn(move |request| {
            answer(service.clone(), Arc::clone(&state), Arc::clone(&conditional), request)
        });
        connections.spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), answer).await;
            Ok::<_, Infallible>(())
        });
    }
}

async fn answer(
    service: S3Service,
    state: Arc<Mutex<State>>,
    conditional: Arc<tokio::sync::Mutex<()>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let fault = state.lock().unwrap_or_else(PoisonError::into_inner).fault(request.method(), &target);
    match fault {
        None => {
            // S3 compares and writes in one step; this server looks, and then writes.
            let is_conditional = request.headers().contains_key(IF_NONE_MATCH);
            let _alone = if is_conditional { Some(conditional.lock().await) } else { None };
            service.call(request.map(Body::from)).await.map_err(|error| format!("{error:?}").into())
        }
        Some(S3Fault::Status500) => {
            Ok(Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(Body::empty())?)
        }
        Some(S3Fault::Cut) => Err("cut on purpose".into()),
    }
}
