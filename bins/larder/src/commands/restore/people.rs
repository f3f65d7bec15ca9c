//! Plans and outcomes of restores, for people.

use std::fmt::Write;

use larder_backup::{
    ConfigurationPlan, FolderOutcome, FolderPlan, LiveOutcome, LivePlan, LiveVerified, Manifest,
    OthersOutcome,
};

use crate::output::format;

pub(super) fn folder(plan: &FolderPlan, outcome: Option<&FolderOutcome>) -> String {
    let mut text = String::new();
    for file in &plan.files {
        let verb = if outcome.is_some() { "written" } else { "would be written" };
        let _ = writeln!(
            text,
            "{} {verb}: {} keys, {}",
            file.path.display(),
            format::or_dash(file.keys, |keys| keys.to_string()),
            format::or_dash(file.bytes, format::bytes),
        );
    }
    for path in &plan.put_aside {
        let verb = if outcome.is_some() { "is now in" } else { "would be put into" };
        let _ = writeln!(text, "{} {verb} {}", path.display(), plan.aside.display());
    }
    if let Some(configuration) = &plan.configuration {
        let lists = configuration_lines(configuration, outcome);
        text.push_str(&lists);
    }
    for path in outcome.iter().flat_map(|outcome| &outcome.side_folders) {
        let _ = writeln!(text, "beside it: {}", path.display());
    }
    text
}

/// Every file, whether it was placed or is the same already, and where the one is now that was there before.
fn configuration_lines(plan: &ConfigurationPlan, outcome: Option<&FolderOutcome>) -> String {
    let mut text = String::new();
    for path in &plan.files {
        let is_there = plan.put_aside.contains(path);
        let aside = path.strip_prefix(&plan.folder).map(|inside| plan.aside.join(inside)).unwrap_or_default();
        let aside = aside.display();
        let words = match outcome {
            None if is_there => {
                format!("would be written, unless it is the same; what is there put into {aside}")
            }
            None => "would be written".to_owned(),
            Some(done) if !done.configuration.contains(path) => "is the same already".to_owned(),
            Some(_) if is_there => format!("written; what was there is now in {aside}"),
            Some(_) => "written".to_owned(),
        };
        let _ = writeln!(text, "configuration {} {words}", path.display());
    }
    text
}

pub(super) fn plan(manifest: &Manifest, plan: &LivePlan) -> String {
    let server = format::or_dash(plan.target.server.clone(), |server| server);
    let mut text = format!("{} into {} ({server})\n", manifest.id, plan.target.name);
    let comes = &plan.comes;
    let _ = writeln!(
        text,
        "{} of {} keys, {} of them with a TTL, about {} of memory",
        comes.keys,
        plan.keys,
        comes.expiring,
        format::bytes(comes.memory_bytes)
    );
    for (kind, keys) in &comes.by_type {
        let _ = writeln!(text, "  {keys} {kind}");
    }
    for (why, keys) in &plan.left_out {
        let _ = writeln!(text, "{keys} left out: {why}");
    }
    if plan.expired > 0 {
        let _ = writeln!(text, "{} whose time is up", plan.expired);
    }
    if plan.rewritten > 0 {
        let _ = writeln!(text, "{} are written anew for {server}", plan.rewritten);
    }
    if plan.functions > 0 {
        let _ = writeln!(text, "{} function libraries", plan.functions);
    }
    if let Some(others) = &plan.others {
        let _ = writeln!(text, "{} keys of the cache that the backup does not have are removed", others.keys);
        for key in &others.named {
            let _ = writeln!(text, "  {key}");
        }
        let rest = others.keys - others.named.len() as u64;
        if rest > 0 {
            let _ = writeln!(text, "  and {rest} more");
        }
    }
    text
}

pub(super) fn outcome(
    outcome: &LiveOutcome,
    others: Option<&OthersOutcome>,
    verified: Option<&LiveVerified>,
) -> String {
    let mut text = format!("{} keys brought back\n", outcome.restored);
    let mut line = |keys: u64, words: &str| {
        if keys > 0 {
            let _ = writeln!(text, "{keys} {words}");
        }
    };
    line(outcome.overwritten, "of them in the place of others");
    line(outcome.there_already, "there already as they are in the backup");
    line(outcome.expired, "whose time is up");
    line(outcome.functions, "function libraries loaded");
    line(outcome.functions_there, "function libraries there already");
    line(outcome.failed, "could not be brought back");
    for (why, keys) in &outcome.left_alone {
        line(*keys, &format!("left alone: {why}"));
    }
    if let Some(others) = others {
        line(others.removed, "removed, because the backup does not have them");
        line(others.written_since, "that the backup does not have were written meanwhile, and stay");
        line(others.gone, "that the backup does not have were gone already");
        line(others.failed, "that the backup does not have could not be removed");
    }
    if let Some(verified) = verified {
        let verdict = match verified {
            verified if verified.is_whole() => "every key is as it is in the backup",
            verified if is_as_asked(outcome, verified) => {
                "every key is as it is in the backup, but for those that were left alone"
            }
            _ => "NOT EQUAL",
        };
        let _ = writeln!(
            text,
            "compared: {verdict} ({} equal, {} differing, {} missing, {} that could not be read, {} whose time is up), \
             digest {}",
            verified.equal,
            verified.differing,
            verified.missing,
            verified.failed,
            verified.expired,
            verified.digest
        );
        let mut functions = |libraries: u64, words: &str| {
            if libraries > 0 {
                let _ = writeln!(text, "{libraries} function libraries {words}");
            }
        };
        functions(verified.functions_equal, "are as they are in the backup");
        functions(verified.functions_differing, "DIFFER");
        functions(verified.functions_missing, "ARE MISSING");
        functions(verified.functions_unknown, "were not compared");
    }
    text
}

/// Tells whether everything is as in the backup, but for keys that were left alone on purpose, which is no failure.
pub(super) fn is_as_asked(outcome: &LiveOutcome, verified: &LiveVerified) -> bool {
    let left_alone: u64 = outcome.left_alone.values().sum();
    verified.missing == 0
        && verified.failed == 0
        && !verified.stopped
        && verified.functions_missing + verified.functions_differing == 0
        && verified.differing <= left_alone
}
