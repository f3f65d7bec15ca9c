//! Statistics that hold where values are few, skewed, or wild.

mod change_point;
mod count;
mod mann_kendall;
mod order;
mod theil_sen;
mod wilson;

pub(crate) use change_point::{Split, splits};
pub(crate) use count::{index, number};
pub use mann_kendall::MannKendall;
pub(crate) use order::{median, quantile, ranks, spread};
pub(crate) use theil_sen::theil_sen;
pub(crate) use wilson::least_share;
