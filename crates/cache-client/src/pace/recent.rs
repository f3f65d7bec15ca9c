//! The last figures of something.

use std::{collections::VecDeque, time::Duration};

/// The last so many times that something took.
#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    times: VecDeque<Duration>,
}

impl Recent {
    /// Remembers so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, times: VecDeque::with_capacity(most) }
    }

    pub(super) fn push(&mut self, time: Duration) {
        if self.times.len() == self.most {
            self.times.pop_front();
        }
        self.times.push_back(time);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub(super) fn least(&self) -> Option<Duration> {
        self.times.iter().min().copied()
    }

    /// The median of the last so many; of an even number the lesser one of the two in the middle, so that one of two is
    /// not yet a sign.
    pub(super) fn median_of_last(&self, count: usize) -> Option<Duration> {
        let mut last: Vec<Duration> = self.times.iter().rev().take(count).copied().collect();
        last.sort_unstable();
        last.get(last.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_count_and_older_ones_are_forgotten() {
        let mut recent = Recent::new(4);
        assert_eq!((recent.least(), recent.median_of_last(3)), (None, None));
        // Pushed, the least of the last four, the median of the last three.
        for (time, least, median) in [(5, 5, 5), (9, 5, 5), (8, 5, 8), (7, 5, 8), (7, 7, 7), (1, 1, 7)] {
            recent.push(Duration::from_micros(time));
            assert_eq!(recent.least(), Some(Duration::from_micros(least)), "after {time}");
            assert_eq!(recent.median_of_last(3), Some(Duration::from_micros(median)), "after {time}");
        }
        assert_eq!(recent.median_of_last(0), None);
        assert_eq!(recent.median_of_last(100), Some(Duration::from_micros(7)));
    }
}
