//! Stores that are reached over HTTP.

use std::{str::FromStr, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    path::Path,
};
use url::Url;

use super::options::StorageOptions;
use crate::{Error, Result};

/// One request carries at most a part of an object; a line that needs longer for it is no line for backups.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: usize = 4;
const RETRIES_END_AFTER: Duration = Duration::from_secs(90);

/// Returns the store, and where in it the repository is.
pub(super) fn open(url: &Url, options: &StorageOptions) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let wrong = |reason: String| Error::Url { url: url.to_string(), reason };
    if let Some(endpoint) = &options.endpoint
        && endpoint.starts_with("http://")
        && !options.allow_http
    {
        return Err(wrong(
            "its endpoint is asked without TLS, which has to be allowed (allow_http)".to_owned(),
        ));
    }
    // The client takes the process's provider of cryptography, and fails where there is none.
    larder_cache_client::choose_crypto_provider();
    let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(|error| wrong(error.to_string()))?;
    let store: Result<Arc<dyn ObjectStore>, object_store::Error> = match scheme {
        ObjectStoreScheme::AmazonS3 => s3(url, options),
        ObjectStoreScheme::GoogleCloudStorage => google(url, options),
        ObjectStoreScheme::MicrosoftAzure => azure(url, options),
        _ => return Err(wrong("it is no address of a known store".to_owned())),
    };
    let store = store.map_err(|error| {
        let says = error.to_string();
        let is_without_account = says.contains("Account must be specified");
        let account =
            ": AZURE_STORAGE_ACCOUNT_NAME says which, or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH";
        wrong(format!("{says}{}", if is_without_account { account } else { "" }))
    });
    Ok((store?, prefix))
}

type Opened = Result<Arc<dyn ObjectStore>, object_store::Error>;

fn s3(url: &Url, options: &StorageOptions) -> Opened {
    let mut builder = AmazonS3Builder::new()
        .with_url(url.as_str())
        .with_client_options(client(options))
        .with_retry(retry());
    for (key, value) in known::<AmazonS3ConfigKey>(options)? {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = options.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    Ok(Arc::new(builder.build()?))
}

fn google(url: &Url, options: &StorageOptions) -> Opened {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_url(url.as_str())
        .with_client_options(client(options))
        .with_retry(retry());
    for (key, value) in known::<GoogleConfigKey>(options)? {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(url: &Url, options: &StorageOptions) -> Opened {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_url(url.as_str())
        .with_client_options(client(options))
        .with_retry(retry());
    for (key, value) in known::<AzureConfigKey>(options)? {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    Ok(Arc::new(builder.build()?))
}

/// Returns what the store knows of the settings; one that was asked for and is not known is an error.
fn known<K>(options: &StorageOptions) -> Result<Vec<(K, &str)>, object_store::Error>
where
    K: FromStr<Err = object_store::Error>,
{
    let mut known = Vec::new();
    for setting in options.settings() {
        match setting.key.parse() {
            Ok(key) => known.push((key, setting.value())),
            Err(error) if setting.is_asked_for => return Err(error),
            Err(_) => {}
        }
    }
    Ok(known)
}

fn client(options: &StorageOptions) -> ClientOptions {
    ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(options.allow_http)
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(10), ..BackoffConfig::default() },
        max_retries: RETRIES,
        retry_timeout: RETRIES_END_AFTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_with(url: &str, options: &StorageOptions) -> Result<String> {
        let (store, prefix) = open(&Url::parse(url).unwrap(), options)?;
        Ok(format!("{store} {prefix}"))
    }

    /// Building the HTTPS clients fails where TLS is not set up.
    #[test]
    fn every_store_opens_with_tls() {
        let options = StorageOptions::default();
        let s3 = open_with("s3://bucket/a/b", &options).unwrap();
        assert!(s3.contains("bucket") && s3.ends_with(" a/b"), "{s3}");
        let google = options.clone().with_setting("google_skip_signature", "true");
        assert!(open_with("gs://bucket/a", &google).is_ok());
        let nameless = open_with("az://container/a", &options).unwrap_err().to_string();
        assert!(nameless.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{nameless}");
        let azure = options.with_setting("azure_storage_account_name", "account");
        assert!(open_with("az://container/a", &azure).is_ok());
        assert!(
            open_with("abfss://container@account.dfs.core.windows.net/a", &StorageOptions::default()).is_ok()
        );
    }

    #[test]
    fn settings_that_are_not_known_are_refused_and_variables_are_not() {
        let asked = StorageOptions::default().with_setting("aws_sceret", "x");
        let error = open_with("s3://bucket", &asked).unwrap_err().to_string();
        assert!(error.contains("aws_sceret"), "{error}");
        let seen =
            StorageOptions::default().with_environment([("AWS_PROFILE", "x"), ("GOOGLE_ACCOUNT", "y")]);
        assert!(open_with("s3://bucket", &seen).is_ok());
    }

    #[test]
    fn an_endpoint_without_tls_has_to_be_allowed() {
        let mut options = StorageOptions::default();
        options.endpoint = Some("http://127.0.0.1:9000".to_owned());
        let error = open_with("s3://bucket", &options).unwrap_err().to_string();
        assert!(error.contains("allow_http"), "{error}");
        options.allow_http = true;
        assert!(open_with("s3://bucket", &options).is_ok());
    }
}
