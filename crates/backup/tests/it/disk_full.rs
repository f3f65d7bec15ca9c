//! No room for more.

use std::{env, fs, process::Command};

use larder_backup::Error;
use tempfile::tempdir;

use crate::fixture::{id, in_folder, noise, shard, store};

/// Where no file may grow beyond one MiB, a write fails as it does on a full disk.
#[test]
fn a_full_disk_is_a_clean_error() {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "disk_full::where_files_are_short", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{complaints}");
}

#[tokio::test]
#[ignore = "it needs a limit of file sizes; a_full_disk_is_a_clean_error runs it with one"]
async fn where_files_are_short() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let id = id("20261124_165256-0001");
    for size in [2 << 20, 9 << 20] {
        let error = store(&repository, &id, &noise(size, 1)).await.unwrap_err();
        assert!(matches!(error, Error::Storage { .. }), "{error}");
        let of_backup = folder.path().join("backups").join(id.as_str());
        assert_eq!(fs::read_dir(of_backup).unwrap().count(), 0, "nothing is left of {size} bytes");
    }
    let mut writer = repository.writer(&id, shard(&id)).await.unwrap();
    writer.write(noise(1000, 1)).await.unwrap();
    assert!(writer.finish().await.is_ok(), "what has room is stored");
}
