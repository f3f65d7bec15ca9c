//! Files that are, and are not, those of a server.

use std::time::{Duration, SystemTime};

use larder_rdb::{KeyMeta, Server, Writer};

use super::*;

const NOW_S: i64 = 1_700_000_000;

fn dump(ctime: Option<i64>, bytes: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
    if let Some(ctime) = ctime {
        writer.aux(b"ctime", ctime.to_string().as_bytes()).unwrap();
    }
    writer.aux(b"repl-id", b"8de1787ba490483314a4d30f1c628bc5025eb761").unwrap();
    writer.aux(b"repl-offset", b"14").unwrap();
    // Nothing that compresses.
    let mixed = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value: Vec<u8> = (0..bytes as u64).map(|n| mixed(n).to_be_bytes()[0]).collect();
    writer.string(b"k", &KeyMeta::default(), &value).unwrap();
    writer.finish().unwrap()
}

/// A file in a folder, written at a moment.
fn file(bytes: &[u8], written_s: i64) -> (tempfile::TempDir, SavedFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, bytes).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(written_s).unwrap());
    File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    (folder, SavedFile::new(&NodeAddress::new("n"), path))
}

/// What a server says whose last save since its start ended at a moment, and took some seconds.
fn said_of(last_save: Option<(i64, i64)>) -> Persistence {
    Persistence {
        is_loading: false,
        is_busy: false,
        is_saved: true,
        last_save_s: last_save.map(|(ended_s, _)| ended_s),
        last_took_s: last_save.map_or(0, |(_, took_s)| took_s),
    }
}

#[tokio::test]
async fn the_file_is_known_by_when_it_was_written() {
    let (_folder, saved) = file(b"REDIS", NOW_S);
    for (persistence, is_it) in [
        (said_of(Some((NOW_S, 0))), true),
        (said_of(Some((NOW_S + 1, 0))), true),
        (said_of(Some((NOW_S + 600, 600))), true),
        (said_of(Some((NOW_S + 600, 3))), false),
        (said_of(Some((NOW_S - 60, 3))), false),
        // Nothing was saved since the server started, so nothing is known.
        (said_of(None), true),
        // A failed save says nothing of the file.
        (Persistence { is_saved: false, ..said_of(Some((NOW_S + 600, 3))) }, true),
    ] {
        let looked = saved.look(persistence).await;
        assert_eq!(looked.is_ok(), is_it, "{persistence:?}: {looked:?}");
        if let Err(error) = looked {
            let words = error.with_causes();
            assert!(error.is_blocked() && words.contains("--rdb-file"), "{words}");
            assert!(words.contains(saved.path.to_str().unwrap()), "{words}");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_good_only_before_the_first_save() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: PathBuf| SavedFile::new(&NodeAddress::new("n"), path);
    at(folder.path().join("dump.rdb")).look(said_of(None)).await.unwrap();
    at(folder.path().join("dump.rdb")).look(said_of(Some((NOW_S, 1)))).await.unwrap_err();
    at(folder.path().join("no/dump.rdb")).look(said_of(None)).await.unwrap_err();
    at(folder.path().to_owned()).look(said_of(None)).await.unwrap_err();
}

#[tokio::test]
async fn the_file_is_read_whole_even_when_another_takes_its_place() {
    for size in [10, 15_000, 16 << 10, 1_000_000] {
        let bytes = dump(Some(NOW_S), size);
        let (folder, saved) = file(&bytes, NOW_S + 2);
        let found = saved.open(NOW_S * 1000 + 300, None).await.unwrap();
        let other = folder.path().join("other");
        fs::write(&other, b"another").unwrap();
        fs::rename(&other, &saved.path).unwrap();
        assert_eq!(found.length, bytes.len() as u64);
        assert_eq!(found.taken_at_ms, NOW_S * 1000 + 300);
        assert_eq!(found.replication, Some(("8de1787ba490483314a4d30f1c628bc5025eb761".to_owned(), 14)));
        let pieces: Vec<Bytes> = found.bytes.map(|piece| piece.unwrap()).collect().await;
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_BYTES));
        assert!(pieces.concat() == bytes, "{size}");
    }
}

#[tokio::test]
async fn an_older_file_is_refused_and_a_later_one_is_of_its_own_moment() {
    let (_folder, saved) = file(&dump(Some(NOW_S), 10), NOW_S);
    assert!(saved.open(NOW_S * 1000 + 900, None).await.is_ok(), "the same second");
    let error = saved.open((NOW_S + 5) * 1000, None).await.err().unwrap();
    assert!(error.with_causes().contains("not the one just saved"), "{}", error.with_causes());
    let before = saved.look(said_of(None)).await.unwrap();
    let error = saved.open(NOW_S * 1000, before).await.err().unwrap();
    assert!(error.with_causes().contains("there before"), "{}", error.with_causes());
    // Touched, and still the old one.
    let (_folder, saved) = file(&dump(Some(NOW_S), 10), NOW_S + 6);
    let error = saved.open((NOW_S + 5) * 1000, None).await.err().unwrap();
    assert!(error.with_causes().contains("ctime"), "{}", error.with_causes());
    let (_folder, saved) = file(&dump(Some(NOW_S + 30), 10), NOW_S + 31);
    assert_eq!(saved.open(NOW_S * 1000, None).await.unwrap().taken_at_ms, (NOW_S + 29) * 1000);
}

#[tokio::test]
async fn a_file_that_gets_shorter_is_an_error() {
    let (_folder, saved) = file(&dump(None, 1_000_000), NOW_S);
    let found = saved.open(NOW_S * 1000, None).await.unwrap();
    File::options().write(true).open(&saved.path).unwrap().set_len(100_000).unwrap();
    let pieces: Vec<Result<Bytes>> = found.bytes.collect().await;
    assert!(matches!(pieces.last(), Some(Err(Error::File { .. }))), "{} pieces", pieces.len());
}

#[test]
fn what_is_no_dump_has_no_facts() {
    for bytes in [&b""[..], b"REDIS", b"garbage that is long enough", &dump(None, 1)[..20]] {
        assert_eq!(Head::of(bytes), Head::default());
    }
}
