//! Reads single elements into buffers that are used again.

use std::io::Read;

use crate::distinct::Distinct;
use crate::input::Input;
use crate::packed::Packed;
use crate::strings::parse_double;
use crate::text::{Slot, parse_int};
use crate::walk::field_expiry;
use crate::{Element, Error, Result, SlotValue, Text, ValueType};

/// Buffers that are used again from value to value.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// A name, or the only string of an element.
    pub(super) first: Slot,
    /// The value that goes with it.
    pub(super) second: Slot,
    /// The packed string that elements are taken from.
    pub(super) packed: Slot,
    /// Compressed bytes that do not lie in the input's buffer whole.
    pub(super) lzf: Vec<u8>,
    /// Members or fields so far.
    pub(super) distinct: Distinct,
}

/// Form of the elements that stand one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plain {
    Item,
    Member,
    DecimalScore,
    Score,
    Field,
    FieldExpiryFirst { value_type: ValueType, earliest: i64 },
    FieldExpiryLast,
    Slot,
}

/// What a group of entries of a packed string means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Item,
    Member,
    Scored,
    Field,
    FieldExpiry,
}

impl Group {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Item | Self::Member => 1,
            Self::Scored | Self::Field => 2,
            Self::FieldExpiry => 3,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PackedPart {
    pub(super) packed: Packed,
    pub(super) group: Group,
    pub(super) at: usize,
    pub(super) left: usize,
}

pub(super) fn field<'a>(name: Text<'a>, value: Text<'a>, expires_at_ms: Option<i64>) -> Element<'a> {
    Element::Field { name, value, expires_at_ms }
}

impl Room {
    /// Puts a field's name where an element borrows it from.
    pub(super) fn set_name(&mut self, name: &[u8]) {
        self.first.int = None;
        self.first.bytes.clear();
        self.first.bytes.extend_from_slice(name);
    }

    /// Reads a packed string and checks the whole of it; gives the number of its entries.
    pub(super) fn read_packed<R: Read>(&mut self, input: &mut Input<R>, packed: Packed) -> Result<usize> {
        let start = input.offset();
        input.read_string(&mut self.packed, &mut self.lzf, "a packed string")?;
        if self.packed.int.is_some() {
            return Err(Error::malformed(start, "an integer stands where a packed string belongs"));
        }
        packed.check(&self.packed.bytes).map_err(|what| Error::malformed(start, what))
    }

    /// Reads an element that stands on its own.
    pub(super) fn plain_element<R: Read>(
        &mut self,
        input: &mut Input<R>,
        form: Plain,
    ) -> Result<Element<'_>> {
        let Self { first, second, lzf, distinct, .. } = self;
        let start = input.offset();
        let mut check = |name: &Slot| {
            let fresh = distinct.insert(&name.text());
            fresh
                .then_some(())
                .ok_or_else(|| Error::malformed(start, "a collection has the same element twice"))
        };
        match form {
            Plain::Item => {
                input.read_string(first, lzf, "a list item")?;
                Ok(Element::Item(first.text()))
            }
            Plain::Member => {
                input.read_string(first, lzf, "a set member")?;
                check(first)?;
                Ok(Element::Member(first.text()))
            }
            Plain::DecimalScore | Plain::Score => {
                input.read_string(first, lzf, "a sorted set member")?;
                check(first)?;
                let score = if matches!(form, Plain::Score) {
                    input.double("a score")?
                } else {
                    input.decimal_double("a score")?
                };
                if score.is_nan() {
                    return Err(Error::malformed(input.offset(), "a score is not a number"));
                }
                Ok(Element::Scored { member: first.text(), score })
            }
            Plain::Field => {
                input.read_string(first, lzf, "a field")?;
                check(first)?;
                input.read_string(second, lzf, "a field's value")?;
                Ok(field(first.text(), second.text(), None))
            }
            Plain::FieldExpiryFirst { value_type, earliest } => {
                let said = input.plain_length("a field's expiry")?;
                input.read_string(first, lzf, "a field")?;
                check(first)?;
                input.read_string(second, lzf, "a field's value")?;
                Ok(field(first.text(), second.text(), field_expiry(said, earliest, value_type)))
            }
            Plain::FieldExpiryLast => {
                input.read_string(first, lzf, "a field")?;
                check(first)?;
                input.read_string(second, lzf, "a field's value")?;
                let expiry = input.milliseconds("a field's expiry")?;
                Ok(field(first.text(), second.text(), (expiry >= 0).then_some(expiry)))
            }
            Plain::Slot => {
                let index = input.plain_length("an array's index")?;
                let value = match input.plain_length("an array element's form")? {
                    0 | 3 => {
                        input.read_string(first, lzf, "an array's element")?;
                        SlotValue::Text(first.text())
                    }
                    1 => SlotValue::Int(input.milliseconds("an array's element")?),
                    2 => SlotValue::Double(input.double("an array's element")?),
                    _ => {
                        return Err(Error::malformed(
                            input.offset(),
                            "an array's element has an unknown form",
                        ));
                    }
                };
                Ok(Element::Slot { index, value })
            }
        }
    }

    /// Takes the next element out of the packed string.
    pub(super) fn packed_element<R: Read>(
        &self,
        input: &Input<R>,
        part: &mut PackedPart,
    ) -> Result<Element<'_>> {
        let broken = |what| Error::malformed(input.offset(), what);
        let packed = &self.packed.bytes;
        part.left -= 1;
        let mut take = |odd| {
            let (text, next) = part.packed.entry(packed, part.at, odd)?;
            part.at = next;
            Some(text)
        };
        let early = "a packed string ends early";
        let first = take(false).ok_or_else(|| broken(early))?;
        match part.group {
            Group::Item => Ok(Element::Item(first)),
            Group::Member => Ok(Element::Member(first)),
            Group::Scored => {
                let score = match take(true).ok_or_else(|| broken(early))? {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "servers keep integer scores as doubles, too"
                    )]
                    Text::Int(score) => score as f64,
                    Text::Bytes(digits) => parse_double(digits).unwrap_or(f64::NAN),
                };
                if score.is_nan() {
                    return Err(broken("a score is not a number"));
                }
                Ok(Element::Scored { member: first, score })
            }
            Group::Field => Ok(field(first, take(true).ok_or_else(|| broken(early))?, None)),
            Group::FieldExpiry => {
                let value = take(false).ok_or_else(|| broken(early))?;
                let expiry = match take(false).ok_or_else(|| broken(early))? {
                    Text::Int(expiry) => Some(expiry),
                    Text::Bytes(digits) => parse_int(digits),
                };
                match expiry {
                    Some(expiry @ 0..) => Ok(field(first, value, (expiry > 0).then_some(expiry))),
                    _ => Err(broken("a field's expiry is not a time")),
                }
            }
        }
    }
}
