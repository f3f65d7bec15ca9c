//! The type byte of a value: what kind of value it is and how it is laid out.

use std::fmt;

use crate::{Dialect, Format};

/// What a value is to the user of the server (`TYPE key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// One string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash, with or without field expiry.
    Hash,
    /// A stream with its consumer groups.
    Stream,
    /// An array (Redis 8.8).
    Array,
    /// A value of a module's own type.
    Module,
}

impl Kind {
    /// The word that `TYPE key` answers (modules answer their own name, for which this says `module`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the elements of a value are laid out in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layout {
    /// One string after the other.
    Plain,
    /// One string that holds a zipmap (Redis up to 2.4, `src/zipmap.c`).
    Zipmap,
    /// One string that holds a ziplist (Redis up to 6.2, `src/ziplist.c`).
    Ziplist,
    /// One string that holds a listpack (Redis 7, `src/listpack.c`).
    Listpack,
    /// One string that holds an intset (`src/intset.c`).
    Intset,
    /// Several ziplists, or several listpacks and plain strings (`src/quicklist.c`).
    Quicklist,
    /// Stream nodes in listpacks, then groups, pending entries and consumers (`src/t_stream.c`).
    Stream,
    /// Values of a hash whose field names are kept apart (Redis 8.10).
    Template,
    /// A module's own serialisation (`src/module.c`).
    Module,
}

impl Layout {
    /// One lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Zipmap => "zipmap",
            Self::Ziplist => "ziplist",
            Self::Listpack => "listpack",
            Self::Intset => "intset",
            Self::Quicklist => "quicklist",
            Self::Stream => "stream",
            Self::Template => "template",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! value_types {
    ($($(#[$doc:meta])* $variant:ident = $byte:literal, $name:literal, $kind:ident, $layout:ident, $since:literal;)*) => {
        /// The type byte in front of every value, resolved in its dialect.
        ///
        /// Numbers are those of Redis's and Valkey's `src/rdb.h`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ValueType {
            $($(#[$doc])* $variant,)*
        }

        impl ValueType {
            /// Every type of both dialects.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The byte that stands for this type.
            #[must_use]
            pub fn byte(self) -> u8 {
                match self { $(Self::$variant => $byte,)* }
            }

            /// A short name: the one of the `RDB_TYPE_` constant, in lower case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the value is to the user of the server.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            /// How its elements are laid out.
            #[must_use]
            pub fn layout(self) -> Layout {
                match self { $(Self::$variant => Layout::$layout,)* }
            }

            /// Version of the format in which the type appeared.
            #[must_use]
            pub fn since_version(self) -> u16 {
                match self { $(Self::$variant => $since,)* }
            }
        }
    };
}

value_types! {
    /// One string (Redis 1.0).
    String = 0, "string", String, Plain, 1;
    /// Strings in order (Redis 1.0).
    List = 1, "list", List, Plain, 1;
    /// Distinct strings (Redis 1.0).
    Set = 2, "set", Set, Plain, 1;
    /// Members with scores in decimal digits (Redis 1.2).
    SortedSet = 3, "zset", SortedSet, Plain, 1;
    /// Fields and values (Redis 2.0).
    Hash = 4, "hash", Hash, Plain, 1;
    /// Members with scores as little-endian doubles (Redis 4.0).
    SortedSet2 = 5, "zset2", SortedSet, Plain, 8;
    /// A module's value without marks in it (Redis 4.0 release candidates).
    ModulePreGa = 6, "module", Module, Module, 8;
    /// A module's value, every part marked with what it is (Redis 4.0).
    Module2 = 7, "module2", Module, Module, 8;
    /// A hash in a zipmap (Redis up to 2.4).
    HashZipmap = 9, "hash_zipmap", Hash, Zipmap, 1;
    /// A list in a ziplist (Redis 2.4 to 3.0).
    ListZiplist = 10, "list_ziplist", List, Ziplist, 2;
    /// A set of integers (Redis 2.4).
    SetIntset = 11, "set_intset", Set, Intset, 2;
    /// A sorted set in a ziplist (Redis 2.4 to 6.2).
    SortedSetZiplist = 12, "zset_ziplist", SortedSet, Ziplist, 2;
    /// A hash in a ziplist (Redis 2.6 to 6.2).
    HashZiplist = 13, "hash_ziplist", Hash, Ziplist, 4;
    /// A list in ziplists (Redis 3.2 to 6.2).
    ListQuicklist = 14, "list_quicklist", List, Quicklist, 7;
    /// A stream (Redis 5.0).
    StreamListpacks = 15, "stream_listpacks", Stream, Stream, 9;
    /// A hash in a listpack (Redis 7.0).
    HashListpack = 16, "hash_listpack", Hash, Listpack, 10;
    /// A sorted set in a listpack (Redis 7.0).
    SortedSetListpack = 17, "zset_listpack", SortedSet, Listpack, 10;
    /// A list in listpacks and plain nodes (Redis 7.0).
    ListQuicklist2 = 18, "list_quicklist2", List, Quicklist, 10;
    /// A stream with first and deleted ids and read counters (Redis 7.0).
    StreamListpacks2 = 19, "stream_listpacks2", Stream, Stream, 10;
    /// A set in a listpack (Redis 7.2).
    SetListpack = 20, "set_listpack", Set, Listpack, 11;
    /// A stream whose consumers have an active time (Redis 7.2).
    StreamListpacks3 = 21, "stream_listpacks3", Stream, Stream, 11;
    /// A hash with absolute field expiry (Redis 7.4 release candidates).
    HashMetadataPreGa = 22, "hash_metadata_pre_ga", Hash, Plain, 12;
    /// A hash with field expiry in a listpack (Redis 7.4 release candidates).
    HashListpackExPreGa = 23, "hash_listpack_ex_pre_ga", Hash, Listpack, 12;
    /// A hash with field expiry counted from the earliest one (Redis 7.4).
    HashMetadata = 24, "hash_metadata", Hash, Plain, 12;
    /// A hash with field expiry in a listpack (Redis 7.4).
    HashListpackEx = 25, "hash_listpack_ex", Hash, Listpack, 12;
    /// A stream that knows its producers (Redis 8.6).
    StreamListpacks4 = 26, "stream_listpacks4", Stream, Stream, 13;
    /// A stream with entries handed back by consumers (Redis 8.8).
    StreamListpacks5 = 27, "stream_listpacks5", Stream, Stream, 14;
    /// A sparse array (Redis 8.8).
    Array = 28, "array", Array, Plain, 14;
    /// A hash in a listpack, its field names in front (Redis 8.10, in DUMP payloads).
    HashTemplateListpack = 29, "hash_tmpl_lp", Hash, Template, 15;
    /// A hash in a listpack, its field names in a template of the file (Redis 8.10).
    HashTemplateListpackRef = 30, "hash_tmpl_lp_ref", Hash, Template, 15;
    /// A hash of plain values, its field names in front (Redis 8.10, in DUMP payloads).
    HashTemplateArray = 31, "hash_tmpl_array", Hash, Template, 15;
    /// A hash of plain values, its field names in a template of the file (Redis 8.10).
    HashTemplateArrayRef = 32, "hash_tmpl_array_ref", Hash, Template, 15;
    /// A hash with absolute field expiry (Valkey 9.0; the byte is also [`Self::HashMetadataPreGa`]'s).
    ValkeyHash2 = 22, "hash_2", Hash, Plain, 80;
}

impl ValueType {
    /// Resolves a type byte; `None` where the dialect has no such type.
    ///
    /// Bytes up to 21 mean the same everywhere and are taken in any version, as servers take them.
    #[must_use]
    pub fn from_byte(byte: u8, format: Format) -> Option<Self> {
        if byte == 22 && format.dialect() == Dialect::Valkey {
            return Some(Self::ValkeyHash2);
        }
        let found = *BY_BYTE.get(usize::from(byte))?;
        found.filter(|found| {
            byte <= 21 || (format.dialect() == Dialect::Redis && found.since_version() <= format.version())
        })
    }

    /// True for the types that can only be read together with the file that they are in.
    #[must_use]
    pub fn needs_file(self) -> bool {
        matches!(self, Self::HashTemplateListpackRef | Self::HashTemplateArrayRef)
    }
}

/// Types of the Redis dialect by their byte.
static BY_BYTE: [Option<ValueType>; 33] = {
    let mut table = [None; 33];
    let mut i = 0;
    while i < ValueType::ALL.len() - 1 {
        let found = ValueType::ALL[i];
        let byte = if i < 8 { i } else { i + 1 };
        table[byte] = Some(found);
        i += 1;
    }
    table
};

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_byte_in_its_dialect() {
        for &value_type in ValueType::ALL {
            let version = if value_type == ValueType::ValkeyHash2 { 80 } else { 15 };
            let format = Format::from_version(version).unwrap();
            assert_eq!(ValueType::from_byte(value_type.byte(), format), Some(value_type));
        }
    }

    #[test]
    fn type_22_depends_on_the_dialect_and_newer_types_on_the_version() {
        let of = |byte, version| ValueType::from_byte(byte, Format::from_version(version).unwrap());
        assert_eq!(of(22, 12), Some(ValueType::HashMetadataPreGa));
        assert_eq!(of(22, 80), Some(ValueType::ValkeyHash2));
        assert_eq!(of(22, 11), None);
        assert_eq!(of(23, 80), None);
        assert_eq!(of(24, 12), Some(ValueType::HashMetadata));
        assert_eq!(of(24, 80), None);
        assert_eq!(of(26, 12), None);
        assert_eq!(of(8, 15), None);
        assert_eq!(of(33, 15), None);
        assert_eq!(of(21, 3), Some(ValueType::StreamListpacks3));
    }
}
