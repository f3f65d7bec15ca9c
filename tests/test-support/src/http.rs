//! HTTP services in a thread of their own, so that they answer while a test blocks.

use std::{net::SocketAddr, path::Path, thread};

use anyhow::{Context as _, Result};
use axum::Router;
use tokio::{net, runtime, sync::oneshot};

/// A service that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct HttpService {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl HttpService {
    pub(crate) fn on_tcp(router: Router) -> Result<(Self, SocketAddr)> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let service = Self::spawn(router, || net::TcpListener::from_std(listener))?;
        Ok((service, address))
    }

    pub(crate) fn on_socket(router: Router, path: &Path) -> Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Self::spawn(router, || net::UnixListener::from_std(listener))
    }

    fn spawn<L>(router: Router, listen: impl FnOnce() -> std::io::Result<L> + Send + 'static) -> Result<Self>
    where
        L: axum::serve::Listener + Send,
        L::Addr: std::fmt::Debug,
    {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("http-service".to_owned()).spawn(move || {
            runtime.block_on(async {
                // The listener is made here because it belongs to this runtime.
                let Ok(listener) = listen() else { return };
                tokio::select! {
                    _ = axum::serve(listener, router) => {}
                    _ = stopped => {}
                }
            });
        });
        let thread = thread.context("a thread for the service")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the service has failed the test that asked it.
            thread.join().ok();
        }
    }
}
