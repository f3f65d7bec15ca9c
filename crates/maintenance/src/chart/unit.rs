//! What a chart counts, as people write it.

use larder_metrics_model::{Metric, MetricKind, Unit};

/// What the values of a chart count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChartUnit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A share, 0 to 1, written as per cent.
    Share,
    /// A quotient, such as that of fragmentation.
    Quotient,
    /// Operations a second.
    OperationsPerSecond,
    /// Things a second.
    PerSecond,
}

/// A unit in the size that fits: what a value is divided by, and what is written behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) divisor: f64,
    words: &'static str,
    of_what: &'static str,
}

type Sizes = &'static [(f64, &'static str)];

const KIB: f64 = 1_024.0;
const BYTES: Sizes = &[
    (1.0, " B"),
    (KIB, " KiB"),
    (KIB * KIB, " MiB"),
    (KIB * KIB * KIB, " GiB"),
    (KIB * KIB * KIB * KIB, " TiB"),
    (KIB * KIB * KIB * KIB * KIB, " PiB"),
    (KIB * KIB * KIB * KIB * KIB * KIB, " EiB"),
];
const COUNTS: Sizes = &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
const SECONDS: Sizes =
    &[(1e-6, " µs"), (1e-3, " ms"), (1.0, " s"), (60.0, " min"), (3_600.0, " h"), (86_400.0, " d")];
const MILLISECONDS: Sizes = &[(1e-3, " µs"), (1.0, " ms"), (1e3, " s"), (6e4, " min"), (3.6e6, " h")];
const SHARES: Sizes = &[(0.01, " %")];
const QUOTIENTS: Sizes = &[(1.0, "")];

/// Metrics whose ratio is no share.
const METRICS_OF_QUOTIENTS: [&str; 1] = ["node_fragmentation_ratio"];
/// Counters of what a client asks for.
const METRICS_OF_OPERATIONS: [&str; 8] =
    ["operations", "hits", "misses", "sets", "deletes", "node_commands", "node_hits", "node_misses"];

impl ChartUnit {
    /// Returns the unit of a metric's chart. A counter is drawn as what it comes to a second.
    #[must_use]
    pub fn of(metric: &Metric) -> Self {
        match (metric.kind, metric.unit) {
            (MetricKind::Counter, Unit::Bytes) => Self::BytesPerSecond,
            // Processor time a second is a share of one processor.
            (MetricKind::Counter, Unit::Seconds) => Self::Share,
            (MetricKind::Counter, _) if METRICS_OF_OPERATIONS.contains(&metric.name) => {
                Self::OperationsPerSecond
            }
            (MetricKind::Counter, _) => Self::PerSecond,
            (_, Unit::Bytes) => Self::Bytes,
            (_, Unit::Milliseconds) => Self::Milliseconds,
            (_, Unit::Seconds) => Self::Seconds,
            (_, Unit::Ratio) if METRICS_OF_QUOTIENTS.contains(&metric.name) => Self::Quotient,
            (_, Unit::Ratio) => Self::Share,
            (_, Unit::PerSecond) => Self::OperationsPerSecond,
            _ => Self::Count,
        }
    }

    /// Writes a value to three digits, as `1.5 GiB`.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        let size = self.size(value.abs());
        let digits = match (value / size.divisor).abs() {
            scaled if scaled >= 100.0 || scaled.fract() == 0.0 => 0,
            scaled if scaled >= 10.0 => 1,
            scaled if scaled >= 0.1 => 2,
            _ => 4,
        };
        size.write(value, digits)
    }

    /// Writes a difference of two values; that of two shares is no share of anything.
    pub(super) fn write_change(self, change: f64) -> String {
        if self == Self::Share { self.write(change).replace('%', "points") } else { self.write(change) }
    }

    /// Returns the greatest size that is not greater than a value.
    pub(super) fn size(self, value: f64) -> Size {
        let (sizes, of_what) = match self {
            Self::Count => (COUNTS, ""),
            Self::Bytes => (BYTES, ""),
            Self::BytesPerSecond => (BYTES, "/s"),
            Self::Milliseconds => (MILLISECONDS, ""),
            Self::Seconds => (SECONDS, ""),
            Self::Share => (SHARES, ""),
            Self::Quotient => (QUOTIENTS, ""),
            Self::OperationsPerSecond => (COUNTS, " ops/s"),
            Self::PerSecond => (COUNTS, "/s"),
        };
        let fits = sizes.iter().rfind(|(divisor, _)| *divisor <= value);
        // Nothing at all is written in the unit itself, not in its smallest part.
        let unit = sizes.iter().find(|(divisor, _)| value > 0.0 || *divisor >= 1.0);
        let (divisor, words) = fits.or(unit).or(sizes.first()).copied().unwrap_or((1.0, ""));
        Size { divisor, words, of_what }
    }

    /// Returns the smallest step between two values that differ.
    pub(super) fn least_step(self) -> f64 {
        if matches!(self, Self::Count | Self::Bytes) { 1.0 } else { 0.0 }
    }

    /// Tells whether a value can be a share.
    pub(super) fn ends_at_one(self) -> bool {
        self == Self::Share
    }
}

/// Figures that are longer than this are written with a power of ten.
const MOST_PLAIN: f64 = 1e7;

impl Size {
    /// Writes a value in this size, with so many digits behind the point.
    pub(super) fn write(&self, value: f64, digits: usize) -> String {
        let (words, of_what) = (self.words, self.of_what);
        // The greatest numbers overflow as per cent.
        let scaled = (value / self.divisor).clamp(f64::MIN, f64::MAX);
        if scaled.abs() >= MOST_PLAIN {
            return format!("{scaled:.1e}{words}{of_what}");
        }
        // What rounds to nothing has no sign.
        let digits = if value == 0.0 { 0 } else { digits };
        let written = format!("{scaled:.digits$}");
        let is_nothing = written.chars().all(|sign| matches!(sign, '-' | '0' | '.'));
        let written = if is_nothing { written.trim_start_matches('-') } else { &written };
        // A thousand times nothing is nothing.
        let words = if is_nothing && !words.starts_with(' ') { "" } else { words };
        format!("{written}{words}{of_what}")
    }
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::{metric, metrics};

    use super::*;

    #[test]
    fn figures_read_well() {
        let gib = KIB * KIB * KIB;
        for (unit, value, written) in [
            (ChartUnit::Bytes, 1.5 * gib, "1.50 GiB"),
            (ChartUnit::Bytes, 4.0 * gib, "4 GiB"),
            (ChartUnit::Bytes, -300.0 * KIB, "-300 KiB"),
            (ChartUnit::Bytes, 0.0, "0 B"),
            (ChartUnit::Bytes, 1e300, "8.7e281 EiB"),
            (ChartUnit::BytesPerSecond, 2_048.0, "2 KiB/s"),
            (ChartUnit::Share, 0.931, "93.1 %"),
            (ChartUnit::Share, 0.0, "0 %"),
            (ChartUnit::Share, 0.000_04, "0.0040 %"),
            (ChartUnit::Quotient, 1.034, "1.03"),
            (ChartUnit::OperationsPerSecond, 12_345.0, "12.3k ops/s"),
            (ChartUnit::PerSecond, 0.25, "0.25/s"),
            (ChartUnit::Count, 999.0, "999"),
            (ChartUnit::Count, 1_200_000.0, "1.20M"),
            (ChartUnit::Milliseconds, 0.25, "250 µs"),
            (ChartUnit::Milliseconds, 1_500.0, "1.50 s"),
            (ChartUnit::Milliseconds, 0.0, "0 ms"),
            (ChartUnit::Seconds, 7_200.0, "2 h"),
            (ChartUnit::Seconds, 1e6, "11.6 d"),
            (ChartUnit::Seconds, -0.000_000_000_1, "-0.0001 µs"),
            (ChartUnit::Count, -0.000_01, "0.0000"),
        ] {
            assert_eq!(unit.write(value), written, "{unit:?} {value}");
        }
    }

    #[test]
    fn a_difference_of_shares_is_told_in_points() {
        assert_eq!(ChartUnit::Share.write_change(-0.025), "-2.50 points");
        assert_eq!(ChartUnit::Bytes.write_change(2_048.0), "2 KiB");
    }

    #[test]
    fn every_metric_has_the_unit_of_its_chart() {
        for (name, unit) in [
            ("used_memory_bytes", ChartUnit::Bytes),
            ("hit_ratio", ChartUnit::Share),
            ("node_fragmentation_ratio", ChartUnit::Quotient),
            ("operations", ChartUnit::OperationsPerSecond),
            ("node_operations_per_second", ChartUnit::OperationsPerSecond),
            ("node_evicted_keys", ChartUnit::PerSecond),
            ("node_output_bytes", ChartUnit::BytesPerSecond),
            ("node_cpu_seconds", ChartUnit::Share),
            ("node_keys", ChartUnit::Count),
            ("ping_ms", ChartUnit::Milliseconds),
            ("node_uptime_seconds", ChartUnit::Seconds),
        ] {
            assert_eq!(ChartUnit::of(metric(name).unwrap()), unit, "{name}");
        }
        for name in METRICS_OF_QUOTIENTS.iter().chain(&METRICS_OF_OPERATIONS) {
            assert!(metrics().iter().any(|metric| metric.name == *name), "{name}");
        }
    }
}
