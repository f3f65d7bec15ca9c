//! A way to a server that breaks after some bytes.

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Leads connections to a server, and cuts each when so many bytes have come back over it.
pub(super) struct Proxy {
    pub(super) port: u16,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn start(target: u16, cut_after: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(lead(client, target, cut_after));
            }
        });
        Ok(Self { port, task })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn lead(client: TcpStream, target: u16, cut_after: usize) -> Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(("127.0.0.1", target)).await?.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let (mut left, mut bytes) = (cut_after, vec![0; 8192]);
    while left > 0 {
        let room = left.min(bytes.len());
        let length = from_server.read(&mut bytes[..room]).await?;
        if length == 0 {
            break;
        }
        to_client.write_all(&bytes[..length]).await?;
        left -= length;
    }
    asking.abort();
    Ok(())
}
