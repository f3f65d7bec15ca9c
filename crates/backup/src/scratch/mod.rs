//! Servers of our own, in which a dump is loaded to see whether it can be.

mod process;
mod program;

pub use process::ScratchServer;
pub(crate) use process::{ScratchFolder, ScratchOptions};
pub(crate) use program::server_of;
pub use program::{ServerProgram, ServerPrograms};
