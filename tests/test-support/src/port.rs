//! Ports that nobody listens on.

use std::net::TcpListener;

use anyhow::Result;

/// Returns a port of 127.0.0.1 that was free a moment ago. Another process may be quicker, so whoever uses it tries
/// again with another one when the server cannot bind it.
///
/// # Errors
/// There is no free port.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
