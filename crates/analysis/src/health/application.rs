//! The service that uses the cache.

use larder_metrics_model::{
    ApplicationObservation, CacheStats, Failure, FailureKind, HttpAnswer, Observed, Ratio, Unit,
};

use super::{
    Bound, HealthThresholds, PerformanceDatum, PerformanceUnit, ids,
    ledger::{Ledger, Outcome},
};
use crate::{
    Finding, Severity,
    wording::{clause, counted},
};

pub(super) fn judge(
    ledger: &mut Ledger,
    application: &Observed<ApplicationObservation>,
    thresholds: &HealthThresholds,
) {
    match application {
        Observed::Known(application) => judge_known(ledger, application, thresholds),
        Observed::Skipped(reason) => {
            ledger.record("application.health", "application", Outcome::Skipped(reason.clone()));
        }
        Observed::Failed(failure) => {
            let finding = no_answer("application", failure);
            ledger.record("application.health", "application", Outcome::found("no answer", finding));
        }
    }
}

fn judge_known(ledger: &mut Ledger, application: &ApplicationObservation, thresholds: &HealthThresholds) {
    let url = application.url.as_str();
    ledger.record("application.health", url, health(url, &application.health));
    match &application.cache_stats {
        Observed::Known(stats) => {
            ledger.record("application.hit_rate", url, hit_rate(url, stats, thresholds));
        }
        unknown => ledger.record_unknown("application.hit_rate", url, unknown),
    }
    measure(ledger, application, thresholds);
}

fn health(url: &str, answer: &Observed<HttpAnswer>) -> Outcome {
    match answer {
        Observed::Known(answer) => status(url, *answer),
        Observed::Skipped(reason) => Outcome::Skipped(reason.clone()),
        Observed::Failed(failure) => Outcome::found("no answer", no_answer(url, failure)),
    }
}

fn status(url: &str, answer: HttpAnswer) -> Outcome {
    let seen = format!("HTTP {} in {:.0} ms", answer.status, answer.elapsed_ms);
    if answer.status == 200 {
        return Outcome::Fine(seen);
    }
    let finding = Finding::new(ids::APPLICATION_UNHEALTHY, Severity::Critical, url)
        .saying(format!("The application says that it is not healthy: {seen}."))
        .with_evidence("http_status", u64::from(answer.status), None)
        .with_evidence("elapsed_ms", answer.elapsed_ms, Unit::Milliseconds)
        .recommending("Read the body of its health endpoint and its log.")
        .expecting("The application serves its users.");
    Outcome::found(seen, finding)
}

fn no_answer(subject: &str, failure: &Failure) -> Finding {
    let (id, what) = if failure.kind == FailureKind::Timeout {
        (ids::APPLICATION_TIMEOUT, "The application did not answer in time")
    } else {
        (ids::APPLICATION_FAILED, "The application could not be asked for its health")
    };
    Finding::new(id, Severity::Critical, subject)
        .saying(format!("{what}: {}.", clause(&failure.reason)))
        .with_evidence("reason", failure.reason.as_str(), None)
        .recommending("Check that it runs and that the configured URL is right; then read its log.")
}

/// Returns how many look-ups the rate rests on, as far as the application tells.
fn lookups(stats: &CacheStats) -> Option<u64> {
    let counted = stats.hit_count.zip(stats.miss_count).map(|(hits, misses)| hits.saturating_add(misses));
    counted.or(stats.total_operations)
}

/// Judges the hit rate as the application gives it; one that gives no counts is taken at its word.
fn hit_rate(url: &str, stats: &CacheStats, thresholds: &HealthThresholds) -> Outcome {
    let Some(given) = stats.hit_rate else {
        return Outcome::Skipped("the application does not give hit_rate".to_owned());
    };
    let Ok(rate) = Ratio::try_from(given) else {
        return Outcome::Unknown(format!("{given} is no hit rate: it must lie between 0 and 1"));
    };
    let needed = thresholds.lookups_min;
    match lookups(stats) {
        Some(few) if few < needed => {
            Outcome::Skipped(format!("{} are too few, {needed} are needed", counted(few, "look-up")))
        }
        _ => hit_rate_of(url, rate, thresholds.hit_rate_min),
    }
}

fn hit_rate_of(url: &str, rate: Ratio, least: Ratio) -> Outcome {
    if rate >= least {
        return Outcome::Fine(rate.to_string());
    }
    let finding = Finding::new(ids::APPLICATION_HIT_RATE, Severity::Warning, url)
        .saying(format!(
            "The application finds little in its cache: {rate} of look-ups, and {least} is expected."
        ))
        .with_evidence("hit_rate", rate, Unit::Ratio)
        .with_evidence("threshold", least, Unit::Ratio)
        .recommending("Look at evictions and TTLs; warm the cache, give it more memory or longer TTLs.")
        .expecting("Fewer queries reach what the cache protects.");
    Outcome::found(rate.to_string(), finding)
}

fn measure(ledger: &mut Ledger, application: &ApplicationObservation, thresholds: &HealthThresholds) {
    if let Some(answer) = application.health.known() {
        let datum =
            PerformanceDatum::new("application health", answer.elapsed_ms, PerformanceUnit::Milliseconds);
        ledger.measure(datum.within(0.0, None));
    }
    let rate = application.cache_stats.known().and_then(|stats| Ratio::try_from(stats.hit_rate?).ok());
    if let Some(rate) = rate {
        let datum = PerformanceDatum::new("application hit rate", rate.percent(), PerformanceUnit::Percent);
        let least = Bound::AtLeast(thresholds.hit_rate_min.percent());
        ledger.measure(datum.warned(least).within(0.0, 100.0));
    }
}
