//! The forms of the commands, their output and their exit codes.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestServer, on_every_server_at_once};
use serde_json::Value;

use super::{KEYS, configure, created, ensure_same, filled, listed};
use crate::larder::Larder;

#[test]
fn a_backup_is_named_in_every_way_and_brought_back() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        let larder = Larder::of(&server.url());
        configure(&larder, program, "repository = \"backups\"\n");
        let made = created(&larder, &[])?;
        let id = made["id"].as_str().context("an id")?.to_owned();
        ensure!(made["manifest"]["counts"]["keys"] == KEYS + 2, "{made:#}");
        ensure!(listed(&larder)?.iter().eq([&id]));
        larder.ends(0, &["backup", "list"])?.says(&id)?;
        let shown = larder.ends(0, &["--output", "json", "backup", "show", &id])?.json()?;
        ensure!(shown == made["manifest"], "{shown:#}");
        larder.ends(0, &["backup", "show"])?.says(&format!("{} keys", KEYS + 2))?;
        for level in ["checksum", "structure", "load"] {
            larder.ends(0, &["backup", "verify", &id, "--level", level])?.says("is sound")?;
        }

        for wanted in ["latest", id.as_str(), "2099-01-01"] {
            let to = TestServer::builder(program).config("enable-debug-command yes").start()?;
            let plan = larder.ends(0, &["restore", wanted, "--to", &to.url()])?;
            plan.says("nothing was changed; --apply does it")?;
            ensure!(to.run::<u64>(&["DBSIZE"])? == 0);
            let words = ["restore", wanted, "--to", &to.url(), "--apply"];
            larder.ends(0, &words)?.says("every key is as it is in the backup")?;
            ensure_same(&server, &to)?;
            // And again, into what is no longer empty: it is backed up first.
            let again = larder.ends(0, &[&["--output", "json"], words.as_slice()].concat())?.json()?;
            ensure!(again["outcome"]["there_already"] == KEYS + 2, "{again:#}");
            ensure!(again["safety_backup"].is_string(), "{again:#}");
        }
        larder.ends(2, &["restore", "2001-01-01", "--to", &server.url()])?.says("there is no backup")?;
        larder.ends(2, &["restore", "soon", "--to", &server.url()])?;
        larder.ends(2, &["restore", "latest"])?;

        for (folder, append_only) in [("data", false), ("data-aof", true)] {
            let mut words = vec!["restore", id.as_str(), "--to-folder", folder];
            if append_only {
                words.push("--append-only");
            }
            larder.ends(0, &words)?.says("nothing was changed")?;
            ensure!(!larder.folder().join(folder).exists());
            words.push("--apply");
            larder.ends(0, &words)?;
            let mut builder = TestServer::builder(program)
                .config("enable-debug-command yes")
                .data(larder.folder().join(folder));
            if append_only {
                builder = builder.config("appendonly yes");
            }
            ensure_same(&server, &builder.start()?)?;
            larder.ends(1, &words)?.says("holds data")?;
        }
        let reports = fs::read_dir(larder.folder().join("recovery"))?.count();
        ensure!(reports > 0, "no recovery report");
        Ok(())
    });
}

#[test]
fn the_repository_comes_from_the_flag_the_environment_or_the_configuration() -> Result<()> {
    let larder = Larder::of("memory:sample");
    larder.ends(2, &["backup", "list"])?.says("no repository is named")?;
    larder.configure("[backup]\nrepository = \"configured\"\n");
    let is_in = |folder: &str| larder.folder().join(folder).join("backups").is_dir();
    created(&larder, &[])?;
    ensure!(is_in("configured"));
    let larder = larder.with("LARDER_REPOSITORY", "environment");
    let is_in = |folder: &str| larder.folder().join(folder).join("backups").is_dir();
    created(&larder, &[])?;
    ensure!(is_in("environment"));
    created(&larder, &["--repository", "flag"])?;
    ensure!(is_in("flag") && listed(&larder)?.len() == 1);
    Ok(())
}

#[test]
fn a_check_ends_with_the_code_of_a_monitoring_plugin() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        let larder = Larder::of(&server.url());
        let check = ["--output", "nagios", "backup", "check"];
        larder.ends(3, &check)?.says("no repository is named")?;
        larder.ends(3, &["backup", "check", "--bogus"])?;
        configure(&larder, program, "repository = \"backups\"\n");
        // A folder that is not there may be a disk that is not mounted.
        let unknown = larder.ends(3, &check)?;
        ensure!(unknown.stdout.starts_with("LARDER BACKUP UNKNOWN - ") && !unknown.stdout.contains('|'));
        fs::create_dir(larder.folder().join("backups"))?;
        let none = larder.ends(2, &check)?;
        none.says("LARDER BACKUP CRITICAL - age: there is no backup | 'backups'=0;;;0\n")?;
        created(&larder, &[])?;
        let fresh = larder.ends(0, &check)?;
        fresh.says("LARDER BACKUP OK - ")?;
        let first = fresh.stdout.lines().next().unwrap_or_default();
        let (_, data) = first.split_once(" | ").context("performance data")?;
        for label in ["'backups'=1", "'age'=", "'size'=", "'verification_age'="] {
            ensure!(data.contains(label), "{label} is not in {data}");
        }
        let within = |warning: &str, critical: &str| {
            let check =
                format!("[backup.check]\nage_warning = \"{warning}\"\nage_critical = \"{critical}\"\n");
            configure(&larder, program, &format!("repository = \"backups\"\n{check}"));
        };
        within("1ms", "1h");
        larder.ends(1, &check)?.says("LARDER BACKUP WARNING - age: ")?;
        within("1ms", "1ms");
        larder.ends(2, &check)?.says("LARDER BACKUP CRITICAL - age: ")?;
        ensure!(larder.ends(2, &["--output", "json", "backup", "check"])?.json()?["state"] == "critical");
        larder.write("file", "no folder");
        larder.ends(3, &[&check[..], &["--repository", "file"]].concat())?;
        Ok(())
    });
}

#[test]
fn a_check_tells_the_caches_of_a_repository_apart() -> Result<()> {
    let Some(program) = larder_test_support::server_programs().into_iter().next() else { return Ok(()) };
    let (one, other) = (filled(&program)?, filled(&program)?);
    let larder = Larder::of(&one.url()).with("LARDER_REPOSITORY", "backups");
    let check =
        |cache: &str, code| larder.ends(code, &["--output", "nagios", "--cache", cache, "backup", "check"]);
    created(&larder, &[])?;
    let none = check(&other.url(), 2)?;
    none.says(&format!("there is no backup of {}; what is there is of {}", other.url(), one.url()))?;
    larder.ends(0, &["--cache", &other.url(), "backup", "create"])?;
    for url in [one.url(), other.url()] {
        check(&url, 0)?.says("'backups'=1;;;0")?;
    }
    Ok(())
}

#[test]
fn programs_are_told_once_a_second_how_far_it_is() -> Result<()> {
    let Some(program) = larder_test_support::server_programs().into_iter().next() else { return Ok(()) };
    let server = filled(&program)?;
    let larder = Larder::of(&server.url());
    let run = larder.ends(
        0,
        &["--output", "json", "backup", "create", "--repository", "r", "--source", "keys", "--rate", "20"],
    )?;
    ensure!(run.json()?["id"].is_string(), "{run:#?}");
    let lines: Vec<Value> = run.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    ensure!(lines.len() >= 2, "{run:#?}");
    for (number, line) in (1..).zip(&lines) {
        ensure!(line["progress"] == "backup" && line["bytes"].is_u64(), "{line}");
        let elapsed = line["elapsed_ms"].as_u64().unwrap_or_default();
        ensure!(elapsed >= number * 1000 - 100, "line {number} comes after {elapsed} ms");
    }
    let quiet = larder.ends(0, &["-q", "--output", "json", "backup", "create", "--repository", "r"])?;
    ensure!(!quiet.stderr.contains("\"progress\""), "{quiet:#?}");
    Ok(())
}
