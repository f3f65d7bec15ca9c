//! The health verdict, judged from outside.

mod copies;
mod facts;
mod mixture;
mod node;
mod properties;
mod surroundings;
