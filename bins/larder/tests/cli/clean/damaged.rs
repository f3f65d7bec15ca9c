//! Undo files with a flipped byte, or that were cut short: refused, or exactly what is sound of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context, Result, ensure};
use larder_keyspace::UndoFile;
use larder_test_support::on_every_server;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Seeded, is_same};

/// Enough for two batches, each with a checksum of its own.
const KEYS: u64 = 6_000;
const FLIPS: usize = 200;
const CUTS: usize = 30;

/// A cache that was cleaned, and what it was before and after.
struct Cleaned {
    cache: Seeded,
    before: Values,
    after: Values,
    bytes: Vec<u8>,
    names: Vec<(u64, Vec<u8>)>,
}

/// The digest of each key of the file, of its value and of whether its time is ever up, and when it is.
type Values = BTreeMap<String, (String, i64)>;

fn values(cache: &Seeded) -> Result<Values> {
    let (moments, mut values) = (cache.moments()?, Values::new());
    let names: Vec<&String> = moments.keys().collect();
    for names in names.chunks(2_000) {
        let mut command = redis::cmd("DEBUG");
        let digests: Vec<String> =
            command.arg("DIGEST-VALUE").arg(names).query(&mut cache.server.admin()?)?;
        values.extend(
            names.iter().zip(digests).map(|(name, digest)| ((*name).clone(), (digest, moments[*name]))),
        );
    }
    Ok(values)
}

impl Cleaned {
    fn of(mut cache: Seeded) -> Result<Self> {
        let before = values(&cache)?;
        cache.larder.ends(0, &["clean", "--policy", "guide", "--apply", "--undo-file", "sound.rdb"])?;
        let after = values(&cache)?;
        cache.server.run::<()>(&["SAVE"])?;
        let path = cache.file("sound.rdb");
        let (bytes, names) = (fs::read(&path)?, UndoFile::open(&path)?.names()?);
        // Of what is not in the file nothing can become.
        let kept: BTreeSet<&[u8]> = names.iter().map(|(_, name)| name.as_slice()).collect();
        cache.names.retain(|name| kept.contains(name.as_bytes()));
        Ok(Self { cache, before, after, bytes, names })
    }

    /// Looks what becomes of a file; gives whether it was taken.
    fn try_file(&self, bytes: &[u8]) -> Result<bool> {
        let path = self.cache.file("bad.rdb");
        fs::write(&path, bytes)?;
        let Ok(file) = UndoFile::open(&path) else { return Ok(false) };
        let names = file.names()?;
        ensure!(names.len() as u64 == file.keys(), "{} names of {} keys", names.len(), file.keys());
        ensure!(self.names.starts_with(&names), "these are no keys of the file");
        let larder = &self.cache.larder;
        let done =
            larder.ends(0, &["--output", "json", "undo", "bad.rdb", "--apply", "--rate", "max"])?.json()?;
        let given = done["restored"].as_u64().zip(done["ttl_given_back"].as_u64()).context("counts")?;
        ensure!(given.0 + given.1 == file.keys() && done["failed"] == 0, "{done:#}");
        for (name, (digest, moment)) in values(&self.cache)? {
            let states = [self.before.get(&name), self.after.get(&name)];
            let is_one = states
                .into_iter()
                .flatten()
                .any(|(right, expires)| digest == *right && is_same(*expires, Some(&moment)));
            ensure!(is_one, "{name} is neither what it was before nor what it was afterwards");
        }
        self.cache.server.run::<()>(&["DEBUG", "RELOAD", "NOSAVE"])?;
        Ok(true)
    }
}

#[tokio::test]
async fn damaged_files_are_refused_or_give_back_what_is_sound() {
    on_every_server(async |program| {
        let cleaned = Cleaned::of(Seeded::start(program, KEYS)?)?;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (mut taken, mut cut_taken) = (0, 0);
        for _ in 0..FLIPS {
            let (place, bits) = (random.random_range(0..cleaned.bytes.len()), random.random_range(1..=255));
            let mut bytes = cleaned.bytes.clone();
            bytes[place] ^= bits;
            let what = || format!("byte {place} of {} with {bits:#04x}", bytes.len());
            taken += usize::from(cleaned.try_file(&bytes).with_context(what)?);
        }
        for _ in 0..CUTS {
            let length = random.random_range(0..cleaned.bytes.len());
            let what = || format!("cut to {length} of {} bytes", cleaned.bytes.len());
            cut_taken += usize::from(cleaned.try_file(&cleaned.bytes[..length]).with_context(what)?);
        }
        ensure!(taken < FLIPS / 10, "{taken} of {FLIPS} files with a flipped byte were taken");
        ensure!(cut_taken > CUTS / 2, "{cut_taken} of {CUTS} files that were cut short were taken");

        // The operator hears of it in words.
        let (larder, bytes) = (&cleaned.cache.larder, &cleaned.bytes);
        fs::write(cleaned.cache.file("cut.rdb"), &bytes[..bytes.len() - 9])?;
        let run = larder.ends(0, &["undo", "cut.rdb"])?;
        run.says("cut.rdb has no end: whoever wrote it was ended, or it was cut short")?;
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        fs::write(cleaned.cache.file("flipped.rdb"), flipped)?;
        larder.ends(1, &["undo", "flipped.rdb", "--apply"])?.says("flipped.rdb is refused: ")?;
        fs::write(cleaned.cache.file("longer.rdb"), [bytes.as_slice(), b"more"].concat())?;
        larder.ends(1, &["undo", "longer.rdb", "--apply"])?.says("longer.rdb is refused: ")?;
        Ok(())
    })
    .await;
}
