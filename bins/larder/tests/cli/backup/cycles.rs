//! What the cycles do about backups.

use anyhow::{Context as _, Result, ensure};
use larder_test_support::on_every_server_at_once;
use serde_json::Value;

use super::{configure, filled, listed};
use crate::larder::Larder;

#[test]
fn daily_makes_and_prunes_weekly_verifies_monthly_drills() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        let larder = Larder::of(&server.url());
        // Nothing is pruned unless it is said.
        let keep = "repository = \"backups\"\n[backup.keep]\nlast = 1\nwithin = \"1ms\"\n";
        configure(&larder, program, keep);
        larder.ends(0, &["maintain", "daily"])?.says("== backup: done")?;
        larder.ends(0, &["maintain", "daily"])?.says("1 of 2 backups would be removed")?;
        let before = listed(&larder)?;
        ensure!(before.len() == 2, "{before:?}");

        configure(&larder, program, &format!("{keep}apply = true\n"));
        let daily = larder.ends(0, &["--output", "json", "maintain", "daily"])?.json()?;
        let jobs: Vec<&str> =
            daily["jobs"].as_array().into_iter().flatten().filter_map(|job| job["job"].as_str()).collect();
        ensure!(jobs == ["health", "collect", "backup", "prune"], "{daily:#}");
        ensure!(daily["jobs"][3]["summary"] == "2 of 3 backups were removed", "{daily:#}");
        let after = listed(&larder)?;
        ensure!(after.len() == 1 && !before.contains(&after[0]), "{before:?}, then {after:?}");

        let weekly = larder.ends(0, &["maintain", "weekly"])?;
        weekly.says("== verify: done")?;
        weekly.says(&format!("{} is sound (level structure)", after[0]))?;

        let monthly = larder.ends(0, &["maintain", "monthly"])?;
        monthly.says("every key came back")?;
        monthly.says("== capacity: done")?;
        monthly.says("capacity_report_")?;
        let shown = larder.ends(0, &["--output", "json", "metrics", "show", "drill_recovery_seconds"])?;
        let series: Value = serde_json::from_str(shown.stdout.lines().next().context("a series")?)?;
        let points = series["points"].as_array().with_context(|| format!("{series:#}"))?;
        ensure!(points.len() == 1 && shown.stdout.lines().count() == 1, "{shown:#?}");
        larder.ends(0, &["metrics", "show", "drill_recovery_seconds"])?.says("drill_recovery_seconds")?;
        let judged = larder.ends(0, &["backup", "check"])?;
        judged.says("one succeeded")?;
        judged.says("passed (drill)")
    });
}

#[test]
fn a_backup_that_is_not_sound_fails_the_week_and_the_month() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        let larder = Larder::of(&server.url());
        configure(&larder, program, "repository = \"backups\"\n");
        let id = super::created(&larder, &[])?["id"].as_str().context("an id")?.to_owned();
        let image = larder.folder().join(format!("backups/backups/{id}/shard-0.rdb.zst"));
        let mut bytes = std::fs::read(&image)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&image, bytes)?;
        // Every week the history is judged and every month the configuration is audited as well, which is done.
        for cycle in ["weekly", "monthly"] {
            larder.ends(4, &["maintain", cycle])?.says("another SHA-256")?;
        }
        larder.ends(1, &["backup", "verify", "--level", "checksum"])?.says("is not sound")?;
        larder.ends(2, &["--output", "nagios", "backup", "check"])?.says("LARDER BACKUP CRITICAL")
    });
}

#[test]
fn without_a_repository_there_is_no_job_about_backups() -> Result<()> {
    let larder = Larder::of("memory:sample");
    let run = larder.ends(0, &["maintain", "daily"])?;
    ensure!(!run.stdout.contains("== backup"), "{run:#?}");
    let run = larder.ends(0, &["maintain", "weekly"])?;
    ensure!(!run.stdout.contains("== verify"), "{run:#?}");
    let run = larder.run(&["maintain", "monthly"])?;
    ensure!(run.stdout.contains("== audit") && !run.stdout.contains("== drill"), "{run:#?}");
    Ok(())
}
