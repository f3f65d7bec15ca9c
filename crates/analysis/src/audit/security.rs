//! Rules about who gets in, and what they may do.

use std::cell::OnceCell;

use larder_metrics_model::{ServerLine, ServerVersion};

use super::{
    AuditedNode, DANGEROUS_COMMANDS, DangerousCommand,
    advisories::{Advisory, AdvisoryList, Condition},
    rule::{Judged, Reach, found_if},
};
use crate::wording::{clause, counted};

type Outcome = Result<Judged, String>;

pub(super) fn open_to_all(node: &AuditedNode) -> Outcome {
    let open = is_open_to_all(node)?;
    Ok(found_if(
        open,
        "Everyone who reaches the server is let in: it listens on every address, has no password, and protected-mode keeps no one out.",
        "not open to everyone",
    ))
}

fn is_open_to_all(node: &AuditedNode) -> Result<bool, String> {
    Ok(node.lets_everyone_in()? && node.reach()? == Reach::All && !node.is_protected()?)
}

pub(super) fn no_password(node: &AuditedNode) -> Outcome {
    if !node.lets_everyone_in()? {
        return Ok(Judged::Fine("the default user needs a password, or is off".to_owned()));
    }
    // The graver finding says it already; where CONFIG is blocked it cannot.
    if is_open_to_all(node) == Ok(true) {
        return Ok(Judged::NotHere);
    }
    let from = match node.reach() {
        Ok(Reach::Loopback) => "every program on its machine",
        Ok(_) if node.is_protected() == Ok(true) => {
            "every program on its machine, and while protected-mode is on no other,"
        }
        Ok(Reach::Named | Reach::All) => "whoever reaches its addresses",
        Err(_) => "whoever reaches it",
    };
    Ok(Judged::Found(format!("The default user needs no password: {from} is let in.")))
}

pub(super) fn default_user_unrestricted(node: &AuditedNode) -> Outcome {
    let others = node.acl()?.iter().filter(|user| user.name != "default" && user.is_on).count();
    let Some(default) = node.default_user()? else { return Ok(Judged::NotHere) };
    let holds = others > 0 && default.is_on && default.all_keys && default.may_run_everything();
    let found = format!(
        "The default user is on and may run every command on every key, beside {}.",
        counted(others as u64, "other user")
    );
    Ok(found_if(holds, found, counted(others as u64, "other user")))
}

pub(super) fn users_broad(node: &AuditedNode) -> Outcome {
    let broad: Vec<&str> = node
        .acl()?
        .iter()
        .filter(|user| user.name != "default" && user.is_on && user.all_keys && user.may_run_everything())
        .map(|user| user.name.as_str())
        .collect();
    // One is whoever administers the server.
    let found = format!("{} users may run every command on every key: {}.", broad.len(), broad.join(", "));
    Ok(found_if(broad.len() > 1, found, counted(broad.len() as u64, "administrator")))
}

pub(super) fn users_without_password(node: &AuditedNode) -> Outcome {
    let open: Vec<&str> = node
        .acl()?
        .iter()
        .filter(|user| user.name != "default" && user.is_on && user.needs_no_password)
        .map(|user| user.name.as_str())
        .collect();
    let found = format!("Any password will do for: {}.", open.join(", "));
    Ok(found_if(!open.is_empty(), found, "every other user has a password"))
}

pub(super) fn bind_all(node: &AuditedNode) -> Outcome {
    let reach = node.reach()?;
    if is_open_to_all(node) == Ok(true) {
        return Ok(Judged::NotHere);
    }
    Ok(found_if(
        reach == Reach::All,
        "The server listens on every address of its machine.",
        format!("{reach:?}").to_lowercase(),
    ))
}

pub(super) fn tls_off(node: &AuditedNode) -> Outcome {
    // Whom protected-mode keeps out sends nothing.
    if node.reach()? == Reach::Loopback || node.is_protected()? {
        return Ok(Judged::NotHere);
    }
    let holds = !node.listens("tls-port")?;
    Ok(found_if(holds, "The server is reached from other machines without TLS.", "TLS is on"))
}

pub(super) fn plain_port_open(node: &AuditedNode) -> Outcome {
    if !node.listens("tls-port")? {
        return Ok(Judged::NotHere);
    }
    Ok(found_if(
        node.listens("port")?,
        "A port without TLS is open beside that with TLS.",
        "the TLS port only",
    ))
}

pub(super) fn tls_clients_unverified(node: &AuditedNode) -> Outcome {
    if !node.listens("tls-port")? {
        return Ok(Judged::NotHere);
    }
    let asked = node.setting(&["tls-auth-clients"])?.unwrap_or("yes");
    let found = format!("Clients need no certificate (tls-auth-clients {asked}).");
    Ok(found_if(["no", "optional"].contains(&asked), found, "clients show a certificate"))
}

pub(super) fn tls_old_protocols(node: &AuditedNode) -> Outcome {
    if !node.listens("tls-port")? {
        return Ok(Judged::NotHere);
    }
    let allowed = node.setting(&["tls-protocols"])?.unwrap_or_default();
    let old: Vec<&str> = allowed
        .split_whitespace()
        .filter(|word| ["tlsv1", "tlsv1.0", "tlsv1.1"].contains(&word.to_lowercase().as_str()))
        .collect();
    // Without a word the servers take 1.2 and 1.3.
    let fine = if allowed.is_empty() { "TLSv1.2 TLSv1.3" } else { allowed };
    Ok(found_if(!old.is_empty(), format!("The server lets clients speak {}.", old.join(" and ")), fine))
}

pub(super) fn dangerous_commands(node: &AuditedNode) -> Outcome {
    if !node.lets_everyone_in()? {
        return Ok(Judged::Fine("no one is let in without a password".to_owned()));
    }
    let (open, unsure) = sift(node, allowed_commands(node)?);
    if open.is_empty() {
        return unsure.map_or_else(|| Ok(Judged::Fine("none of them".to_owned())), Err);
    }
    let unsure = unsure.map_or_else(String::new, |unsure| format!(" {}.", clause(&unsure)));
    Ok(Judged::Found(format!("Without a password one may run {}.{unsure}", open.join(", "))))
}

/// Leaves out what a setting forbids, which no right shows; beside what is open it says what is not known, and why.
fn sift(node: &AuditedNode, allowed: Vec<&DangerousCommand>) -> (Vec<String>, Option<String>) {
    let (mut open, mut unsure, mut reason) = (Vec::new(), Vec::new(), None);
    for command in allowed {
        let name = command.name();
        match command.guard.map(|setting| node.setting(&[setting])) {
            Some(Ok(Some("no"))) => {}
            Some(Ok(Some("local"))) => open.push(format!("{name} (from its own machine)")),
            Some(Err(why)) => {
                unsure.push(name);
                reason = Some(why);
            }
            // Before Redis 7 there is no such setting, and nothing in the way.
            Some(Ok(_)) | None => open.push(name.to_owned()),
        }
    }
    let unsure = reason
        .map(|why| format!("Whether a setting forbids {} could not be seen: {why}", unsure.join(" and ")));
    (open, unsure)
}

/// Asks the server's own answer first, then the rules.
fn allowed_commands(node: &AuditedNode) -> Result<Vec<&'static DangerousCommand>, String> {
    if let Some(open) = node.default_may_run.known() {
        return Ok(DANGEROUS_COMMANDS.iter().filter(|command| open.contains(&command.name())).collect());
    }
    let Some(default) = node.default_user()? else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for command in &DANGEROUS_COMMANDS {
        match default.may_run(command) {
            Some(true) => open.push(command),
            Some(false) => {}
            None => {
                let name = command.name();
                return Err(format!("whether the default user may run {name} cannot be told from its rules"));
            }
        }
    }
    Ok(open)
}

fn guarded(node: &AuditedNode, name: &str) -> Outcome {
    let Some(value) = node.setting(&[name])? else { return Ok(Judged::NotHere) };
    Ok(found_if(value == "yes", format!("{name} is yes."), format!("{name} {value}")))
}

pub(super) fn debug_command(node: &AuditedNode) -> Outcome {
    guarded(node, "enable-debug-command")
}

pub(super) fn module_command(node: &AuditedNode) -> Outcome {
    guarded(node, "enable-module-command")
}

pub(super) fn protected_settings(node: &AuditedNode) -> Outcome {
    guarded(node, "enable-protected-configs")
}

thread_local! {
    static LIST: OnceCell<Option<AdvisoryList>> = const { OnceCell::new() };
}

/// Reads the list once; that it can be read is tested.
pub(super) fn with_list<T>(use_it: impl FnOnce(&AdvisoryList) -> T) -> Result<T, String> {
    LIST.with(|list| {
        let list = list.get_or_init(|| AdvisoryList::read().ok());
        list.as_ref().map(use_it).ok_or_else(|| "the list of advisories cannot be read".to_owned())
    })
}

pub(super) fn version(node: &AuditedNode) -> Result<ServerVersion, String> {
    node.info()?.identity.version.ok_or_else(|| "the server does not give its version".to_owned())
}

pub(super) fn advisories(node: &AuditedNode) -> Outcome {
    let (line, version) = (node.info()?.identity.line, version(node)?);
    with_list(|list| {
        let seen = conditions(node);
        let holding: Vec<Condition> =
            seen.iter().filter(|(_, holds)| *holds == Ok(true)).map(|(condition, _)| *condition).collect();
        let found = list.of(line, version, &holding);
        if found.is_empty() && !list.covers(line, version) {
            return Err(not_covered(list, line, version));
        }
        if let (true, Some(why)) = (found.is_empty(), undecided(list, (line, version), &seen)) {
            return Err(why);
        }
        let Some(mended) = found.iter().map(|(_, mended)| *mended).max() else {
            return Ok(Judged::Fine(format!("{line} {version}: none in the list of {}", list.as_of)));
        };
        let counted = match found.len() {
            1 => "1 known vulnerability".to_owned(),
            count => format!("{count} known vulnerabilities"),
        };
        let as_of = list.as_of;
        let worst = worst_of(&found);
        let message =
            format!("{line} {version} has {counted} by the list of {as_of}, mended in {mended}: {worst}.");
        Ok(Judged::Listed(message, with_sources(&found)))
    })?
}

/// Which conditions hold, as far as it is known. What is not known counts as not holding: nothing is claimed that may not be so.
fn conditions(node: &AuditedNode) -> [(Condition, Result<bool, String>); 3] {
    let limit = node.setting(&["maxmemory-clients"]);
    [
        (Condition::Tls, node.listens("tls-port")),
        (Condition::Cluster, node.info().map(|info| info.cluster_enabled == Some(true))),
        (
            Condition::ClientEviction,
            limit.map(|limit| limit.is_some_and(|limit| limit.trim_end_matches('%') != "0")),
        ),
    ]
}

/// Where none is found, says why one may have been missed, in the words of the other rules.
fn undecided(
    list: &AdvisoryList,
    (line, version): (ServerLine, ServerVersion),
    seen: &[(Condition, Result<bool, String>)],
) -> Option<String> {
    let why = seen.iter().find_map(|(_, holds)| holds.as_ref().err())?;
    let possible: Vec<Condition> =
        seen.iter().filter(|(_, holds)| *holds != Ok(false)).map(|(condition, _)| *condition).collect();
    (!list.of(line, version, &possible).is_empty()).then(|| why.clone())
}

/// Names the worst, and counts the others.
fn worst_of(found: &[(&Advisory, ServerVersion)]) -> String {
    /// More make a line that no one reads.
    const NAMED: usize = 3;
    let named =
        found.iter().take(NAMED).map(|(one, _)| format!("{} ({}: {})", one.id, one.severity, one.title));
    let named = named.collect::<Vec<_>>().join(", ");
    match found.len().saturating_sub(NAMED) {
        0 => named,
        others => format!("{named}, and {others} more"),
    }
}

fn with_sources(found: &[(&Advisory, ServerVersion)]) -> String {
    let each = found.iter().map(|(one, mended)| {
        format!("{} ({}, mended in {mended}: {}; {})", one.id, one.severity, one.title, one.source)
    });
    each.collect::<Vec<_>>().join("; ")
}

fn not_covered(list: &AdvisoryList, line: ServerLine, version: ServerVersion) -> String {
    let ServerVersion { major, minor, .. } = version;
    format!("the list of advisories of {} does not cover {line} {major}.{minor}", list.as_of)
}

pub(super) fn end_of_life(node: &AuditedNode) -> Outcome {
    let (line, version) = (node.info()?.identity.line, version(node)?);
    with_list(|list| match list.unsupported(line, version) {
        Some(entry) => {
            let found = format!("{line} {version} gets no security fixes any more ({}).", entry.source);
            Ok(Judged::Found(found))
        }
        None if list.covers(line, version) => Ok(Judged::Fine(format!("{line} {version}"))),
        None => Err(not_covered(list, line, version)),
    })?
}
