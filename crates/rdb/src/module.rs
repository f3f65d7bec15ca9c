//! Values and data of modules: passed by whole, and named (Redis 7.0 `src/module.c`, `moduleTypeNameByID`, and
//! `src/rdb.c`, `rdbLoadCheckModuleValue`).

use std::fmt;
use std::io::Read;

use crate::input::Input;
use crate::text::Slot;
use crate::{Error, Result};

/// A module's type: a name of nine letters and the version of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModuleType(u64);

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ModuleType {
    pub(crate) fn from_id(id: u64) -> Self {
        Self(id)
    }

    /// The 64-bit number that stands for name and version.
    #[must_use]
    pub fn id(self) -> u64 {
        self.0
    }

    /// The nine letters that the module registered its type under.
    #[must_use]
    pub fn name(self) -> String {
        (0..9).rev().map(|i| char::from(LETTERS[(self.0 >> (10 + 6 * i) & 63) as usize])).collect()
    }

    /// Version of the module's own encoding.
    #[must_use]
    pub fn encoding_version(self) -> u16 {
        (self.0 & 1023) as u16
    }
}

impl fmt::Display for ModuleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name(), self.encoding_version())
    }
}

/// Passes by a value of module type 2, in which every part is marked.
pub(crate) fn skip_module<R: Read>(input: &mut Input<R>) -> Result<ModuleType> {
    let module = ModuleType::from_id(input.plain_length("a module's id")?);
    skip_parts(input)?;
    Ok(module)
}

/// Passes by the marked parts of a module's data, up to the end mark.
pub(crate) fn skip_parts<R: Read>(input: &mut Input<R>) -> Result<()> {
    let what = "a module's data";
    loop {
        match input.plain_length(what)? {
            0 => return Ok(()),
            1 | 2 => drop(input.plain_length(what)?),
            3 => input.skip(4, what)?,
            4 => input.skip(8, what)?,
            5 => drop(input.skip_string(what)?),
            _ => return Err(Error::malformed(input.offset(), "a module's data has an unknown mark")),
        }
    }
}

/// Reads a value of module type 2; gives its parts, with their marks, to `each`.
pub(crate) fn read_module<R: Read>(
    input: &mut Input<R>,
    text: &mut Slot,
    packed: &mut Vec<u8>,
    mut each: impl FnMut(u8, &[u8]),
) -> Result<ModuleType> {
    let what = "a module's data";
    let module = ModuleType::from_id(input.plain_length("a module's id")?);
    loop {
        match input.plain_length(what)? {
            0 => return Ok(module),
            mark @ (1 | 2) => {
                let number = input.plain_length(what)?;
                each(if mark == 1 { 1 } else { 2 }, &number.to_le_bytes());
            }
            3 => each(3, &input.array::<4>(what)?),
            4 => each(4, &input.array::<8>(what)?),
            5 => {
                input.read_string(text, packed, what)?;
                text.text().with_bytes(|bytes| each(5, bytes));
            }
            _ => return Err(Error::malformed(input.offset(), "a module's data has an unknown mark")),
        }
    }
}

/// The error for a value of module type 1, which has no marks.
pub(crate) fn opaque<R: Read>(input: &mut Input<R>) -> Error {
    let offset = input.offset();
    match input.plain_length("a module's id") {
        Ok(id) => Error::opaque_module(offset, ModuleType::from_id(id).name()),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_version_are_in_the_id() {
        let letter = |c: u8| LETTERS.iter().position(|l| *l == c).unwrap() as u64;
        let id = b"test___dt".iter().fold(0, |id, c| id << 6 | letter(*c)) << 10 | 1;
        assert_eq!(ModuleType::from_id(id).to_string(), "test___dt v1");
    }
}
