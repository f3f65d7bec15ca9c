//! Cache statistics from the application that uses the cache.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder_metrics_model::{CacheStats, CounterOrigin, HttpAnswer, NodeAddress, StatsOrigin, TierStats};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use crate::{Error, Result, Statistics, StatsSource};

/// The application's HTTP endpoints: `/health` and `/metrics/cache` under a base URL.
///
/// `/metrics/cache` answers a JSON object with the fields of the daily file's `cache_stats`, at its top level or under
/// `cache_stats`, and optionally `tier_stats`. Fields that are not known are kept.
#[derive(Clone)]
pub struct ApplicationEndpoints {
    client: Client,
    base: Url,
    timeout: Duration,
}

impl fmt::Debug for ApplicationEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationEndpoints").field("url", &self.name()).finish_non_exhaustive()
    }
}

impl ApplicationEndpoints {
    /// Names an application by its base URL, such as `http://localhost:8000`.
    ///
    /// # Errors
    /// [`Error::Url`] where the text is no HTTP URL.
    pub fn new(base: &str, timeout: Duration) -> Result<Self> {
        let wrong = |reason: String| Error::Url { url: without_credentials(base), reason };
        let mut url = Url::parse(base).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("an application is named by http:// or https://".to_owned()));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        choose_crypto_provider();
        let client = Client::builder().timeout(timeout).build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { client, base: url, timeout })
    }

    /// Returns the base URL without credentials.
    #[must_use]
    pub fn name(&self) -> String {
        without_credentials(self.base.as_str()).trim_end_matches('/').to_owned()
    }

    /// Asks `/health`.
    ///
    /// # Errors
    /// The application cannot be reached or does not answer in time; any status is an answer.
    pub async fn health(&self) -> Result<HttpAnswer> {
        let begun = Instant::now();
        let response = self.get("health").await?;
        let elapsed_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(HttpAnswer { status: response.status().as_u16(), elapsed_ms })
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response> {
        let url = self.base.join(path).map_err(|error| self.unexpected(path, error.to_string()))?;
        self.client.get(url).send().await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: reqwest::Error) -> Error {
        let node = NodeAddress::new(self.name());
        if error.is_timeout() {
            return Error::Timeout { node, after: self.timeout };
        }
        Error::Unreachable { node, source: Arc::new(error.without_url()) }
    }

    fn unexpected(&self, path: &str, detail: String) -> Error {
        Error::Unexpected { node: NodeAddress::new(self.name()), command: format!("GET /{path}"), detail }
    }
}

#[async_trait]
impl StatsSource for ApplicationEndpoints {
    async fn statistics(&self) -> Result<Statistics> {
        const PATH: &str = "metrics/cache";
        let response = self.get(PATH).await?;
        if response.status() != StatusCode::OK {
            return Err(self.unexpected(PATH, format!("status {}", response.status())));
        }
        let body: Value = response.json().await.map_err(|error| {
            if error.is_timeout() {
                self.failed(error)
            } else {
                self.unexpected(PATH, error.without_url().to_string())
            }
        })?;
        read(body, self.name()).map_err(|error| self.unexpected(PATH, error))
    }
}

fn read(mut body: Value, name: String) -> Result<Statistics, String> {
    let tiers = body.get_mut("tier_stats").map(Value::take).filter(|tiers| !tiers.is_null());
    let stats = match body.get_mut("cache_stats") {
        Some(nested) => nested.take(),
        None => body,
    };
    if !stats.is_object() {
        return Err("it is no JSON object".to_owned());
    }
    let mut stats: CacheStats = serde_json::from_value(stats).map_err(|error| error.to_string())?;
    stats.extra.remove("tier_stats");
    stats.origin = Some(CounterOrigin { source: StatsOrigin::Application, instances: vec![name] });
    let tiers =
        tiers.map(serde_json::from_value::<TierStats>).transpose().map_err(|error| error.to_string())?;
    Ok(Statistics::new(stats, tiers, "the application does not give it"))
}

/// Chooses the cryptography of HTTPS for this process, which has to be done before a `reqwest::Client` is made. A service
/// that has chosen another one keeps it.
pub fn choose_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Cuts a URL down to what can be shown: no user, no password, no parameters.
fn without_credentials(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "****".to_owned() };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statistics_at_the_top_or_nested() {
        for body in [
            json!({"hit_rate": 0.5, "hit_count": 1, "miss_count": 1, "custom": true}),
            json!({"cache_stats": {"hit_rate": 0.5, "hit_count": 1, "miss_count": 1, "custom": true}, "tier_stats": null}),
        ] {
            let statistics = read(body, "app".to_owned()).unwrap();
            assert_eq!(statistics.stats.hit_rate, Some(0.5));
            assert_eq!(statistics.stats.extra["custom"], true);
            assert!(statistics.absent.iter().any(|absent| absent.what == "cache_stats.set_count"));
            assert_eq!(statistics.tiers, None);
        }
        assert!(read(json!([]), String::new()).is_err());
        assert!(read(json!({"hit_count": "many"}), String::new()).is_err());
    }

    #[test]
    fn a_name_shows_no_credentials() {
        let application =
            ApplicationEndpoints::new("http://u:secret@h:1/app?token=secret", Duration::from_secs(1))
                .unwrap();
        assert_eq!(application.name(), "http://h:1/app");
        for wrong in ["", "ftp://x", "h:1", "http://"] {
            assert!(ApplicationEndpoints::new(wrong, Duration::from_secs(1)).is_err(), "{wrong}");
        }
    }
}
