//! Function libraries.

use futures_util::future::join_all;
use larder_cache_client::KeyChange;

use super::{Existing, LiveOutcome, LiveRestore, target::Looked};

impl LiveRestore {
    /// Loads a library on every primary; replicas get it from theirs.
    pub(super) async fn load_function(&self, looked: &Looked, code: &[u8]) -> LiveOutcome {
        let mut outcome = LiveOutcome::default();
        // The plan says that they stay out.
        if looked.server.is_none_or(|server| server.format().version() < 10) {
            return outcome;
        }
        let replaces = self.options.existing == Existing::Overwrite;
        let loads = looked.primaries.iter().map(|node| node.load_function(code, replaces));
        let mut loaded = false;
        for answer in join_all(loads).await {
            match answer {
                Ok(KeyChange::Done) => loaded = true,
                Ok(_) => {}
                Err(error) => {
                    outcome.fail(&"a function library", &error);
                    return outcome;
                }
            }
        }
        if loaded {
            outcome.functions += 1;
        } else {
            outcome.functions_there += 1;
        }
        outcome
    }
}
