//! Servers of our own, in which a dump is loaded to see whether it can be.

mod abandoned;
mod folder;
mod process;
mod program;

pub(crate) use folder::ScratchFolder;
pub(crate) use process::ScratchOptions;
pub use process::ScratchServer;
pub(crate) use program::server_of;
pub use program::{ServerProgram, ServerPrograms};
