//! The two histories as their users see them, and what they do when something goes wrong on purpose.

mod conformance;
mod damage;
mod export;
mod full_disk;
mod guide;
mod import;
mod processes;
mod properties;
mod side_by_side;
mod support;
