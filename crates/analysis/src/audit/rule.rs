//! What a rule is, and how it looks at a node.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use larder_metrics_model::{Observed, ServerFacts, ServerVersion};

use super::{AclUser, AuditedNode, MachineTuning};
use crate::{FindingId, Severity};

/// Since this version protected-mode holds whatever is bound.
const PROTECTS_ALWAYS: ServerVersion = ServerVersion { major: 7, minor: 0, patch: 0 };

/// One thing that an audit looks at on a node.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuditRule {
    /// The stable name, which is also that of its finding.
    pub id: FindingId,
    /// How much it matters where it is found.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// How it is seen.
    pub seen_by: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// What mending it changes.
    pub effect: &'static str,
    /// What may go wrong when it is mended.
    pub risk: &'static str,
    pub(super) judge: fn(&AuditedNode) -> Result<Judged, String>,
}

/// What a rule came to on a node; an `Err` beside it says why it could not be judged.
#[derive(Debug)]
pub(super) enum Judged {
    /// Fine; what was seen.
    Fine(String),
    /// Found; what was seen, as a sentence.
    Found(String),
    /// Found, too many to name in a sentence; the sentence, and all of them.
    Listed(String, String),
    /// There is no such thing on this node.
    NotHere,
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On this machine only.
    Loopback,
    /// On named addresses.
    Named,
    /// On every address.
    All,
}

impl AuditedNode {
    pub(super) fn info(&self) -> Result<&ServerFacts, String> {
        self.facts.known().ok_or_else(|| because("INFO", self.facts.why_unknown()))
    }

    pub(super) fn all_settings(&self) -> Result<&BTreeMap<String, String>, String> {
        self.settings.known().ok_or_else(|| because("CONFIG", self.settings.why_unknown()))
    }

    /// Returns a setting by the first of its names that the server knows; `None` where it has none of them.
    pub(super) fn setting(&self, names: &[&str]) -> Result<Option<&str>, String> {
        let all = self.all_settings()?;
        Ok(names.iter().find_map(|name| all.get(*name)).map(String::as_str))
    }

    /// Returns a setting as a number; `None` where the server does not have it or it is no number.
    pub(super) fn number<T: FromStr>(&self, names: &[&str]) -> Result<Option<T>, String> {
        Ok(self.setting(names)?.and_then(|text| text.parse().ok()))
    }

    pub(super) fn is_set(&self, name: &str, value: &str) -> Result<bool, String> {
        Ok(self.setting(&[name])? == Some(value))
    }

    pub(super) fn acl(&self) -> Result<&[AclUser], String> {
        self.users.known().map(Vec::as_slice).ok_or_else(|| because("ACL", self.users.why_unknown()))
    }

    pub(super) fn default_user(&self) -> Result<Option<&AclUser>, String> {
        Ok(self.acl()?.iter().find(|user| user.name == "default"))
    }

    /// Tells whether a client that gives no password is let in: by the users, or, where ACL is blocked, by `requirepass`.
    pub(super) fn lets_everyone_in(&self) -> Result<bool, String> {
        match (self.default_user(), self.password_is_set.known()) {
            (Ok(user), _) => Ok(user.is_some_and(|user| user.is_on && user.needs_no_password)),
            (Err(_), Some(is_set)) => Ok(!is_set),
            (Err(why), None) => Err(why),
        }
    }

    /// Tells whether protected-mode keeps other machines out, as it does while the default user needs no password; before
    /// Redis 7.0 only where no address is bound (`acceptCommonHandler` in networking.c).
    pub(super) fn is_protected(&self) -> Result<bool, String> {
        if !self.is_set("protected-mode", "yes")? || !self.lets_everyone_in()? {
            return Ok(false);
        }
        let version = self.info().ok().and_then(|info| info.identity.version);
        let looks_at_bind = version.is_some_and(|version| version < PROTECTS_ALWAYS);
        Ok(!looks_at_bind || self.setting(&["bind"])?.is_none_or(str::is_empty))
    }

    pub(super) fn reach(&self) -> Result<Reach, String> {
        let bind = self.setting(&["bind"])?.unwrap_or_default();
        let addresses: Vec<&str> =
            bind.split_whitespace().map(|address| address.trim_start_matches('-')).collect();
        let is_all = |address: &&str| ["*", "0.0.0.0", "::", "::*"].contains(address);
        let is_loopback =
            |address: &&str| address.starts_with("127.") || ["::1", "localhost"].contains(address);
        let has_port = self.listens("port")? || self.listens("tls-port")?;
        Ok(if !has_port || (!addresses.is_empty() && addresses.iter().all(is_loopback)) {
            Reach::Loopback
        } else if addresses.is_empty() || addresses.iter().any(is_all) {
            Reach::All
        } else {
            Reach::Named
        })
    }

    /// Tells whether a port is open; one that the server does not have is not.
    pub(super) fn listens(&self, port: &str) -> Result<bool, String> {
        Ok(self.number::<u16>(&[port])?.is_some_and(|port| port != 0))
    }

    /// Returns what is set on the server's machine; `None` where that machine is not to be looked into from here, which is no
    /// fault of the cache.
    pub(super) fn tuning(&self) -> Result<Option<&MachineTuning>, String> {
        match &self.machine {
            Observed::Known(tuning) => Ok(Some(tuning)),
            Observed::Skipped(_) => Ok(None),
            Observed::Failed(failure) => Err(failure.reason.clone()),
        }
    }
}

fn because(what: &str, why: Option<&str>) -> String {
    format!("{what} is not to be had: {}", why.unwrap_or_default())
}

/// Found where it holds, else fine with what was seen.
pub(super) fn found_if(holds: bool, found: impl Display, fine: impl Display) -> Judged {
    if holds { Judged::Found(found.to_string()) } else { Judged::Fine(fine.to_string()) }
}
