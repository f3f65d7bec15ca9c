//! Bringing a backup back.

mod folder;
mod in_use;

pub use folder::{FolderOptions, FolderOutcome, FolderPlan, PlannedFile, plan_folder, restore_to_folder};
