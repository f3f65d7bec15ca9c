//! What Larder's tests stand on: real servers, certificates, HTTP services, and the conformance suites of the seams.
//!
//! A server runs on 127.0.0.1 in a temporary folder, is waited for by asking it, and is killed when it is dropped:
//!
//! ```
//! use larder_test_support::{TestServer, server_programs};
//!
//! for program in server_programs() {
//!     let server = TestServer::builder(&program).config("maxmemory 64mb").start()?;
//!     let answer: String = redis::cmd("PING").query(&mut server.admin()?)?;
//!     assert_eq!(answer, "PONG", "{program} at {}", server.url());
//! }
//! # anyhow::Ok(())
//! ```

#![expect(
    clippy::missing_errors_doc,
    reason = "every error here is a test that cannot go on, and says why itself"
)]

mod application;
mod builder;
mod cluster;
pub mod conformance;
mod docker;
mod http;
mod measured;
mod poll;
mod port;
mod process;
mod program;
mod query_cache;
#[cfg(feature = "s3")]
mod s3;
mod seeded;
mod sentinel;
mod server;
mod tls;

pub use application::Application;
pub use builder::TestServerBuilder;
pub use cluster::TestCluster;
pub use docker::{ContainerFixture, DockerEngine};
pub use measured::Measured;
pub use poll::{PATIENCE, until, until_async};
pub use port::free_port;
pub use program::{ServerProgram, on_every_server, on_every_server_at_once, server_programs};
pub use query_cache::write_query_cache;
#[cfg(feature = "s3")]
pub use s3::{S3Fault, TestS3};
pub use seeded::{Fate, SeededKey, seed, seed_cluster, seeded_counts, seeded_key};
pub use sentinel::TestSentinel;
pub use server::TestServer;
pub use tls::Certificates;
