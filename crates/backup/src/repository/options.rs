//! How a store is reached.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// How a store is reached, and who asks. Values are not shown by `Debug`.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct StorageOptions {
    /// The address of the service, where it is not the provider's own, such as `https://minio.example.com:9000`.
    pub endpoint: Option<String>,
    /// The region of an S3 bucket.
    pub region: Option<String>,
    /// Whether the bucket stands in the path (`https://host/bucket`) or in the name of the host
    /// (`https://bucket.host`); the store's default where it is not said.
    pub path_style: Option<bool>,
    /// Whether the service may be asked without TLS.
    pub allow_http: bool,
    settings: Vec<Setting>,
}

/// One setting of a store, by the names that `object_store` knows.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) key: String,
    value: SecretString,
    /// Whether it was meant for this store; what came with the environment need not be.
    pub(crate) is_asked_for: bool,
}

impl StorageOptions {
    /// Adds a setting by the name that `object_store` has for it, such as `aws_access_key_id`; one that the store does not
    /// know is refused when the repository is opened.
    #[must_use]
    pub fn with_setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push(Setting::new(key, value, true));
        self
    }

    /// Takes variables of an environment: those that the store knows are heeded (`AWS_*`, `GOOGLE_*`, `AZURE_*`), and the
    /// rest is not. Settings go before them.
    #[must_use]
    pub fn with_environment<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let is_a_stores =
            |key: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|front| key.starts_with(front));
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value));
        let variables = variables.filter(|(key, _): &(String, V)| is_a_stores(key));
        let heeded: Vec<Setting> = variables.map(|(key, value)| Setting::new(key, value, false)).collect();
        self.settings.splice(0..0, heeded);
        self
    }

    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

impl Setting {
    fn new(key: impl Into<String>, value: impl Into<String>, is_asked_for: bool) -> Self {
        Self { key: key.into().to_ascii_lowercase(), value: SecretString::from(value.into()), is_asked_for }
    }

    pub(crate) fn value(&self) -> &str {
        self.value.expose_secret()
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.key)
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageOptions")
            .field("endpoint", &self.endpoint.as_ref().map(|_| "***"))
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("allow_http", &self.allow_http)
            .field("settings", &self.settings)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown_and_settings_go_before_the_environment() {
        let options = StorageOptions::default()
            .with_setting("aws_secret_access_key", "hunter2")
            .with_environment([("AWS_SECRET_ACCESS_KEY", "hunter1"), ("PATH", "/bin")]);
        let shown = format!("{options:?}");
        assert!(shown.contains("aws_secret_access_key=***") && !shown.contains("hunter"), "{shown}");
        let values: Vec<&str> = options.settings().iter().map(Setting::value).collect();
        assert_eq!(values, ["hunter1", "hunter2"], "the last one counts");
    }
}
