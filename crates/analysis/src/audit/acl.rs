//! Users, as `ACL LIST` writes them.
//!
//! Source: the ACL page of the Redis documentation, <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.

use super::DangerousCommand;

/// One user, as far as an audit needs it. No hash of a password is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AclUser {
    /// Its name.
    pub name: String,
    /// Whether it can log in.
    pub is_on: bool,
    /// Whether any password will do (`nopass`).
    pub needs_no_password: bool,
    /// Whether it may touch every key (`~*`).
    pub all_keys: bool,
    /// The rules of commands, in their order: `+@all`, `-flushall`.
    pub commands: Vec<String>,
}

impl AclUser {
    /// Reads a line of `ACL LIST`, such as `user default on nopass ~* &* +@all`; `None` for what is no such line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        if words.next()? != "user" {
            return None;
        }
        let name = words.next()?.to_owned();
        let mut user =
            Self { name, is_on: false, needs_no_password: false, all_keys: false, commands: Vec::new() };
        for word in words {
            match word {
                "on" => user.is_on = true,
                "off" => user.is_on = false,
                "nopass" => user.needs_no_password = true,
                "~*" | "allkeys" => user.all_keys = true,
                "allcommands" => user.commands.push("+@all".to_owned()),
                "nocommands" => user.commands.push("-@all".to_owned()),
                _ if word.starts_with(['+', '-']) => user.commands.push(word.to_lowercase()),
                _ => {}
            }
        }
        Some(user)
    }

    /// Tells whether it may run every command, without exception.
    #[must_use]
    pub fn may_run_everything(&self) -> bool {
        let all = self.commands.iter().rposition(|rule| rule == "+@all");
        all.is_some_and(|place| !self.commands[place..].iter().any(|rule| rule.starts_with('-')))
    }

    /// Tells whether it may run a command, by its rules in their order. `None` where a rule about a category that the command
    /// may be in, or about a subcommand, leaves it open.
    #[must_use]
    pub fn may_run(&self, command: &DangerousCommand) -> Option<bool> {
        let name = command.name().to_lowercase();
        let mut may = Some(false);
        for rule in &self.commands {
            let (allows, what) = (rule.starts_with('+'), rule.get(1..).unwrap_or_default());
            let is_elsewhere = ["@dangerous", "@scripting"].contains(&what) && what != command.category;
            if what == "@all" || what == command.category || what == name {
                may = Some(allows);
            } else if !is_elsewhere
                && (what.starts_with('@') || what.starts_with(&format!("{name}|")))
                && may != Some(allows)
            {
                may = None;
            }
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DANGEROUS_COMMANDS;

    #[test]
    fn lines_are_read() {
        let user = AclUser::parse("user default on nopass sanitize-payload ~* &* +@all").unwrap();
        assert!(user.is_on && user.needs_no_password && user.all_keys && user.may_run_everything());
        let user = AclUser::parse("user app on # ~app:* resetchannels -@all +@read +get").unwrap();
        assert!(!user.needs_no_password && !user.all_keys && !user.may_run_everything());
        assert_eq!(AclUser::parse("default on"), None);
        assert_eq!(AclUser::parse(""), None);
    }

    #[test]
    fn rules_hold_in_their_order() {
        for (rules, flushall, eval) in [
            ("+@all", Some(true), Some(true)),
            ("+@all -flushall", Some(false), Some(true)),
            ("+@all -@dangerous", Some(false), Some(true)),
            ("+@all -@scripting", Some(true), Some(false)),
            ("+@all -@dangerous -@scripting", Some(false), Some(false)),
            ("+@all -@dangerous -eval", Some(false), Some(false)),
            ("+@all -@dangerous +flushall", Some(true), Some(true)),
            ("+@all -@slow", None, None),
            ("-@all +@read", None, None),
            ("-@all +get", Some(false), Some(false)),
            ("", Some(false), Some(false)),
        ] {
            let user = AclUser::parse(&format!("user x on {rules}")).unwrap();
            let may = |name| user.may_run(DANGEROUS_COMMANDS.iter().find(|one| one.name() == name).unwrap());
            assert_eq!((may("FLUSHALL"), may("EVAL")), (flushall, eval), "{rules}");
        }
        let without_eval = AclUser::parse("user x on +@all -@dangerous -eval").unwrap();
        let left = DANGEROUS_COMMANDS.iter().filter(|one| without_eval.may_run(one) == Some(true));
        assert_eq!(left.count(), 7, "scripts run by six other commands, and are loaded");
    }
}
