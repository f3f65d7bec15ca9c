//! What the first byte of a record means (Redis 8.0 `src/rdb.c`, `rdbLoadRioWithLoadingCtx`; Valkey 9.0, the same).

use std::io::Read;

use super::{Marks, NO_HEAD, Reader, Step};
use crate::{AfterEnd, Checksum, Dialect, Error, ModuleType, Result, ValueType, module};

impl<R: Read> Reader<R> {
    /// Reads up to the next record: all of it, but of a key not its value.
    pub(super) fn next_step(&mut self) -> Result<Step> {
        if self.marks == Marks::Used {
            self.head = NO_HEAD;
            self.marks = Marks::None;
        }
        loop {
            let offset = self.input.offset();
            let byte = self.input.byte("a record")?;
            let is_mark = match byte {
                0xfc | 0xfd | 0xf8 | 0xf9 => true,
                0xf3 => self.format.dialect() == Dialect::Redis && self.format.version() >= 12,
                _ => false,
            };
            if self.marks == Marks::None && (is_mark || byte < 242) {
                self.head.offset = offset;
            }
            if byte < 242 {
                self.marks = Marks::Used;
                return self.read_key(byte);
            }
            if !is_mark {
                // KeyDB writes aux fields between a key's expiry and the key, and servers take that.
                return self.read_record(byte);
            }
            self.marks = Marks::Some;
            match byte {
                0xfc => self.head.expires_at_ms = Some(self.input.milliseconds("an expiry")?),
                0xfd => {
                    let seconds = i32::from_le_bytes(self.input.array("an expiry")?);
                    self.head.expires_at_ms = Some(i64::from(seconds) * 1000);
                }
                0xf8 => self.head.idle_s = Some(self.input.plain_length("an idle time")?),
                0xf9 => self.head.frequency = Some(self.input.byte("a frequency")?),
                _ => self.key_meta()?,
            }
        }
    }

    /// Passes by what modules attach to the next key (Redis 8.6 `src/keymeta.c`).
    fn key_meta(&mut self) -> Result<()> {
        self.head.has_module_meta = true;
        for _ in 0..self.input.count(5, "a number of module attributes")? {
            self.input.skip(4, "a module attribute")?;
            module::skip_parts(&mut self.input)?;
        }
        Ok(())
    }

    #[inline]
    fn read_key(&mut self, byte: u8) -> Result<Step> {
        let Some(value_type) = ValueType::from_byte(byte, self.format) else {
            return Err(Error::unknown_type(self.input.offset() - 1, byte, self.format));
        };
        self.head.value_type = value_type;
        self.input.read_name(&mut self.key, &mut self.room, "a key")?;
        self.head.value_offset = self.input.offset();
        Ok(Step::Key)
    }

    fn read_record(&mut self, byte: u8) -> Result<Step> {
        let input = &mut self.input;
        match (byte, self.format.dialect()) {
            (0xff, _) => self.read_end(),
            (0xfe, _) => {
                self.db = input.plain_length("a database's number")?;
                Ok(Step::SelectDb(self.db))
            }
            (0xfb, _) => {
                let keys = input.plain_length("a number of keys")?;
                Ok(Step::ResizeDb { keys, expires: input.plain_length("a number of keys")? })
            }
            (0xfa, _) => {
                input.read_name(&mut self.key, &mut self.room, "an aux field")?;
                input.read_name(&mut self.value, &mut self.room, "an aux field")?;
                Ok(Step::Aux)
            }
            (0xf7, _) => {
                let module = ModuleType::from_id(input.plain_length("a module's id")?);
                if input.plain_length("a module's data")? != 2 {
                    return Err(Error::malformed(
                        input.offset(),
                        "a module's data does not say when it is for",
                    ));
                }
                let when = input.plain_length("a module's data")?;
                module::skip_parts(input)?;
                Ok(Step::ModuleAux { module, when })
            }
            (0xf6, _) => {
                input.read_name(&mut self.key, &mut self.room, "a function library")?;
                input.read_name(&mut self.value, &mut self.room, "a function library's engine")?;
                if input.plain_length("a function library")? != 0 {
                    input.skip_string("a function library's description")?;
                }
                input.read_name(&mut self.value, &mut self.room, "a function library")?;
                Ok(Step::FunctionPreGa)
            }
            (0xf5, _) => {
                input.read_name(&mut self.value, &mut self.room, "a function library")?;
                Ok(Step::Function)
            }
            (0xf4, _) => {
                let slot = input.plain_length("a slot")?;
                let keys = input.plain_length("a slot's keys")?;
                Ok(Step::SlotInfo { slot, keys, expires: input.plain_length("a slot's keys")? })
            }
            (0xf3, Dialect::Valkey) => {
                input.read_name(&mut self.key, &mut self.room, "a slot import")?;
                let ranges = input.count(2, "a number of slot ranges")?;
                for _ in 0..ranges.saturating_mul(2) {
                    input.plain_length("a slot")?;
                }
                Ok(Step::SlotImport { ranges })
            }
            (0xf2, Dialect::Redis) if self.format.version() >= 15 => {
                let (number, fields) = self.templates.read(input, &mut self.room)?;
                Ok(Step::HashTemplate { number, fields })
            }
            _ => Err(Error::unknown_type(input.offset() - 1, byte, self.format)),
        }
    }

    fn read_end(&mut self) -> Result<Step> {
        let bytes = self.input.offset();
        if self.format.has_checksum() {
            let computed = self.input.checksum()?;
            self.input.drop_checksum();
            let stored = u64::from_le_bytes(self.input.array("the checksum")?);
            self.checksum = match computed {
                _ if stored == 0 => Checksum::Off,
                None => Checksum::Skipped,
                Some(computed) if computed == stored => Checksum::Verified(stored),
                Some(computed) => return Err(Error::Checksum { stored, computed, bytes }),
            };
        } else {
            self.checksum = Checksum::Absent;
        }
        if self.options.after_end == AfterEnd::Nothing && !self.input.at_end()? {
            return Err(Error::TrailingData { offset: self.input.offset() });
        }
        Ok(Step::End)
    }
}
