use chrono::Utc;
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, seed, server_programs};

use super::{step::identity, *};
use crate::{
    BackupOptions, FolderOptions, FolderPlan, Manifest, Repository, create_backup, plan_folder,
    restore::folder::staging::Staging, restore_to_folder,
};

async fn backed_up(keys: u64) -> (Repository, Manifest) {
    let server = TestServer::start(&server_programs().remove(0)).unwrap();
    seed(&mut server.admin().unwrap(), keys).unwrap();
    let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let repository = Repository::in_memory();
    let made = create_backup(&client, &repository, &BackupOptions::default(), Utc::now()).await.unwrap();
    (repository, made.manifest)
}

fn options(swap: bool, append_only: bool) -> FolderOptions {
    FolderOptions { swap, append_only, ..FolderOptions::default() }
}

fn plan(manifest: &Manifest, folder: &Path, options: &FolderOptions) -> FolderPlan {
    plan_folder(manifest, folder, options, Utc::now())
}

/// Leaves a folder as a run does that is killed after so many renames.
async fn killed_after(
    renames: usize,
    repository: &Repository,
    manifest: &Manifest,
    folder: &Path,
    options: &FolderOptions,
) {
    let staging = Staging::begin(folder).unwrap();
    staging.fill(repository, manifest, options).await.unwrap();
    let steps = staging.steps_of(0, folder, &folder.join("before-killed"), options).unwrap();
    let swap = Swap::begin(folder, steps).unwrap();
    let halves = swap.steps.iter().flat_map(|step| [(step, true), (step, false)]);
    for (step, is_first) in halves.take(renames) {
        if is_first { step.begin() } else { step.finish() }.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_killed_anywhere_leads_to_a_server_with_all_keys() {
    let (repository, manifest) = backed_up(60).await;
    let keys = manifest.counts.as_ref().unwrap().keys;
    for renames in 0..=4 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = options(false, true);
        restore_to_folder(&repository, &manifest, &plan(&manifest, folder, &first), &first).await.unwrap();
        let swapping = options(true, false);
        killed_after(renames, &repository, &manifest, folder, &swapping).await;

        let refused = plan(&manifest, folder, &options(false, false)).refusals;
        assert!(refused.iter().any(|refusal| refusal.contains("--swap")), "{renames}: {refused:?}");
        let again = plan(&manifest, folder, &swapping);
        assert_eq!((again.refusals.len(), again.put_aside.len()), (0, 2), "{renames}: {again:?}");
        let outcome = restore_to_folder(&repository, &manifest, &again, &swapping).await.unwrap();
        for old in ["dump.rdb", "appendonlydir/appendonly.aof.manifest"] {
            assert!(outcome.aside.as_ref().unwrap().join(old).is_file(), "{renames}: {old}");
        }
        assert_eq!(
            folder.join("before-killed").exists(),
            renames == 4,
            "{renames}: only one that was done stays"
        );
        assert!(!is_under_way(folder) && !folder.join(".larder-restore").exists(), "{renames}");

        let program = server_programs().remove(0);
        let server = TestServer::builder(&program).data(folder).config("appendonly yes").start().unwrap();
        assert_eq!(server.run::<u64>(&["DBSIZE"]).unwrap(), keys, "{renames}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_boots_amid_a_killed_swap_has_data() {
    let (repository, manifest) = backed_up(60).await;
    let keys = manifest.counts.as_ref().unwrap().keys;
    for renames in 0..=4 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = options(false, true);
        restore_to_folder(&repository, &manifest, &plan(&manifest, folder, &first), &first).await.unwrap();
        killed_after(renames, &repository, &manifest, folder, &options(true, false)).await;

        let program = server_programs().remove(0);
        let server = TestServer::builder(&program).data(folder).config("appendonly yes").start().unwrap();
        assert_eq!(server.run::<u64>(&["DBSIZE"]).unwrap(), keys, "{renames}");
    }
}

#[test]
fn two_folders_change_places_and_back_wherever_it_ends() {
    for (halves, taken_back) in [(1, false), (2, false), (1, true), (2, true)] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("staged", "new"), ("place", "old")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("data"), text).unwrap();
        }
        let step = Step::new(at("staged"), at("place"), Some(at("before/place")));
        step.begin().unwrap();
        if halves == 2 {
            step.finish().unwrap();
        }
        let data = || fs::read_to_string(at("place/data")).unwrap();
        assert!(step.is_placed() && step.has_old_data() && data() == "new", "{halves}");
        if taken_back {
            step.take_back().unwrap();
            step.take_back().unwrap();
            assert!(data() == "old" && at("staged").is_dir() && !at("before").exists(), "{halves}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_into_an_empty_folder_needs_no_swap_the_second_time() {
    let (repository, manifest) = backed_up(20).await;
    let folder = tempfile::tempdir().unwrap();
    let options = options(false, true);
    killed_after(2, &repository, &manifest, folder.path(), &options).await;
    assert!(folder.path().join("dump.rdb").exists(), "it was placed");
    let again = plan(&manifest, folder.path(), &options);
    assert_eq!((again.refusals.len(), again.put_aside.len()), (0, 0), "{again:?}");
    let outcome = restore_to_folder(&repository, &manifest, &again, &options).await.unwrap();
    assert_eq!(outcome.aside, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_swapped_leaves_all_as_they_were() {
    let (repository, mut manifest) = backed_up(20).await;
    manifest.shards = vec![manifest.shards[0].clone(); 3];
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = options(false, true);
    restore_to_folder(&repository, &manifest, &plan(&manifest, folder, &first), &first).await.unwrap();
    let paths = ["shard-0", "shard-2"]
        .iter()
        .flat_map(|shard| ["dump.rdb", "appendonlydir"].map(|name| folder.join(shard).join(name)));
    let before: Vec<_> = paths.clone().map(|path| identity(&path).unwrap()).collect();

    let swapping = options(true, false);
    let planned = plan(&manifest, folder, &swapping);
    assert_eq!(planned.refusals, [""; 0]);
    let obstacle = folder.join("shard-1/dump.rdb");
    fs::remove_file(&obstacle).unwrap();
    fs::create_dir(&obstacle).unwrap();
    let error = restore_to_folder(&repository, &manifest, &planned, &swapping).await.unwrap_err();
    assert!(matches!(&error, Error::File { .. }), "{error}");
    assert_eq!(paths.map(|path| identity(&path).unwrap()).collect::<Vec<_>>(), before);
    assert!(obstacle.is_dir() && !is_under_way(folder));
    let shard_0_aside = planned.aside.join("shard-0");
    assert!(!shard_0_aside.exists(), "nothing is left aside");

    let refused = plan(&manifest, folder, &swapping).refusals;
    let words = format!("{} is there and is no regular file: move it away", obstacle.display());
    assert_eq!(refused, [words]);
}

#[test]
fn what_cannot_be_put_back_is_said_and_the_journal_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("staged")).unwrap();
    fs::write(folder.join("staged/new"), "new").unwrap();
    fs::write(folder.join("dump.rdb"), "old").unwrap();
    let (new, place, kept) =
        (folder.join("staged/new"), folder.join("dump.rdb"), folder.join("before/dump.rdb"));
    let other = Step::new(folder.join("staged/other"), folder.join("other"), None);
    let steps = vec![Step::new(new, place.clone(), Some(kept.clone())), other];
    let swap = Swap::begin(folder, steps).unwrap();
    swap.steps[0].begin().and_then(|()| swap.steps[0].finish()).unwrap();
    // As a server does when it saves.
    fs::write(folder.join("saved"), "saved").unwrap();
    fs::rename(folder.join("saved"), &place).unwrap();
    let words = Swap::unfinished(folder).unwrap().unwrap().recover().unwrap_err().to_string();
    assert!(words.contains(&format!("{} could not be put back", kept.display())), "{words}");
    assert_eq!([&place, &kept].map(|path| fs::read_to_string(path).unwrap()), ["saved", "old"]);
    assert!(is_under_way(folder));
    fs::remove_file(&place).unwrap();
    Swap::unfinished(folder).unwrap().unwrap().recover().unwrap();
    assert_eq!(fs::read_to_string(&place).unwrap(), "old");
    assert!(!is_under_way(folder));
}

#[test]
fn a_journal_that_leads_out_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "",
        "[]",
        r#"[{"new":"../a","place":"b","kept":null,"identity":null}]"#,
        r#"[{"new":"a","place":"/b","kept":null,"identity":null}]"#,
    ] {
        fs::write(folder.path().join(JOURNAL), text).unwrap();
        let words = Swap::unfinished(folder.path()).unwrap_err().to_string();
        assert!(words.contains("was not written by a restore"), "{words}");
    }
}
