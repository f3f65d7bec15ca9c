//! What a file consists of beside its keys.

use crate::ModuleType;
use crate::reader::Entry;

/// A record of a file, in the order of the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Record<'r, R> {
    /// A fact about the file or its writer (`redis-ver`, `ctime`, `used-mem`, …).
    Aux {
        /// Name of the fact.
        name: &'r [u8],
        /// The fact.
        value: &'r [u8],
    },
    /// The keys that follow belong to this database.
    SelectDb(u64),
    /// How many keys the database has, and how many of them expire.
    ResizeDb {
        /// Keys in the database.
        keys: u64,
        /// Keys in it that expire.
        expires: u64,
    },
    /// The keys that follow belong to this slot of a cluster (Redis 7.4, opcode 244).
    SlotInfo {
        /// The slot.
        slot: u64,
        /// Keys in the slot.
        keys: u64,
        /// Keys in it that expire.
        expires: u64,
    },
    /// Slots are being imported (Valkey 9.0, opcode 243).
    SlotImport {
        /// Name of the job.
        job: &'r [u8],
        /// How many ranges of slots the job has.
        ranges: u64,
    },
    /// The source of a function library (Redis 7.0, opcode 245).
    Function {
        /// The source, with the `#!` line that names engine and library.
        code: &'r [u8],
    },
    /// A function library in the form of the release candidates of Redis 7.0 (opcode 246).
    FunctionPreGa {
        /// Name of the library.
        name: &'r [u8],
        /// The source.
        code: &'r [u8],
    },
    /// Data of a module that belongs to no key; what is in it was passed by.
    ModuleAux {
        /// The module's type.
        module: ModuleType,
        /// When the module wants it: 1 before the keys, 2 after them.
        when: u64,
    },
    /// Field names that hashes of the file refer to (Redis 8.10, opcode 242).
    HashTemplate {
        /// Number of the template.
        number: u64,
        /// How many fields it has.
        fields: usize,
    },
    /// A key. Its value is passed by when the next record is asked for, unless it was read.
    Key(Entry<'r, R>),
}
