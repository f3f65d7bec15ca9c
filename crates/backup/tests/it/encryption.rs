//! Who can read what is encrypted, and what can be read without.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use chrono::Utc;
use larder_backup::{
    BackupOptions, Error, FileSet, FolderOptions, KeyFamilies, Keyring, LiveRestore, LiveRestoreOptions,
    LiveSource, LiveTarget, Manifest, ReadingOptions, Recipients, Repository, ServerPrograms,
    VerificationLevel, VerifyOptions, create_backup, plan_folder, restore_to_folder, verify_backup,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, server_programs};
use tempfile::{TempDir, tempdir};

use crate::fixture::{identity, in_folder, recipients, secret, stranger};

/// Words that are in names, values and files, and nowhere else.
const WORDS: [&str; 4] = ["sphinx", "quartz", "vexing", "jackdaw"];

struct Sealed {
    folder: TempDir,
    server: TestServer,
    repository: Repository,
    manifest: Manifest,
}

impl Sealed {
    async fn make(recipients: Recipients) -> Self {
        let server = TestServer::start(&server_programs().remove(0)).unwrap();
        for number in 0..50 {
            let (name, value) = (format!("{}:{number}", WORDS[0]), format!("of {} {number}", WORDS[1]));
            server.run::<()>(&["SET", &name, &value]).unwrap();
            server.run::<()>(&["HSET", &format!("h{name}"), WORDS[2], &value]).unwrap();
        }
        let folder = tempdir().unwrap();
        let repository = in_folder(&folder.path().join("kept"));
        let mut options = BackupOptions::default();
        options.packing.recipients = recipients;
        options.families = Some(KeyFamilies::new(|key| {
            String::from_utf8_lossy(key.split(|byte| *byte == b':').next().unwrap_or_default())
        }));
        let mut files = FileSet::default();
        files.made = vec![(format!("{}.conf", WORDS[3]), WORDS[3].into())];
        options.configuration = files.clone();
        options.metrics = files;
        let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
        let made = create_backup(&client, &repository, &options, Utc::now()).await.unwrap();
        Self { folder, server, repository, manifest: made.manifest }
    }

    async fn verify(&self, level: VerificationLevel, keyring: Keyring) -> Result<bool, Error> {
        let mut options = VerifyOptions::at(level);
        options.keyring = keyring;
        options.programs = ServerPrograms::find(&[server_programs().remove(0).path]).await;
        let verified = verify_backup(&self.repository, &self.manifest, &options, Utc::now()).await?;
        Ok(verified.ok)
    }

    async fn fill(&self, folder: &Path, keyring: Keyring) -> Result<u64, Error> {
        let mut options = FolderOptions::default();
        options.keyring = keyring;
        options.append_only = true;
        let plan = plan_folder(&self.manifest, folder, &options, Utc::now());
        Ok(restore_to_folder(&self.repository, &self.manifest, &plan, &options).await?.keys)
    }

    async fn plan(&self, keyring: Keyring) -> Result<u64, Error> {
        let mut reading = ReadingOptions::default();
        reading.keyring = keyring;
        let source = LiveSource::of_backup(&self.repository, &self.manifest, &reading);
        let url = self.server.url();
        let target = LiveTarget::new(move |database| {
            let url = format!("{url}/{database}");
            async move { Ok(open(&url.parse().expect("a URL"), &ConnectOptions::default()).await?) }
        });
        Ok(LiveRestore::new(source, target, LiveRestoreOptions::default()).plan().await?.keys)
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holds(folder: &Path, word: &str) -> bool {
    let holds = |bytes: Vec<u8>| bytes.windows(word.len()).any(|part| part == word.as_bytes());
    files(folder).iter().any(|path| holds(fs::read(path).unwrap()))
}

fn is_locked<T: std::fmt::Debug>(done: Result<T, Error>, why: &str) {
    match done {
        Err(Error::Locked { reason, .. }) => assert_eq!(reason, why),
        other => panic!("not locked but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_it_who_has_not_the_identity() {
    let sealed = Sealed::make(recipients()).await;
    let data = sealed.folder.path().join("data");
    for (keyring, why) in
        [(Keyring::default(), "no identity was given"), (stranger(), "none of the identities given opens it")]
    {
        for level in [VerificationLevel::Structure, VerificationLevel::Load] {
            is_locked(sealed.verify(level, keyring.clone()).await, why);
        }
        is_locked(sealed.fill(&data, keyring.clone()).await, why);
        assert!(!data.exists(), "what was made for it is gone");
        is_locked(sealed.plan(keyring.clone()).await, why);
        assert!(sealed.verify(VerificationLevel::Checksum, keyring).await.unwrap());
    }
    let noted = sealed.repository.verifications(&sealed.manifest.id).await.unwrap();
    assert!(noted.len() == 1 && noted[0].level == VerificationLevel::Checksum, "{noted:?}");
    for level in [VerificationLevel::Structure, VerificationLevel::Load] {
        assert!(sealed.verify(level, identity()).await.unwrap());
    }
    assert_eq!(sealed.fill(&data, identity()).await.unwrap(), 100);
    assert_eq!(sealed.plan(identity()).await.unwrap(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_data_is_stored_in_the_open() {
    let open = Sealed::make(Recipients::default()).await;
    assert!(holds(open.folder.path(), WORDS[0]), "names of families are in a manifest that is not encrypted");
    assert!(!open.manifest.shards[0].counts.as_ref().unwrap().by_family.is_empty());

    let sealed = Sealed::make(recipients()).await;
    assert_eq!(sealed.manifest.artifacts().filter(|artifact| artifact.encrypted).count(), 3);
    for word in WORDS {
        assert!(!holds(sealed.folder.path(), word), "{word} can be read");
    }
    assert!(!holds(sealed.folder.path(), "AGE-SECRET-KEY"));
    let counts = sealed.manifest.counts.as_ref().unwrap();
    assert!(counts.by_family.is_empty() && counts.keys == 100, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_never_shown() {
    let line = secret().lines().last().unwrap().to_owned();
    assert!(line.starts_with("AGE-SECRET-KEY-1"));
    let mut verifying = VerifyOptions::at(VerificationLevel::Structure);
    verifying.keyring = identity();
    let mut filling = FolderOptions::default();
    filling.keyring = identity();
    let mut reading = ReadingOptions::default();
    reading.keyring = identity();
    for shown in [format!("{verifying:?}"), format!("{filling:#?}"), format!("{reading:?}")] {
        assert!(shown.contains("Keyring(1 identities)") && !shown.contains(&line), "{shown}");
        assert!(!shown.contains("AGE-SECRET-KEY"), "{shown}");
    }
    let text = secret().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1X");
    let why = Keyring::parse(&text.into()).unwrap_err();
    assert!(!why.contains(&line[16..]), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_read_what_is_brought_back() {
    let sealed = Sealed::make(recipients()).await;
    let data = sealed.folder.path().join("data");
    sealed.fill(&data, identity()).await.unwrap();
    let rights = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for place in [data, sealed.folder.path().join("kept")] {
        let found = files(&place);
        assert!(found.len() >= 4, "{found:?}");
        // What comes out of an archive keeps its rights, in a folder that nobody else can enter.
        let (unpacked, own): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|file| file.to_string_lossy().contains("/restored-"));
        for top in unpacked.iter().filter_map(|file| {
            file.ancestors().find(|above| above.parent().is_some_and(|above| above == place))
        }) {
            assert_eq!(rights(top), 0o700, "{}", top.display());
        }
        for file in own {
            assert_eq!(rights(&file), 0o600, "{}", file.display());
            let above = file.ancestors().skip(1).take_while(|above| above.starts_with(&place));
            for folder in above {
                assert_eq!(rights(folder), 0o700, "{}", folder.display());
            }
        }
    }
}
