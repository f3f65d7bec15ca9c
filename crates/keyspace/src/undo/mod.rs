//! What was removed or altered, and how it is given back.

mod act;
mod give_back;
mod reader;
mod same_value;
mod writer;

pub use act::{Act, UndoHeader};
pub use give_back::{UndoCount, UndoOptions, UndoOutcome, UndoPlan, plan_undo, undo};
pub use reader::UndoFile;
pub(crate) use writer::UndoWriter;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use bytes::Bytes;
    use larder_cache_client::{DumpedValue, Ttl};
    use larder_rdb::{Server, Value, Writer};

    use super::*;
    use crate::Error;

    fn begun(path: &Path) -> UndoWriter {
        UndoWriter::create(path, UndoHeader::new("redis://a", "guide", 1)).unwrap()
    }

    fn keep(writer: &mut UndoWriter, key: &'static str) -> u64 {
        let payload = Value::String(key.as_bytes().to_vec()).to_payload(Server::redis(7, 0), b"k").unwrap();
        let value = DumpedValue::new(Bytes::from(payload), Ttl::None);
        writer.keep(&Bytes::from_static(key.as_bytes()), 0, &value, Act::Removed).unwrap()
    }

    fn names(path: &Path) -> Vec<String> {
        let file = UndoFile::open(path).unwrap();
        let names = file.names().unwrap();
        assert_eq!(file.keys(), names.len() as u64);
        names.into_iter().map(|(_, name)| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn a_key_that_was_kept_twice_and_changed_once_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.rdb");
        let mut writer = begun(&path);
        let numbers = ["a", "twice", "left", "twice"].map(|key| keep(&mut writer, key));
        assert_eq!(numbers, [0, 1, 2, 3]);
        writer.sync().unwrap();
        writer.left_alone(numbers[2]).unwrap();
        writer.left_alone(numbers[3]).unwrap();
        let ended = writer.finish();
        assert!(ended.error.is_none() && ended.path.is_some());
        assert_eq!((names(&path), ended.keys), (vec!["a".to_owned(), "twice".to_owned()], 2));
        assert!(UndoFile::open(&path).unwrap().is_whole());
    }

    #[test]
    fn what_is_not_on_the_disk_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.rdb");
        let mut writer = begun(&path);
        assert!(matches!(UndoFile::open(&path), Err(Error::NothingKept { .. })), "nothing yet");
        let first = keep(&mut writer, "a");
        writer.sync().unwrap();
        // Neither this key nor that one was left alone is known to be on the disk.
        keep(&mut writer, "b");
        writer.left_alone(first).unwrap();
        let sound = fs::read(&path).unwrap();
        for (name, behind) in [("cut.rdb", &b""[..]), ("more.rdb", b"\xfa\x0alarder-act\x07rem")] {
            let cut = folder.path().join(name);
            fs::write(&cut, [sound.as_slice(), behind].concat()).unwrap();
            assert_eq!(names(&cut), ["a"]);
            assert!(!UndoFile::open(&cut).unwrap().is_whole());
        }
        let ended = writer.cut_off();
        assert_eq!((ended.keys, ended.path.as_deref()), (1, Some(path.as_path())));
        assert_eq!(fs::read(&path).unwrap(), sound, "it ends where it is sound");
    }

    #[test]
    fn a_file_in_which_nothing_is_sound_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.rdb");
        let mut writer = begun(&path);
        keep(&mut writer, "a");
        let ended = writer.cut_off();
        assert_eq!((ended.keys, ended.path, path.exists()), (0, None, false));
        let ended = begun(&path).finish();
        assert_eq!((ended.keys, ended.path, path.exists()), (0, None, false));
        UndoFile::try_place(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "x").unwrap();
        assert!(matches!(UndoFile::try_place(&path), Err(Error::UndoUnwritable { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn numbers_of_keys_that_are_not_there_are_nothing_to_fear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.rdb");
        let mut writer = Writer::new(fs::File::create(&path).unwrap(), Server::redis(7, 0)).unwrap();
        let header = serde_json::to_vec(&UndoHeader::new("redis://a", "guide", 1)).unwrap();
        writer.aux(b"larder-undo", &header).unwrap();
        for number in ["0", "7", "-1", "x", "18446744073709551615"] {
            writer.aux(b"larder-left", number.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        assert!(names(&path).is_empty());
    }
}
