//! The axis of values: from where to where, and which of them are written.

use super::{ChartUnit, unit::Size};

/// Values that are further from nothing than this are drawn as this, so that no difference of two overflows.
const FURTHEST: f64 = 1e300;
/// How much of the height is left free above and below.
const FREE: f64 = 0.06;
/// More ticks than this are a mistake of rounding.
const MOST_TICKS: usize = 24;

/// From where to where values are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    size: Size,
    step: f64,
}

impl ValueAxis {
    /// Makes the axis for values between two, with about so many ticks. It begins at nothing where values are not negative and the
    /// lowest is less than half of the highest.
    pub(super) fn of(unit: ChartUnit, lowest: f64, highest: f64, ticks: u32) -> Self {
        let (lowest, highest) = (within(lowest.min(highest)), within(highest.max(lowest)));
        let free = match highest - lowest {
            span if span > highest.abs() * f64::EPSILON * 16.0 => span * FREE,
            _ if highest == 0.0 => 1.0,
            _ => highest.abs() * 0.1,
        };
        let mut low = lowest - free;
        let mut high = highest + free;
        if lowest >= 0.0 {
            low = if lowest < highest * 0.5 || highest == 0.0 { 0.0 } else { low.max(0.0) };
        }
        if unit.ends_at_one() && highest <= 1.0 {
            high = high.min(1.0);
        }
        let size = unit.size(low.abs().max(high.abs()));
        let wanted = (high - low) / size.divisor / f64::from(ticks.max(1));
        let step = round_step(wanted).max(unit.least_step() / size.divisor);
        Self { low, high, size, step }
    }

    /// Returns the values that are written, lowest first, with what is written.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let digits = digits_of(self.step);
        let first = (self.low / self.size.divisor / self.step).ceil();
        let places = (0..MOST_TICKS).scan(first, |place, _| {
            let now = *place;
            *place += 1.0;
            Some(now * self.step * self.size.divisor)
        });
        let slack = (self.high - self.low) * 1e-9;
        let inside = places.take_while(|value| *value <= self.high + slack);
        inside.map(|value| (value, self.size.write(value, digits))).collect()
    }

    /// Returns where a value is, 0 at the bottom and 1 at the top; what lies outside is at the border.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((within(value) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Tells whether a value lies on the axis.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

fn within(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-FURTHEST, FURTHEST) }
}

/// The next of 1, 2, 5, 10, 20 and so on.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= wanted * 0.999);
    step.unwrap_or(power * 10.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a few digits; the cast saturates"
)]
fn digits_of(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(unit: ChartUnit, lowest: f64, highest: f64) -> Vec<String> {
        ValueAxis::of(unit, lowest, highest, 4).ticks().into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round_and_in_the_unit_of_people() {
        const GIB: f64 = 1_073_741_824.0;
        for (unit, lowest, highest, expected) in [
            (ChartUnit::Bytes, 0.0, 3.9 * GIB, ["0 GiB", "2 GiB", "4 GiB"].as_slice()),
            (ChartUnit::Bytes, 1.00 * GIB, 1.04 * GIB, &["1.00 GiB", "1.02 GiB", "1.04 GiB"]),
            (ChartUnit::Share, 0.5, 1.0, &["60 %", "80 %", "100 %"]),
            (ChartUnit::Share, 0.90, 0.93, &["90 %", "91 %", "92 %", "93 %"]),
            (ChartUnit::OperationsPerSecond, 0.0, 40_000.0, &["0 ops/s", "20k ops/s", "40k ops/s"]),
            (ChartUnit::Count, 3.0, 3.0, &["3"]),
            (ChartUnit::Count, 0.0, 0.0, &["0", "1"]),
            (ChartUnit::Count, -2.0, 2.0, &["-2", "0", "2"]),
            (ChartUnit::Quotient, 1.0, 1.0, &["0.90", "0.95", "1.00", "1.05", "1.10"]),
        ] {
            assert_eq!(written(unit, lowest, highest), expected, "{unit:?} {lowest} {highest}");
        }
    }

    #[test]
    fn the_greatest_and_the_oddest_values_have_an_axis() {
        for (lowest, highest) in [
            (f64::MIN, f64::MAX),
            (f64::NAN, f64::NAN),
            (f64::NEG_INFINITY, f64::INFINITY),
            (1e18, 1e18 + 1.0),
            (f64::MIN_POSITIVE, f64::MIN_POSITIVE),
            (5.0, -5.0),
        ] {
            let axis = ValueAxis::of(ChartUnit::Bytes, lowest, highest, 5);
            assert!(axis.low < axis.high && (axis.high - axis.low).is_finite(), "{axis:?}");
            assert!(axis.ticks().len() <= MOST_TICKS, "{axis:?}");
            for value in [lowest, highest, 0.0, f64::NAN] {
                assert!((0.0..=1.0).contains(&axis.place(value)), "{axis:?} {value}");
            }
        }
    }

    #[test]
    fn a_small_change_of_a_great_value_is_seen_and_a_great_change_is_seen_from_nothing() {
        let near = ValueAxis::of(ChartUnit::Count, 990.0, 1_000.0, 4);
        assert!(near.low > 980.0, "{near:?}");
        let far = ValueAxis::of(ChartUnit::Count, 100.0, 1_000.0, 4);
        assert!(far.low == 0.0, "{far:?}");
        assert!(near.holds(995.0) && !near.holds(0.0));
    }
}
