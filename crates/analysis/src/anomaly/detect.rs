//! A whole series at once.

use super::{Anomalies, Anomaly, AnomalyDetector, AnomalyOptions, Judged, Phase};
use crate::{series::TimeSeries, wording::counted};

/// Finds the episodes of a series, each value judged by those before it alone.
#[must_use]
pub fn detect_anomalies(series: &TimeSeries, options: &AnomalyOptions) -> Anomalies {
    let mut detector = AnomalyDetector::new(*options);
    let mut found = Anomalies { notes: notes(series), ..Anomalies::default() };
    for observation in series.observations() {
        let Some(judged) = detector.judge(*observation) else { continue };
        found.judged += 1;
        match (judged.phase, found.episodes.last_mut()) {
            (Phase::Begins, _) => found.episodes.push(Anomaly::beginning(&judged)),
            (Phase::GoesOn, Some(episode)) => episode.go_on(&judged),
            _ => {}
        }
    }
    if found.judged == 0 {
        found.notes.push(format!(
            "{} over {:.1} days {} too few to tell what is usual, which takes more than {:.1} days and at least 24 \
             values in {:.0} days",
            counted(series.len() as u64, "value"),
            series.span().as_secs_f64() / DAY_SECONDS,
            if series.len() == 1 { "is" } else { "are" },
            days(options.warm_up),
            days(options.history),
        ));
    }
    found
}

const DAY_SECONDS: f64 = 86_400.0;

fn days(time: chrono::TimeDelta) -> f64 {
    time.to_std().unwrap_or_default().as_secs_f64() / DAY_SECONDS
}

fn notes(series: &TimeSeries) -> Vec<String> {
    series.unusable_note().into_iter().chain(series.gap_note()).collect()
}

impl Anomaly {
    fn beginning(judged: &Judged) -> Self {
        Self {
            from: judged.at,
            until: judged.at,
            peak: judged.at,
            value: judged.value,
            expected: judged.expected,
            lower: judged.lower,
            upper: judged.upper,
            score: judged.score,
            direction: judged.direction,
            basis: judged.basis,
        }
    }

    fn go_on(&mut self, judged: &Judged) {
        if judged.score > self.score {
            let from = self.from;
            *self = Self { from, ..Self::beginning(judged) };
        }
        self.until = judged.at;
    }
}
