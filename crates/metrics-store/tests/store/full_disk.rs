//! A disk that is really full.

use std::{fs, io::Write, sync::Arc};

use larder_metrics_store::{Histories, MetricsStore, Query, Retention, SqliteStore};

use crate::support::{SmallDisk, at, files, seconds, sqlite, with_node};

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
                let words = chain(&error);
                assert_eq!(words.matches("disk is full").count(), 1, "{words}");
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
    let Some(disk) = SmallDisk::new() else { return };
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

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

#[tokio::test]
async fn what_both_stores_said_is_in_the_words() {
    let Some(disk) = SmallDisk::new() else { return };
    let (series, daily) = (sqlite(disk.path()), files(disk.path()));
    let stores: [Arc<dyn MetricsStore>; 2] = [Arc::new(series.clone()), Arc::new(daily.clone())];
    let both = Histories::new(stores);
    let first = both.append(&with_node(0)).await.unwrap();
    let day = daily.folder().join("cache_metrics_2026-03-14.json");
    assert_eq!(first.written_to, [series.path().to_owned(), day.clone()]);
    let mut ballast = fs::File::create(disk.path().join("ballast")).unwrap();
    while ballast.write_all(&[7; 512]).is_ok() {}
    let (mut second, mut written_to) = (1, Vec::new());
    let failed = loop {
        match both.append(&with_node(second)).await {
            Ok(appended) => written_to = appended.written_to,
            Err(error) => break error,
        }
        second += 1;
        assert!(second < 400, "the disk did get full");
    };
    // Whatever still had room is told, and nothing else.
    assert!(second == 1 || !written_to.is_empty());
    assert!(failed.is_disk_full(), "{failed}");
    let words = failed.to_string();
    assert_eq!(words, chain(&failed), "all is in the message");
    for expected in ["nothing was stored: ", &day.display().to_string(), &series.path().display().to_string()]
    {
        assert_eq!(words.matches(expected).count(), 1, "{expected}: {words}");
    }
    let outcome = both.apply_retention(at(0)).await.unwrap();
    assert!(outcome.failed.iter().all(|error| error.path().is_some()), "{outcome:?}");

    let new = disk.path().join("new.sqlite");
    let refused = SqliteStore::open(&new, Retention::default()).unwrap_err();
    assert!(refused.is_disk_full() && refused.path() == Some(new.as_path()), "{refused:?}");
}
