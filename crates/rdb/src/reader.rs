//! Reads a file record by record.

use std::io::Read;

use crate::decode::Decoder;
use crate::format::HEADER_LEN;
use crate::input::Input;
use crate::skim::Tally;
use crate::template::Templates;
use crate::text::Slot;
use crate::walk::{self, Visit};
use crate::{
    AfterEnd, Checksum, Dialect, Element, Error, Format, KeyMeta, Kind, Limits, ModuleType, RawValue,
    ReadOptions, Record, Result, Skimmed, Value, ValueType, module,
};

/// Reads an RDB file from anything that gives bytes.
///
/// [`Self::next_record`] goes from record to record. At a key the caller chooses how deep to look: leave it, skim
/// it, pull its elements, take its serialised value, or size it. [`Self::skim_next`] is the fast way through when
/// skimming is all that is wanted.
#[derive(Debug)]
pub struct Reader<R> {
    pub(crate) input: Input<R>,
    options: ReadOptions,
    format: Format,
    position: Position,
    checksum: Checksum,
    db: u64,
    head: Head,
    marks: Marks,
    key: Slot,
    value: Slot,
    room: Vec<u8>,
    pub(crate) decoder: Decoder,
    pub(crate) templates: Templates,
}

/// What is read of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Nothing.
    Between,
    /// Everything but the value.
    Value,
    /// Some elements of the value, too.
    Elements,
    /// A part that could not be read; nothing more comes.
    Broken,
    End,
}

/// Whether expiry and use of a key were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    None,
    /// They were, and the key is still to come.
    Some,
    /// The key came.
    Used,
}

/// What stands in front of a value, but for the key.
#[derive(Debug, Clone, Copy)]
struct Head {
    value_type: ValueType,
    expires_at_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
    has_module_meta: bool,
    offset: u64,
    value_offset: u64,
}

const NO_HEAD: Head = Head {
    value_type: ValueType::String,
    expires_at_ms: None,
    idle_s: None,
    frequency: None,
    has_module_meta: false,
    offset: 0,
    value_offset: 0,
};

/// What was read last, its strings being in `key` and `value` of the reader.
enum Step {
    Aux,
    SelectDb(u64),
    ResizeDb { keys: u64, expires: u64 },
    SlotInfo { slot: u64, keys: u64, expires: u64 },
    SlotImport { ranges: u64 },
    Function,
    FunctionPreGa,
    ModuleAux { module: ModuleType, when: u64 },
    HashTemplate { number: u64, fields: usize },
    Key,
    End,
}

impl<'a> Reader<&'a [u8]> {
    /// Reads a file that is in memory; lengths are checked against its end.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn from_slice(bytes: &'a [u8]) -> Result<Self> {
        Self::with_options(
            bytes,
            ReadOptions { total_bytes: Some(bytes.len() as u64), ..ReadOptions::default() },
        )
    }
}

impl<R: Read> Reader<R> {
    /// Starts reading: the header is read at once.
    ///
    /// The reader has a buffer of its own; a `BufReader` around the source gains nothing.
    ///
    /// # Errors
    /// [`Error::NotRdb`] and [`Error::UnsupportedVersion`] for what is no RDB file of a known version, and whatever
    /// the source says.
    pub fn new(source: R) -> Result<Self> {
        Self::with_options(source, ReadOptions::default())
    }

    /// Starts reading with limits and checks of the caller's choice.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(source: R, options: ReadOptions) -> Result<Self> {
        let mut input = Input::new(source, options.limits, options.total_bytes, options.verify_checksum);
        let format = Format::from_header(&input.array::<HEADER_LEN>("the header")?)?;
        if !format.has_checksum() {
            input.drop_checksum();
        }
        Ok(Self {
            input,
            options,
            format,
            position: Position::Between,
            checksum: Checksum::Pending,
            db: 0,
            head: NO_HEAD,
            marks: Marks::None,
            key: Slot::default(),
            value: Slot::default(),
            room: Vec::new(),
            decoder: Decoder::default(),
            templates: Templates::default(),
        })
    }

    /// Dialect and version of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How far reading came, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// What became of the checksum; settled when [`Self::next_record`] or [`Self::skim_next`] gave `None`.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The limits that the reader keeps to.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.options.limits
    }

    /// The source, and the bytes that were taken from it and not used.
    #[must_use]
    pub fn into_parts(self) -> (R, Vec<u8>) {
        self.input.into_parts()
    }

    /// Goes on to the next record; `None` at the end of the file, whose checksum has then been compared.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, with the offset and, within a key, the key. After an error nothing more
    /// can be read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_, R>>> {
        let step = self.advance()?;
        Ok(Some(match step {
            Step::End => return Ok(None),
            Step::Key => Record::Key(Entry { reader: self }),
            Step::Aux => Record::Aux { name: &self.key.bytes, value: &self.value.bytes },
            Step::SelectDb(db) => Record::SelectDb(db),
            Step::ResizeDb { keys, expires } => Record::ResizeDb { keys, expires },
            Step::SlotInfo { slot, keys, expires } => Record::SlotInfo { slot, keys, expires },
            Step::SlotImport { ranges } => Record::SlotImport { job: &self.key.bytes, ranges },
            Step::Function => Record::Function { code: &self.value.bytes },
            Step::FunctionPreGa => Record::FunctionPreGa { name: &self.key.bytes, code: &self.value.bytes },
            Step::ModuleAux { module, when } => Record::ModuleAux { module, when },
            Step::HashTemplate { number, fields } => Record::HashTemplate { number, fields },
        }))
    }

    /// Goes on to the next key, past all other records; `None` at the end of the file.
    ///
    /// # Errors
    /// As [`Self::next_record`].
    pub fn next_key(&mut self) -> Result<Option<Entry<'_, R>>> {
        loop {
            match self.advance()? {
                Step::End => return Ok(None),
                Step::Key => return Ok(Some(Entry { reader: self })),
                _ => {}
            }
        }
    }

    /// Goes on to the next key and skims it; `None` at the end of the file.
    ///
    /// # Errors
    /// As [`Self::next_record`].
    pub fn skim_next(&mut self) -> Result<Option<Skimmed<'_>>> {
        loop {
            match self.advance()? {
                Step::End => return Ok(None),
                Step::Key => return self.skim().map(Some),
                _ => {}
            }
        }
    }

    fn advance(&mut self) -> Result<Step> {
        let pending = self.position;
        // Whatever fails leaves the reader broken.
        self.position = Position::Broken;
        match pending {
            Position::Between => {}
            Position::Value => self.walk(&mut ())?,
            Position::Elements => while self.next_element()?.is_some() {},
            Position::Broken => {
                return Err(Error::malformed(self.input.offset(), "nothing can be read after an error"));
            }
            Position::End => {
                self.position = Position::End;
                return Ok(Step::End);
            }
        }
        let step = self.next_step()?;
        self.position = match step {
            Step::Key => Position::Value,
            Step::End => Position::End,
            _ => Position::Between,
        };
        Ok(step)
    }

    fn next_step(&mut self) -> Result<Step> {
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

    fn skim(&mut self) -> Result<Skimmed<'_>> {
        let mut tally = Tally::new();
        self.walk(&mut tally)?;
        let Head { value_type, expires_at_ms, idle_s, frequency, offset, value_offset, .. } = self.head;
        Ok(Skimmed {
            key: &self.key.bytes,
            db: self.db,
            value_type,
            expires_at_ms,
            idle_s,
            frequency,
            elements: tally.elements,
            elements_exact: tally.exact,
            plain_bytes: tally.plain_bytes,
            offset,
            value_offset,
            value_bytes: self.input.offset() - value_offset,
        })
    }

    /// Passes by the value of the key.
    fn walk(&mut self, visit: &mut impl Visit) -> Result<()> {
        self.position = Position::Broken;
        walk::walk(&mut self.input, self.head.value_type, &self.templates, visit)
            .map_err(|error| error.in_key(&self.key.bytes))?;
        self.position = Position::Between;
        Ok(())
    }

    /// Gives the next element of the value of the key.
    fn next_element(&mut self) -> Result<Option<Element<'_>>> {
        self.position = Position::Broken;
        let key = &self.key.bytes;
        let element = self.decoder.next(&mut self.input).map_err(|error| error.in_key(key))?;
        self.position = if element.is_some() { Position::Elements } else { Position::Between };
        Ok(element)
    }
}

/// A key whose value was not looked at yet.
///
/// What the value needs is read when one of the methods that consume the entry is called; dropped, it is passed by.
#[derive(Debug)]
pub struct Entry<'r, R> {
    reader: &'r mut Reader<R>,
}

impl<'r, R: Read> Entry<'r, R> {
    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.reader.key.bytes
    }

    /// Type and layout of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.reader.head.value_type
    }

    /// What the value is to the user of the server.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.value_type().kind()
    }

    /// Database, expiry and use: what a writer needs to write the key again.
    #[must_use]
    pub fn meta(&self) -> KeyMeta {
        let Head { expires_at_ms, idle_s, frequency, .. } = self.reader.head;
        KeyMeta { db: self.reader.db, expires_at_ms, idle_s, frequency }
    }

    /// True if modules attached something to the key, which this crate passes by (Redis 8.6).
    #[must_use]
    pub fn has_module_meta(&self) -> bool {
        self.reader.head.has_module_meta
    }

    /// Where the key's record starts.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.reader.head.offset
    }

    /// Passes the value by; gives what can be known without decoding it.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn skim(self) -> Result<Skimmed<'r>> {
        self.reader.skim()
    }

    /// Starts decoding the value.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn elements(self) -> Result<Elements<'r, R>> {
        let reader = self.reader;
        reader.position = Position::Broken;
        reader
            .decoder
            .start(&mut reader.input, reader.head.value_type, &reader.templates)
            .map_err(|error| error.in_key(&reader.key.bytes))?;
        reader.position = Position::Elements;
        Ok(Elements { reader })
    }

    /// Decodes the whole value into memory.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn value(self) -> Result<Value> {
        let kind = self.kind();
        let mut elements = self.elements()?;
        let mut value = Value::empty(kind);
        while let Some(element) = elements.next()? {
            value.push(element);
        }
        Ok(value)
    }

    /// Passes the value by and reports its shape.
    pub(crate) fn visit(self, visit: &mut impl Visit) -> Result<()> {
        self.reader.walk(visit)
    }

    /// Copies the serialised value, for a DUMP payload or another file; nothing is decoded.
    ///
    /// # Errors
    /// As [`Reader::next_record`]; [`Error::Limit`] for a value over [`Limits::max_payload_bytes`];
    /// [`Error::Malformed`] for a value that cannot be read without the rest of its file (hash templates).
    pub fn raw_value(self) -> Result<RawValue> {
        let reader = self.reader;
        let value_type = reader.head.value_type;
        if value_type.needs_file() {
            let error = Error::malformed(reader.head.offset, "the value needs the templates of its file");
            return Err(error.in_key(&reader.key.bytes));
        }
        reader.input.start_copy(Vec::new());
        reader.walk(&mut ())?;
        let bytes = reader.input.end_copy().map_err(|error| error.in_key(&reader.key.bytes))?;
        Ok(RawValue::new(value_type, reader.format, bytes))
    }
}

/// The elements of a value, pulled one at a time.
///
/// What is not pulled is passed by, and checked, when the next record is asked for.
#[derive(Debug)]
pub struct Elements<'r, R> {
    reader: &'r mut Reader<R>,
}

impl<R: Read> Elements<'_, R> {
    /// Gives the next element; `None` at the end of the value.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    #[expect(
        clippy::should_implement_trait,
        reason = "elements borrow from the reader, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Element<'_>>> {
        match self.reader.position {
            Position::Elements => self.reader.next_element(),
            _ => Ok(None),
        }
    }

    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.reader.key.bytes
    }
}
