//! What the guide's script made is a backup like any other, and ours can be made in its form.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use larder_test_support::{TestServer, on_every_server_at_once};

use super::{configure, created, ensure_same, filled, listed};
use crate::larder::Larder;

const DATE: &str = "20261120_101112";

/// What the guide's script does after BGSAVE, with the same programs.
const SCRIPT: &str = r#"
set -e
mkdir backups configs metrics logs
echo SECRET=1 > .env; echo x > configs/a.conf; echo '{}' > metrics/a.json; echo line > logs/a.log
cp "$1" "backups/redis_$2.rdb"
tar -czf "backups/config_$2.tar.gz" .env configs
tar -czf "backups/metrics_$2.tar.gz" metrics logs
cat > "backups/manifest_$2.json" << EOF
{
    "backup_date": "$2",
    "backup_type": "automated",
    "files": {
        "redis_data": "redis_$2.rdb",
        "configuration": "config_$2.tar.gz",
        "metrics_logs": "metrics_$2.tar.gz"
    },
    "system_info": {
        "hostname": "db1",
        "redis_version": "$3",
        "backup_size": "$(du -sh backups | cut -f1)"
    }
}
EOF
gzip "backups/redis_$2.rdb"
"#;

fn sh(larder: &Larder, script: &str, words: &[&str]) -> Result<String> {
    let output =
        Command::new("sh").args(["-c", script, "sh"]).args(words).current_dir(larder.folder()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn the_scripts_own_files_are_listed_verified_and_restored() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        server.run::<()>(&["SAVE"])?;
        let larder = Larder::of(&server.url());
        configure(&larder, program, "repository = \"backups\"\n");
        let version = server.info("redis_version")?.context("redis_version")?;
        let dump = server.folder().join("dump.rdb");
        sh(&larder, SCRIPT, &[&dump.display().to_string(), DATE, &version])?;

        ensure!(listed(&larder)? == [DATE]);
        larder.ends(0, &["backup", "list"])?.says("guide")?;
        larder.ends(0, &["backup", "show", DATE])?.says("db1")?;
        for level in ["checksum", "structure", "load"] {
            larder.ends(0, &["backup", "verify", DATE, "--level", level])?.says("is sound")?;
        }
        larder.ends(0, &["drill", DATE])?.says("every key came back")?;

        let to = TestServer::builder(program).config("enable-debug-command yes").start()?;
        larder.ends(0, &["restore", DATE, "--to", &to.url(), "--apply"])?.says("every key is as it is")?;
        ensure_same(&server, &to)?;
        larder.ends(0, &["restore", "latest", "--to-folder", "data", "--apply"])?;
        let data = larder.folder().join("data");
        let booted = TestServer::builder(program).config("enable-debug-command yes").data(&data).start()?;
        ensure_same(&server, &booted)?;
        for (archive, file) in [("config", "configs/a.conf"), ("config", ".env"), ("metrics", "logs/a.log")] {
            let path = data.join(format!("restored-{archive}-{DATE}")).join(file);
            ensure!(path.is_file(), "{} is not there", path.display());
        }

        // A dump that was cut off is found, by the script's own files as well.
        let image = larder.folder().join(format!("backups/redis_{DATE}.rdb.gz"));
        let bytes = fs::read(&image)?;
        fs::write(&image, &bytes[..bytes.len() - 20])?;
        larder.ends(1, &["backup", "verify", DATE])?.says("is not sound")?;
        Ok(())
    });
}

#[test]
fn ours_are_made_in_the_form_of_the_script() {
    on_every_server_at_once(async |program| {
        let server = filled(program)?;
        let larder = Larder::of(&server.url());
        configure(&larder, program, "repository = \"backups\"\n");
        larder.write(".env", "SECRET=1");
        fs::create_dir(larder.folder().join("metrics"))?;
        larder.write("metrics/a.json", "{}");
        let made = created(&larder, &["--guide-layout"])?;
        let id = made["id"].as_str().context("an id")?;
        // What the guide's own recovery does with them.
        sh(&larder, "gunzip -t backups/redis_$1.rdb.gz", &[id])?;
        let names = sh(&larder, "for n in config metrics; do tar -tzf backups/${n}_$1.tar.gz; done", &[id])?;
        ensure!(names.contains(".env") && names.contains("metrics/a.json"), "{names}");
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(larder.folder().join(format!("backups/manifest_{id}.json")))?)?;
        ensure!(manifest["backup_date"] == id && manifest["backup_type"] == "automated", "{manifest:#}");
        ensure!(manifest["files"]["redis_data"] == format!("redis_{id}.rdb.gz"), "{manifest:#}");

        sh(&larder, "mkdir data && gunzip -c backups/redis_$1.rdb.gz > data/dump.rdb", &[id])?;
        let data = larder.folder().join("data");
        let booted = TestServer::builder(program).config("enable-debug-command yes").data(data).start()?;
        ensure_same(&server, &booted)?;
        larder.ends(0, &["backup", "verify", "--level", "load"])?.says("is sound")?;
        let to = TestServer::builder(program).config("enable-debug-command yes").start()?;
        larder.ends(0, &["restore", "latest", "--to", &to.url(), "--apply"])?;
        ensure_same(&server, &to)
    });
}
