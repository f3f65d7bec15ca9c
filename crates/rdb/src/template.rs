//! Field names that many hashes of a file share (Redis 8.10: opcode 242 and types 29 to 32).

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use crate::input::Input;
use crate::text::Slot;
use crate::{Error, Result};

/// The field names of one template.
pub(crate) type Fields = Arc<[Box<[u8]>]>;

/// The templates of a file, by their number.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_number: HashMap<u64, Fields>,
    bytes: u64,
}

impl Templates {
    /// Reads a template: its number, the number of fields, and their names.
    pub(crate) fn read<R: Read>(&mut self, input: &mut Input<R>, room: &mut Vec<u8>) -> Result<(u64, usize)> {
        let number = input.plain_length("a template's number")?;
        let fields = read_fields(input, room, &mut self.bytes)?;
        let len = fields.len();
        if self.by_number.insert(number, fields).is_some() {
            return Err(Error::malformed(input.offset(), "a template's number is used twice"));
        }
        Ok((number, len))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Fields> {
        self.by_number.get(&number)
    }

    /// Reads a template's number and finds the template.
    pub(crate) fn next_named<R: Read>(&self, input: &mut Input<R>) -> Result<Fields> {
        let number = input.plain_length("a template's number")?;
        let fields = self.get(number).cloned();
        fields.ok_or_else(|| {
            Error::malformed(input.offset(), "a hash uses a template that the file does not have")
        })
    }
}

/// What a name takes beside its bytes.
const NAME_OVERHEAD: u64 = 32;

/// Reads a number of fields and their names, which must be in order: the shorter first, then by their bytes. Adds
/// what they take to `bytes`.
pub(crate) fn read_fields<R: Read>(
    input: &mut Input<R>,
    room: &mut Vec<u8>,
    bytes: &mut u64,
) -> Result<Fields> {
    let count = input.count(1, "a number of fields")?;
    let mut fields: Vec<Box<[u8]>> = Vec::new();
    let mut slot = Slot::default();
    for _ in 0..count {
        input.read_name(&mut slot, room, "a field")?;
        *bytes += slot.bytes.len() as u64 + NAME_OVERHEAD;
        check_size(input, 0, *bytes)?;
        fields.push(slot.bytes[..].into());
    }
    check_order(&fields).map_err(|what| Error::malformed(input.offset(), what))?;
    Ok(fields.into())
}

/// Refuses names that take too much together: `bytes`, and what `count` of them take beside.
pub(crate) fn check_size<R: Read>(input: &Input<R>, count: u64, bytes: u64) -> Result<()> {
    let (allowed, found) = (input.limits.max_template_bytes, bytes + count * NAME_OVERHEAD);
    if found > allowed { Err(Error::limit(input.offset(), "hash templates", allowed, found)) } else { Ok(()) }
}

pub(crate) fn check_order(fields: &[Box<[u8]>]) -> Result<(), &'static str> {
    if fields.is_empty() {
        return Err("a template has no fields");
    }
    let ascending = fields.windows(2).all(|pair| (pair[0].len(), &pair[0]) < (pair[1].len(), &pair[1]));
    if ascending { Ok(()) } else { Err("the fields of a template are not in order") }
}
