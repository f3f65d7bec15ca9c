//! Manifests that were altered.

use std::sync::Arc;

use bytes::Bytes;
use larder_backup::{Error, Repository};
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};

use crate::fixture::{back_up, id, noise};

#[tokio::test]
async fn every_one_of_a_thousand_alterations_is_found() {
    for (name, path) in [
        ("20261124_165256-3f9a", "backups/20261124_165256-3f9a/manifest.json"),
        ("20261124_165256", "manifest_20261124_165256.json"),
    ] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let repository = Repository::from_store(Arc::clone(&store), "");
        let id = id(name);
        let written = back_up(&repository, &id, &noise(100, 1)).await;
        let path = path.into();
        let sound = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(repository.manifest(&id).await.unwrap(), written);
        let dice = noise(8 * 1000, 42);
        for (number, dice) in dice.chunks_exact(8).enumerate() {
            let at = usize::from(u16::from_le_bytes([dice[0], dice[1]])) % sound.len();
            let mut altered = sound.to_vec();
            match dice[2] % 4 {
                0 => altered.truncate(at),
                1 => drop(altered.remove(at)),
                2 => altered.insert(at, b' '),
                _ => altered[at] ^= 1 << (dice[3] % 8),
            }
            store.put(&path, Bytes::from(altered.clone()).into()).await.unwrap();
            let found = repository.manifest(&id).await;
            let text = String::from_utf8_lossy(&altered).into_owned();
            assert!(matches!(found, Err(Error::Manifest { .. })), "{number} at {at}: {found:?} {text}");
            let listing = repository.list().await.unwrap();
            assert_eq!((listing.backups.len(), listing.damaged.len()), (0, 1), "{number} at {at}");
        }
    }
}

#[tokio::test]
async fn a_manifest_in_the_wrong_place_is_found() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let repository = Repository::from_store(Arc::clone(&store), "");
    back_up(&repository, &id("20261124_165256-0001"), &noise(10, 1)).await;
    let from = "backups/20261124_165256-0001/manifest.json".into();
    let to = "backups/20261124_165256-0002/manifest.json".into();
    store.copy(&from, &to).await.unwrap();
    let listing = repository.list().await.unwrap();
    assert_eq!(listing.damaged[0].id, id("20261124_165256-0002"));
    assert!(listing.damaged[0].reason.contains("20261124_165256-0001"), "{}", listing.damaged[0].reason);
}
