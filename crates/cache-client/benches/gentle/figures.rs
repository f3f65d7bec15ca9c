//! What was measured, and how it is shown.

use std::{fmt, time::Duration};

/// How long the requests of a load waited.
#[derive(Debug)]
pub(crate) struct Waits {
    /// From when a request was due to the last byte of its answer.
    pub(crate) latencies: Vec<Duration>,
    /// How long after it was due a request was sent: what the load itself adds.
    pub(crate) late: Vec<Duration>,
}

/// What others felt during one sweep.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) name: String,
    p50: Duration,
    p99: Duration,
    p999: Duration,
    longest: Duration,
    /// The 99th percentile of how late the load itself was.
    late: Duration,
    keys_per_second: f64,
    /// The least and the greatest `p99`, where there were several rounds.
    range: Option<(Duration, Duration)>,
}

impl Phase {
    pub(crate) const HEAD: &'static str =
        "phase                      p50 ms    p99 ms  p99.9 ms    max ms  sent late p99    keys a second";

    pub(crate) fn new(name: &str, mut waits: Waits, keys: u64, took: Duration) -> Self {
        waits.latencies.sort_unstable();
        waits.late.sort_unstable();
        let latencies = &waits.latencies;
        Self {
            name: name.to_owned(),
            p50: quantile(latencies, 500),
            p99: quantile(latencies, 990),
            p999: quantile(latencies, 999),
            longest: quantile(latencies, 1000),
            late: quantile(&waits.late, 990),
            keys_per_second: count(keys) / took.as_secs_f64(),
            range: None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:23}{:>10.3}{:>10.3}{:>10.3}{:>10.3}{:>15.3}{:>17.0}",
            self.name,
            milliseconds(self.p50),
            milliseconds(self.p99),
            milliseconds(self.p999),
            milliseconds(self.longest),
            milliseconds(self.late),
            self.keys_per_second
        )?;
        match self.range {
            Some((least, greatest)) => {
                write!(f, "  p99 {:.3} to {:.3}", milliseconds(least), milliseconds(greatest))
            }
            None => Ok(()),
        }
    }
}

/// The medians of the same phase in several rounds, figure by figure.
pub(crate) fn median<'a>(phases: impl Iterator<Item = &'a Phase>) -> Phase {
    let phases: Vec<&Phase> = phases.collect();
    let middle = |of: fn(&Phase) -> Duration| {
        let mut figures: Vec<_> = phases.iter().map(|phase| of(phase)).collect();
        figures.sort_unstable();
        (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
    };
    let mut rates: Vec<f64> = phases.iter().map(|phase| phase.keys_per_second).collect();
    rates.sort_unstable_by(f64::total_cmp);
    let (least, p99, greatest) = middle(|phase| phase.p99);
    Phase {
        name: phases[0].name.clone(),
        p50: middle(|phase| phase.p50).1,
        p99,
        p999: middle(|phase| phase.p999).1,
        longest: middle(|phase| phase.longest).1,
        late: middle(|phase| phase.late).1,
        keys_per_second: rates[rates.len() / 2],
        range: Some((least, greatest)),
    }
}

/// The nearest rank: the least figure that so many of a thousand do not exceed.
fn quantile(sorted: &[Duration], of_thousand: usize) -> Duration {
    let rank = (sorted.len() * of_thousand).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a count of keys")]
fn count(of: u64) -> f64 {
    of as f64
}
