//! The two histories as their users see them, and what they do when something goes wrong on purpose.

#![expect(clippy::unwrap_used, reason = "what fails in a test ends it")]
#![expect(clippy::float_cmp, reason = "what is stored comes back to the last bit")]
#![expect(clippy::cast_precision_loss, reason = "the numbers are small")]

mod conformance;
mod damage;
mod export;
mod families;
mod full_disk;
mod guide;
mod import;
mod older;
mod processes;
mod properties;
mod read_again;
mod read_only;
mod retention;
mod side_by_side;
mod support;
