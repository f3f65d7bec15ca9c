//! Moments at which something happened, and where their words find room.

use chrono::{DateTime, Utc};
use larder_analysis::{LevelChange, SeriesBreak};
use larder_metrics_model::Break;

use super::text::{printable, width};

/// A moment with a word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChartMark {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened, in a word or two.
    pub word: String,
    pub(super) kind: MarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// Something happened to what is measured.
    Event,
    /// What was measured changed its level.
    Change,
}

/// A mark on the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlacedMark {
    pub(super) x: i32,
    pub(super) kind: MarkKind,
    /// The word with the row that it has above the plot, and whether it stands left of its line; `None` where there is no room.
    pub(super) label: Option<PlacedWord>,
}

/// A word beside its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlacedWord {
    pub(super) word: String,
    pub(super) row: usize,
    pub(super) is_left: bool,
}

/// So many rows of words stand above the plot at most.
pub(super) const MOST_ROWS: usize = 3;
/// Between a line and its word.
pub(super) const BESIDE: i32 = 4;

impl ChartMark {
    /// Marks something that happened.
    #[must_use]
    pub fn new(at: DateTime<Utc>, word: impl AsRef<str>) -> Self {
        Self { at, word: printable(word.as_ref()), kind: MarkKind::Event }
    }
}

impl From<&SeriesBreak> for ChartMark {
    fn from(found: &SeriesBreak) -> Self {
        let word = match found.what {
            Break::Restarted => "restart",
            Break::Flushed => "flush",
            Break::CountersReset => "reset",
            _ => "break",
        };
        Self::new(found.until, word)
    }
}

impl From<&LevelChange> for ChartMark {
    fn from(change: &LevelChange) -> Self {
        let word = if change.after > change.before { "level up" } else { "level down" };
        Self { kind: MarkKind::Change, ..Self::new(change.at, word) }
    }
}

/// Finds room for the words of marks, which are ordered by time, between two borders. Those of one word on one pixel are one.
pub(super) fn place(marks: &[(i32, &ChartMark)], (left, right): (i32, i32), height: i32) -> Vec<PlacedMark> {
    let mut free_from = [left; MOST_ROWS];
    let mut placed: Vec<PlacedMark> = Vec::new();
    let mut before: Option<(i32, &str)> = None;
    for (x, mark) in marks {
        if before.is_some_and(|(at, word)| at == *x && word == mark.word) {
            continue;
        }
        before = Some((*x, &mark.word));
        let label = beside(*x, &mark.word, right, height, &mut free_from);
        placed.push(PlacedMark { x: *x, kind: mark.kind, label });
    }
    placed
}

fn beside(
    x: i32,
    word: &str,
    right: i32,
    height: i32,
    free_from: &mut [i32; MOST_ROWS],
) -> Option<PlacedWord> {
    let room = width(word, height) + BESIDE;
    let is_left = x + room > right;
    let (begins, ends) = if is_left { (x - room, x) } else { (x, x + room) };
    let row = free_from.iter().position(|free| begins >= *free)?;
    free_from[row] = ends + BESIDE;
    Some(PlacedWord { word: word.to_owned(), row, is_left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_rows_where_they_would_overlap_and_are_left_out_where_no_row_is_free() {
        let mark = ChartMark::new(DateTime::<Utc>::UNIX_EPOCH, "restart");
        let marks: Vec<(i32, &ChartMark)> = [10, 10, 14, 18, 22, 200].map(|x| (x, &mark)).into();
        let placed = place(&marks, (0, 210), 12);
        let rows: Vec<_> =
            placed.iter().map(|mark| mark.label.as_ref().map(|word| (word.row, word.is_left))).collect();
        assert_eq!(
            rows,
            [Some((0, false)), Some((1, false)), Some((2, false)), None, Some((0, true))],
            "{placed:?}"
        );
        assert!(place(&[], (0, 10), 12).is_empty());
    }
}
