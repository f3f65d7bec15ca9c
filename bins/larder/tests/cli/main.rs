//! The whole binary, as operators run it.

mod acl;
mod application;
mod audit;
mod backup;
mod backup_faults;
mod capacity;
mod clean;
mod collect;
mod config;
mod embedded;
mod faults;
mod health;
mod keys;
mod keys_hot;
mod keys_live;
mod larder;
mod metrics;
mod optimize;
mod plot;
mod readme;
mod sample;
mod watch;
