//! What was removed or altered, and how it is given back.

mod act;
mod give_back;
mod reader;
mod writer;

pub use act::{Act, UndoHeader};
pub use give_back::{UndoCount, UndoOptions, UndoOutcome, UndoPlan, plan_undo, undo};
pub use reader::UndoFile;
pub(crate) use writer::UndoWriter;
