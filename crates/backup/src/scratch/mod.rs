//! Servers of our own, in which a dump is loaded to see whether it can be.

mod process;
mod program;

pub use process::ScratchServer;
pub use program::{ServerProgram, ServerPrograms};
