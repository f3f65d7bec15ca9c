//! A large RDB file like that of a query cache, for benches.

use std::{fs::File, io::BufWriter, path::Path};

use anyhow::Result;
use larder_rdb::{KeyMeta, Server, Writer};

/// Numbers that look random and are the same every time (xorshift64*, Vigna, 2016).
struct Numbers(u64);

/// Later than any bench runs.
const ENDS_MS: i64 = 4_102_444_800_000;
const EMBEDDING_BYTES: usize = 1024;

/// Writes an RDB file of so many string keys in six families: JSON values of 80 to 580 bytes, and embeddings of 1 KiB, which
/// hardly compress. Six keys in ten have a TTL. Five million keys make some 2 GB.
pub fn write_query_cache(path: &Path, keys: u64) -> Result<()> {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let mut writer = Writer::new(BufWriter::new(File::create(path)?), Server::redis(7, 0))?;
    writer.aux(b"redis-ver", b"7.0.15")?;
    writer.resize_db(0, keys, keys * 6 / 10)?;
    let mut value = Vec::new();
    for _ in 0..keys {
        let id = numbers.next();
        let family = match numbers.below(100) {
            0..15 => "embedding",
            15..55 => "search",
            other => ["project", "file", "session", "temp"][usize::try_from(other % 4)?],
        };
        match family {
            "embedding" => numbers.embedding(&mut value),
            "search" => numbers.json(180, 400, &mut value),
            _ => numbers.json(80, 250, &mut value),
        }
        let mut meta = KeyMeta::default();
        if numbers.below(10) < 6 {
            meta = meta.expiring_at_ms(ENDS_MS + i64::try_from(numbers.below(7_200_000))?);
        }
        writer.string(format!("codebase_rag:{family}:{id:016x}").as_bytes(), &meta, &value)?;
    }
    writer.finish()?;
    Ok(())
}

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// Floats between -1 and 1, as normalised vectors have them: the exponent varies little, the rest is noise.
    fn embedding(&mut self, out: &mut Vec<u8>) {
        out.clear();
        while out.len() < EMBEDDING_BYTES {
            let [a, b, c, d, ..] = self.next().to_le_bytes();
            out.extend([a, b, c, 0x3c | d & 0x83]);
        }
    }

    fn json(&mut self, least: u64, more: u64, out: &mut Vec<u8>) {
        let length = least + self.below(more);
        out.clear();
        out.extend_from_slice(b"{\"results\":[");
        while (out.len() as u64) < length {
            let (id, score, line) = (self.next(), self.below(10_000), self.below(4000));
            let item = format!("{{\"id\":\"{id:016x}\",\"score\":0.{score:04},\"line\":{line}}},");
            out.extend_from_slice(item.as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
}
