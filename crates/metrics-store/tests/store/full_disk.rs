//! A disk that is really full.

use std::{fs, io::Write, path::Path, process::Command};

use larder_metrics_store::{MetricsStore, Query};

use crate::support::{files, seconds, sqlite, with_node};

/// A small disk of its own; taken away on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        mount.output().is_ok_and(|done| done.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

async fn survives_a_full_disk(disk: &SmallDisk, store: &dyn MetricsStore) {
    let mut stored = Vec::new();
    for second in 0..3 {
        store.append(&with_node(second)).await.unwrap();
        stored.push(second);
    }
    let ballast = disk.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 512]).is_ok() {}
    let mut refused = 0;
    for second in 3..400 {
        match store.append(&with_node(second)).await {
            Ok(_) => stored.push(second),
            Err(error) => {
                assert!(error.is_disk_full(), "{error:?}");
                assert!(error.to_string().contains("the disk is full"), "{error}");
                refused += 1;
            }
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "the disk did get full");
    let read = store.read(&Query::default()).await.unwrap();
    assert_eq!((seconds(&read.snapshots), read.damaged), (stored.clone(), vec![]), "while it is full");

    drop(file);
    fs::remove_file(&ballast).unwrap();
    store.append(&with_node(1000)).await.unwrap();
    stored.push(1000);
    assert_eq!(seconds(&store.read(&Query::default()).await.unwrap().snapshots), stored, "with room again");
}

#[tokio::test]
async fn nothing_stored_is_lost_and_it_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new() else {
        let _ = writeln!(std::io::stderr(), "skipped, because a small disk cannot be mounted here");
        return;
    };
    survives_a_full_disk(&disk, &files(disk.path())).await;
    let names = fs::read_dir(disk.path().join("metrics")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{names:?}");
    drop(disk);
    let disk = SmallDisk::new().unwrap();
    let store = sqlite(disk.path());
    survives_a_full_disk(&disk, &store).await;
    assert_eq!(store.check().unwrap(), []);
}
