//! Reads a file record by record.

mod entry;
mod opcodes;

pub use entry::{Elements, Entry};

use std::io::Read;

use crate::decode::Decoder;
use crate::format::HEADER_LEN;
use crate::input::Input;
use crate::skim::Tally;
use crate::template::Templates;
use crate::text::Slot;
use crate::walk::{self, Visit};
use crate::{
    Checksum, Element, Error, Format, Limits, ModuleType, ReadOptions, Record, Result, Skimmed, ValueType,
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
        let mut input = Input::new(source, &options);
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

    /// The CRC-64 of everything that was read so far, to compare it with one that stands in the file itself; `None` where it
    /// is not computed. Between records it is that of all records before.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn checksum_so_far(&mut self) -> Result<Option<u64>> {
        self.input.checksum()
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

    fn skim(&mut self) -> Result<Skimmed<'_>> {
        let mut tally = Tally::new();
        self.walk(&mut tally)?;
        Ok(self.skimmed(&tally))
    }

    /// What is known of the key whose value was passed by just now.
    pub(crate) fn skimmed(&self, tally: &Tally) -> Skimmed<'_> {
        let Head { value_type, expires_at_ms, idle_s, frequency, offset, value_offset, .. } = self.head;
        Skimmed {
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
        }
    }

    /// Passes by the value of the key.
    pub(crate) fn walk(&mut self, visit: &mut impl Visit) -> Result<()> {
        self.position = Position::Broken;
        walk::walk(&mut self.input, self.head.value_type, &self.templates, visit)
            .map_err(|error| error.in_key(&self.key.bytes))?;
        self.position = Position::Between;
        Ok(())
    }

    /// Decodes the value of the key, from where it starts to its end.
    pub(crate) fn decode_with<T>(
        &mut self,
        decode: impl FnOnce(&mut Input<R>, &mut Decoder, &Templates) -> Result<T>,
    ) -> Result<T> {
        self.position = Position::Broken;
        let decoded = decode(&mut self.input, &mut self.decoder, &self.templates)
            .map_err(|error| error.in_key(&self.key.bytes))?;
        self.position = Position::Between;
        Ok(decoded)
    }

    /// The name of the key that was read last.
    pub(crate) fn key_name(&self) -> &[u8] {
        &self.key.bytes
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
