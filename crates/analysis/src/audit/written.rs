//! Rules about what the configuration file says.

use larder_metrics_model::{Observed, ServerLine};

use super::{
    AuditedNode, SettingLine, SettingsFile,
    deprecated::{self, DeprecatedSetting, Effect},
    rule::Judged,
    security::version,
};
use crate::wording::{clause, counted};

type Outcome = Result<Judged, String>;

/// More make a line that no one reads.
const NAMED: usize = 3;

/// One setting of the list, and the lines that have it.
struct Written<'a> {
    setting: &'a DeprecatedSetting,
    since: String,
    lines: Vec<&'a SettingLine>,
}

pub(super) fn deprecated_settings(node: &AuditedNode) -> Outcome {
    judge(
        node,
        |effect| matches!(effect, Effect::Holds | Effect::Idle),
        |found, path| format!("{path} has {}", counted(found as u64, "deprecated setting")),
    )
}

pub(super) fn ignored_settings(node: &AuditedNode) -> Outcome {
    judge(
        node,
        |effect| matches!(effect, Effect::Lost | Effect::Fatal),
        |found, path| {
            let do_what = if found == 1 { "that does not hold" } else { "that do not hold" };
            format!("{path} has {} {do_what}", counted(found as u64, "setting"))
        },
    )
}

fn judge(node: &AuditedNode, matters: fn(Effect) -> bool, say: fn(usize, &str) -> String) -> Outcome {
    let line = node.info()?.identity.line;
    let file = match &node.settings_file {
        Observed::Known(file) => file,
        Observed::Skipped(_) => return Ok(Judged::NotHere),
        Observed::Failed(failure) => return Err(failure.reason.clone()),
    };
    let version = version(node)?;
    if !matches!(line, ServerLine::Redis | ServerLine::Valkey) {
        return Err("it is not known what this kind of server no longer takes".to_owned());
    }
    deprecated::with_list(|list| {
        let found: Vec<Written<'_>> = list
            .iter()
            .filter_map(|setting| {
                let (of, since) = setting.since(line, version)?;
                let lines = lines_of(file, setting, matters);
                let since = format!("{of} {}.{}", since.major, since.minor);
                (!lines.is_empty()).then_some(Written { setting, since, lines })
            })
            .collect();
        conclude(file, &found, say)
    })?
}

fn lines_of<'a>(
    file: &'a SettingsFile,
    setting: &DeprecatedSetting,
    matters: fn(Effect) -> bool,
) -> Vec<&'a SettingLine> {
    let is_one = |line: &&SettingLine| line.name == setting.name && matters(setting.effect(line));
    file.lines.iter().filter(is_one).collect()
}

/// What was not read may hold more: then it is not fine.
fn conclude(file: &SettingsFile, found: &[Written<'_>], say: fn(usize, &str) -> String) -> Outcome {
    let unread =
        (!file.unread.is_empty()).then(|| format!("Not all of it was read: {}", file.unread.join("; ")));
    if found.is_empty() {
        let seen = format!("none that is known in {}", counted(file.lines.len() as u64, "line"));
        return unread.map_or(Ok(Judged::Fine(seen)), Err);
    }
    let mut named: Vec<String> = found.iter().take(NAMED).map(|one| one.briefly(&file.path)).collect();
    if found.len() > NAMED {
        named.push(format!("and {} more", found.len() - NAMED));
    }
    let unread = unread.map_or_else(String::new, |unread| format!(" {}.", clause(&unread)));
    let message = format!("{}: {}.{unread}", say(found.len(), &file.path), named.join(", "));
    let all: Vec<String> = found.iter().map(Written::in_full).collect();
    Ok(Judged::Listed(message, all.join("; ")))
}

impl Written<'_> {
    fn briefly(&self, path: &str) -> String {
        let place = |line: &&SettingLine| match &line.file {
            file if file == path => format!("line {}", line.line),
            file => format!("{file}:{}", line.line),
        };
        let mut places: Vec<String> = self.lines.iter().take(NAMED).map(place).collect();
        if self.lines.len() > NAMED {
            places.push(format!("{} more", self.lines.len() - NAMED));
        }
        format!("{} ({}: {})", self.setting.name, places.join(", "), self.fate())
    }

    fn in_full(&self) -> String {
        let places = self.lines.iter().map(|line| format!("{}:{}", line.file, line.line));
        let places = places.collect::<Vec<_>>().join(", ");
        format!("{} ({places}: {}; {})", self.setting.name, self.fate(), self.setting.source)
    }

    fn fate(&self) -> String {
        let since = &self.since;
        let effect = self.lines.first().map(|line| self.setting.effect(line));
        let fate = match (effect, &self.setting.instead) {
            (Some(Effect::Fatal), _) => format!("refused since {since}, so the next start fails"),
            (Some(Effect::Lost | Effect::Idle), _) => format!("does nothing since {since}"),
            (_, Some(instead)) => return format!("{instead} since {since}"),
            (_, None) => format!("deprecated since {since}"),
        };
        self.setting
            .instead
            .as_ref()
            .map_or_else(|| fate.clone(), |instead| format!("{fate}; {instead} took its place"))
    }
}
