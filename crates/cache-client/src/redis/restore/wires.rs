//! Connections that are kept for the next batch.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use larder_metrics_model::NodeAddress;

use crate::{
    Result,
    redis::wire::{Introduction, Wire, WireDialer},
    url::Endpoint,
};

/// Connections of our own that nobody uses at the moment, by server.
#[derive(Debug)]
pub(super) struct Wires {
    dialer: WireDialer,
    quiet: Mutex<HashMap<NodeAddress, Vec<Wire>>>,
}

/// How many are kept of each server.
const MOST_KEPT: usize = 4;

impl Wires {
    pub(super) fn new(dialer: WireDialer) -> Self {
        Self { dialer, quiet: Mutex::default() }
    }

    /// Takes one that is there still, or makes one.
    pub(super) async fn take(&self, endpoint: &Endpoint) -> Result<Wire> {
        let node = endpoint.address();
        while let Some(mut wire) = self.kept(&node) {
            if wire.is_quiet() {
                return Ok(wire);
            }
        }
        self.dialer.dial(endpoint, Introduction::default()).await
    }

    /// Keeps one whose commands are all answered.
    pub(super) fn give_back(&self, wire: Wire) {
        let mut quiet = self.quiet();
        let kept = quiet.entry(wire.node().clone()).or_default();
        if kept.len() < MOST_KEPT {
            kept.push(wire);
        }
    }

    fn kept(&self, node: &NodeAddress) -> Option<Wire> {
        self.quiet().get_mut(node)?.pop()
    }

    fn quiet(&self) -> MutexGuard<'_, HashMap<NodeAddress, Vec<Wire>>> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
