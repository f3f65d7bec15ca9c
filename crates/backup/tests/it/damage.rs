//! Every object of a backup, altered at seeded places: nothing of it stays hidden.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use larder_backup::{
    BackupOptions, Error, FileSet, Keyring, Layout, Manifest, Repository, VerificationLevel, VerifyOptions,
    create_backup, verify_backup,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, seed, server_programs};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, memory::InMemory, path::Path};

use crate::fixture::{identity, recipients};

/// Of each of the three forms, so that there are a thousand in all.
const PLACES: usize = 334;
/// Of every type, and few enough to be read some thousand times.
const KEYS: u64 = 60;

/// How a backup is stored.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Encrypted,
    Guides,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip { at: usize, bit: u32 },
    Cut { at: usize },
}

/// Numbers that are the same in every run (`SplitMix64`, Steele, Lea and Flood, 2014).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn damage(&mut self, length: usize) -> Damage {
        let at = self.below(length);
        if self.below(4) == 0 {
            Damage::Cut { at }
        } else {
            Damage::Flip { at, bit: u32::try_from(self.below(8)).unwrap() }
        }
    }
}

impl Damage {
    fn done_to(self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Flip { at, bit } => bytes[at] ^= 1 << bit,
            Self::Cut { at } => bytes.truncate(at),
        }
        bytes
    }
}

/// A backup in a store that is at hand.
struct Stored {
    store: Arc<InMemory>,
    repository: Repository,
    manifest: Manifest,
    keyring: Keyring,
}

impl Stored {
    async fn make(form: Form) -> Self {
        let store = Arc::new(InMemory::new());
        let repository = Repository::from_store(Arc::clone(&store) as Arc<dyn ObjectStore>, "");
        let mut options = BackupOptions::default();
        options.configuration = made(&[("redis.conf", "maxmemory 1gb\n"), (".env", "A=1\n")]);
        options.metrics = made(&[("metrics/today.json", "{\"hits\": 12345}\n")]);
        let mut keyring = Keyring::default();
        match form {
            Form::Plain => {}
            Form::Encrypted => {
                options.packing.recipients = recipients();
                keyring = identity();
            }
            Form::Guides => {
                options.layout = Layout::Guide;
                options.packing.compression = Layout::Guide.compression();
            }
        }
        let program = server_programs().remove(0);
        let server = TestServer::start(&program).unwrap();
        seed(&mut server.admin().unwrap(), KEYS).unwrap();
        let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
        let made = create_backup(&client, &repository, &options, Utc::now()).await.unwrap();
        Self { store, repository, manifest: made.manifest, keyring }
    }

    async fn found(&self, level: VerificationLevel, keyring: &Keyring) -> bool {
        let mut options = VerifyOptions::at(level);
        options.keyring = keyring.clone();
        let verified = verify_backup(&self.repository, &self.manifest, &options, Utc::now()).await;
        let verified = verified.unwrap_or_else(|error| panic!("{level}: {}", error.with_causes()));
        assert_eq!(verified.ok, verified.problems.is_empty());
        !verified.ok
    }

    async fn objects(&self) -> Vec<(Path, Bytes)> {
        let mut objects = Vec::new();
        let paths = self.manifest.artifacts().map(|artifact| artifact.path.clone());
        for path in paths.chain([self.manifest_path()]) {
            let path = Path::from(path);
            let bytes = self.store.get(&path).await.unwrap().bytes().await.unwrap();
            objects.push((path, bytes));
        }
        objects
    }

    fn manifest_path(&self) -> String {
        let id = &self.manifest.id;
        match Layout::of(id) {
            Layout::Guide => format!("manifest_{id}.json"),
            _ => format!("backups/{id}/manifest.json"),
        }
    }

    async fn put(&self, path: &Path, bytes: Bytes) {
        self.store.put(path, PutPayload::from(bytes)).await.unwrap();
    }

    /// Looks at what is damaged as every reader of it does.
    async fn is_found(&self, path: &Path) {
        if path.as_ref() == self.manifest_path() {
            let read = self.repository.manifest(&self.manifest.id).await;
            assert!(matches!(read, Err(Error::Manifest { .. })), "{read:?}");
            let listing = self.repository.list().await.unwrap();
            assert!(listing.backups.is_empty() && listing.damaged.len() == 1, "{listing:?}");
            return;
        }
        assert!(self.found(VerificationLevel::Structure, &self.keyring).await);
        // Size and SHA-256 are those of what is stored, and need no key.
        assert!(self.found(VerificationLevel::Checksum, &Keyring::default()).await);
        assert!(self.repository.list().await.unwrap().backups[0].is_bad());
    }
}

fn made(files: &[(&str, &str)]) -> FileSet {
    let mut set = FileSet::default();
    set.made = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    set
}

async fn nothing_stays_hidden(form: Form, seed: u64) {
    let stored = Stored::make(form).await;
    assert!(!stored.found(VerificationLevel::Structure, &stored.keyring).await, "{form:?} is sound");
    let objects = stored.objects().await;
    assert_eq!(objects.len(), 4, "shard, configuration, metrics and manifest");
    let mut seeded = Seeded(seed);
    for place in 0..PLACES {
        // Each object as often as the others: in the largest one alone would be nearly all places otherwise.
        let (path, bytes) = &objects[place % objects.len()];
        let damage = seeded.damage(bytes.len());
        stored.put(path, damage.done_to(bytes).into()).await;
        let looking = std::panic::AssertUnwindSafe(stored.is_found(path));
        let found = futures_util::FutureExt::catch_unwind(looking).await;
        assert!(found.is_ok(), "{form:?}: {damage:?} of the {} bytes of {path} was not found", bytes.len());
        stored.put(path, bytes.clone()).await;
    }
    assert!(!stored.found(VerificationLevel::Structure, &stored.keyring).await, "{form:?} is sound again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_altered_stays_hidden() {
    nothing_stays_hidden(Form::Plain, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_altered_stays_hidden_where_it_is_encrypted() {
    nothing_stays_hidden(Form::Encrypted, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_altered_stays_hidden_in_the_guides_layout() {
    nothing_stays_hidden(Form::Guides, 3).await;
}
