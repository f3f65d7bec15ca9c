//! Intset (`src/intset.c`): four bytes of element width (2, 4 or 8), four of count, then the integers in ascending
//! order.

use super::{int_at, u32_at};
use crate::Text;

pub(super) const HEADER_LEN: usize = 8;

pub(super) fn check(packed: &[u8]) -> Result<usize, &'static str> {
    let (Some(width), Some(count)) = (u32_at(packed, 0), u32_at(packed, 4)) else {
        return Err("an intset is shorter than its header");
    };
    if !matches!(width, 2 | 4 | 8) {
        return Err("an intset has integers of an unknown width");
    }
    if (count as usize).checked_mul(width as usize) != Some(packed.len() - HEADER_LEN) {
        return Err("an intset is not as long as its header says");
    }
    let mut at = HEADER_LEN;
    let mut last = None;
    while let Some(value) = int_at(packed, at, width as usize) {
        if last.is_some_and(|last| last >= value) {
            return Err("the integers of an intset are not in order");
        }
        last = Some(value);
        at += width as usize;
    }
    Ok(count as usize)
}

#[inline]
pub(super) fn entry(packed: &[u8], at: usize) -> Option<(Text<'_>, usize)> {
    let width = u32_at(packed, 0)? as usize;
    if !matches!(width, 2 | 4 | 8) {
        return None;
    }
    Some((Text::Int(int_at(packed, at, width)?), at + width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_width_in_order() {
        let mut packed = vec![2, 0, 0, 0, 3, 0, 0, 0];
        for value in [-5i16, 0, 300] {
            packed.extend(value.to_le_bytes());
        }
        assert_eq!(check(&packed), Ok(3));
        assert_eq!(entry(&packed, HEADER_LEN), Some((Text::Int(-5), HEADER_LEN + 2)));
        packed.swap(8, 10);
        packed.swap(9, 11);
        assert!(check(&packed).is_err());
    }

    #[test]
    fn damaged_headers_are_refused() {
        for packed in [&[][..], &[2, 0, 0, 0], &[3, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 1, 0, 0, 0], &[0; 8]]
        {
            assert!(check(packed).is_err());
        }
    }
}
