//! Configuration: flag, then environment, then `larder.toml`, then default.

mod backup;
mod capacity;
mod file;
mod guide;
mod nearest;
mod secret;
mod settings;

pub(crate) use backup::{Backup, RepositoryPlace};
pub(crate) use file::TEMPLATE;
pub(crate) use settings::Settings;
