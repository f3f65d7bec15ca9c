//! Performance data, in the form that monitoring plugins print.
//!
//! Source: Monitoring Plugins Development Guidelines, "Performance data" and "Threshold and ranges",
//! <https://www.monitoring-plugins.org/doc/guidelines.html>.

use std::fmt;

use serde::Serialize;

use super::Ceiling;

/// One number: `'label'=value[UOM];[warn];[crit];[min];[max]`, which is also its `Display`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerformanceDatum {
    /// What it is and of what; without `'`, `=` and `|`, which the form does not allow.
    pub label: String,
    /// The value, finite.
    pub value: f64,
    /// Its unit.
    pub unit: PerformanceUnit,
    /// Where a warning begins.
    pub warn: Option<Bound>,
    /// Where it becomes critical.
    pub crit: Option<Bound>,
    /// The least it can be.
    pub min: Option<f64>,
    /// The most it can be.
    pub max: Option<f64>,
}

/// A unit of measurement of performance data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum PerformanceUnit {
    /// Things; written as nothing.
    #[serde(rename = "")]
    Plain,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// Percent, 0 to 100.
    #[serde(rename = "%")]
    Percent,
    /// A count that only goes up.
    #[serde(rename = "c")]
    Counter,
}

/// One side of the range that is fine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// More than this is not fine.
    AtMost(f64),
    /// Less than this is not fine.
    AtLeast(f64),
}

impl PerformanceDatum {
    /// Begins a datum without bounds.
    #[must_use]
    pub fn new(label: &str, value: f64, unit: PerformanceUnit) -> Self {
        Self { label: allowed(label), value, unit, warn: None, crit: None, min: None, max: None }
    }

    /// Sets the bounds by a ceiling, each side multiplied by `scale`.
    pub(super) fn under<T: Copy>(mut self, ceiling: Ceiling<T>, scale: f64) -> Self
    where
        f64: From<T>,
    {
        self.warn = Some(Bound::AtMost(f64::from(ceiling.warning()) * scale));
        self.crit = Some(Bound::AtMost(f64::from(ceiling.critical()) * scale));
        self
    }

    /// Sets what warns.
    pub(super) fn warned(mut self, bound: Bound) -> Self {
        self.warn = Some(bound);
        self
    }

    /// Sets the least and the most it can be.
    pub(super) fn within(mut self, min: f64, max: impl Into<Option<f64>>) -> Self {
        self.min = Some(min);
        self.max = max.into();
        self
    }
}

/// Replaces what a label must not hold.
fn allowed(label: &str) -> String {
    label.chars().map(|c| if matches!(c, '\'' | '=' | '|') || c.is_control() { '_' } else { c }).collect()
}

impl fmt::Display for PerformanceUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Bytes => "B",
            Self::Percent => "%",
            Self::Counter => "c",
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "{}", Rounded(*bound)),
            Self::AtLeast(bound) => write!(f, "{}:", Rounded(*bound)),
        }
    }
}

impl fmt::Display for PerformanceDatum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: Option<Bound>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        let edge = |edge: Option<f64>| edge.map(|edge| Rounded(edge).to_string()).unwrap_or_default();
        let (warn, crit, min, max) = (bound(self.warn), bound(self.crit), edge(self.min), edge(self.max));
        let value = format!("{}{}", Rounded(self.value), self.unit);
        let form = format!("'{}'={value};{warn};{crit};{min};{max}", self.label);
        f.write_str(form.trim_end_matches(';'))
    }
}

/// A number without exponent and with no more than three decimals.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_monitoring_plugins() {
        let plain = PerformanceDatum::new("a:1 clients", 12.0, PerformanceUnit::Plain);
        assert_eq!(plain.to_string(), "'a:1 clients'=12");
        let ceiling = Ceiling::new(25.0, 50.0).unwrap();
        let ping = PerformanceDatum::new("ping", 0.412_34, PerformanceUnit::Milliseconds).under(ceiling, 1.0);
        assert_eq!(ping.clone().within(0.0, None).to_string(), "'ping'=0.412ms;25;50;0");
        let hits =
            PerformanceDatum::new("hit rate", 81.0, PerformanceUnit::Percent).warned(Bound::AtLeast(70.0));
        assert_eq!(hits.within(0.0, 100.0).to_string(), "'hit rate'=81%;70:;;0;100");
    }

    #[test]
    fn labels_and_numbers_stay_within_the_form() {
        assert_eq!(PerformanceDatum::new("a'b=c|d\n", 1.0, PerformanceUnit::Plain).label, "a_b_c_d_");
        for (number, text) in
            [(0.0, "0"), (100.0, "100"), (1e15, "1000000000000000"), (1e-9, "0"), (2.5, "2.5")]
        {
            assert_eq!(Rounded(number).to_string(), text);
        }
    }
}
