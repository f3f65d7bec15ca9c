//! Function libraries.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use larder_cache_client::{FunctionLibrary, KeyChange};
use larder_metrics_model::NodeAddress;
use larder_rdb::DataDigest;

use super::{Existing, LiveOutcome, LiveRestore, LiveVerified, target::Looked};

/// Tells whether the servers have functions (Redis 7.0, whose files are of version 10); an embedded cache has none.
fn has_functions(looked: &Looked) -> bool {
    looked.server.is_some_and(|server| server.format().version() >= 10)
}

impl LiveRestore {
    /// Loads a library on every primary; replicas get it from theirs.
    pub(super) async fn load_function(&self, looked: &Looked, code: &[u8]) -> LiveOutcome {
        let mut outcome = LiveOutcome::default();
        // The plan says that they stay out.
        if !has_functions(looked) {
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

/// Compares libraries of the backup, by their sources, with those of every primary.
pub(super) async fn compare_functions(looked: &Looked, expected: &BTreeSet<Vec<u8>>) -> LiveVerified {
    let mut verified = LiveVerified::default();
    // The plan says that they stay out.
    if expected.is_empty() || !has_functions(looked) {
        return verified;
    }
    let answers = join_all(looked.primaries.iter().map(|node| node.functions())).await;
    let mut there = Vec::with_capacity(answers.len());
    for (node, answer) in looked.primaries.iter().zip(answers) {
        match answer {
            Ok(libraries) => there.push((node.node(), libraries)),
            Err(error) => {
                verified.functions_unknown = expected.len() as u64;
                verified.function_notes = vec![format!(
                    "{} function libraries were not compared: {}",
                    expected.len(),
                    error.with_causes()
                )];
                return verified;
            }
        }
    }
    for code in expected {
        compare_function(code, &there, &mut verified);
    }
    verified
}

/// A library counts once, however many primaries have it.
fn compare_function(
    code: &[u8],
    there: &[(&NodeAddress, Vec<FunctionLibrary>)],
    verified: &mut LiveVerified,
) {
    let library = FunctionLibrary::of_code(Bytes::copy_from_slice(code));
    let name = library.map_or_else(|| "without a name".to_owned(), |library| library.name);
    for (node, libraries) in there {
        if libraries.iter().any(|library| library.code == code) {
            continue;
        }
        if libraries.iter().any(|library| library.name == name) {
            verified.functions_differing += 1;
            let words = format!("{node} has another function library `{name}` than the backup");
            verified.function_notes.push(words);
        } else {
            verified.functions_missing += 1;
            verified.function_notes.push(format!("{node} does not have the function library `{name}`"));
        }
        return;
    }
    verified.functions_equal += 1;
    verified.digest += DataDigest::of_function(code);
}
