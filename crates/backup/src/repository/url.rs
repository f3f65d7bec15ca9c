//! Where a repository is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use object_store::ObjectStoreScheme;
use url::Url;

use crate::Error;

/// Where a repository is: a folder (`/var/backups/cache`, `file:///var/backups/cache`), `s3://bucket/prefix`,
/// `gs://bucket/prefix`, `az://container/prefix`, the `abfs[s]:` and `https:` forms of these stores, or `memory:NAME`,
/// which lasts as long as the process.
///
/// It bears no credentials: those are [`StorageOptions`](crate::StorageOptions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Folder(PathBuf),
    Memory(String),
    Cloud(Url),
}

const SCHEMES: [&str; 10] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "https", "http"];

impl RepositoryUrl {
    /// Names a local folder.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Place::Folder(path.into()))
    }

    /// Returns the folder, where it names one.
    #[must_use]
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Folder(path) => Some(path),
            Place::Memory(_) | Place::Cloud(_) => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for RepositoryUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(wrong(text, "it is empty"));
        }
        if let Some(name) = text.strip_prefix("memory:") {
            return Ok(Self(Place::Memory(name.trim_matches('/').to_owned())));
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme.to_ascii_lowercase().as_str() {
            "file" => file(text),
            scheme if SCHEMES.contains(&scheme) => cloud(text),
            _ if text.contains("://") => {
                Err(wrong(text, "known are a path, file:, s3:, gs:, az:, abfs:, https: and memory:"))
            }
            _ => Ok(Self::folder(text)),
        }
    }
}

fn file(text: &str) -> Result<RepositoryUrl, Error> {
    let url = Url::parse(text).map_err(|error| wrong(text, error))?;
    let path = url
        .to_file_path()
        .map_err(|()| wrong(text, "a file: URL names a folder of this machine, as file:///PATH"))?;
    Ok(RepositoryUrl::folder(path))
}

fn cloud(text: &str) -> Result<RepositoryUrl, Error> {
    if !text.contains("://") {
        return Err(wrong(text, "`//` is missing after the scheme"));
    }
    let url = Url::parse(text).map_err(|error| wrong(text, error))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong(text, "it names no bucket or container, as s3://BUCKET/PATH does"));
    }
    if url.password().is_some() || url.query().is_some() {
        return Err(wrong(text, "credentials belong in the options, not in the URL"));
    }
    if url.fragment().is_some() {
        return Err(wrong(text, "it has a fragment (`#`)"));
    }
    let (scheme, _) = ObjectStoreScheme::parse(&url).map_err(|error| wrong(text, error))?;
    match scheme {
        ObjectStoreScheme::Http => Err(wrong(
            text,
            "it is no address of a known store; a store of your own is s3://BUCKET with an endpoint",
        )),
        // The user of an Azure URL is the container.
        ObjectStoreScheme::MicrosoftAzure => Ok(RepositoryUrl(Place::Cloud(url))),
        _ if !url.username().is_empty() => {
            Err(wrong(text, "credentials belong in the options, not in the URL"))
        }
        _ => Ok(RepositoryUrl(Place::Cloud(url))),
    }
}

fn wrong(text: &str, reason: impl fmt::Display) -> Error {
    Error::Url { url: masked(text), reason: reason.to_string() }
}

/// Leaves out everything that could be a credential, whether or not the rest is a URL.
fn masked(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}://***@{rest}"),
        None => text.to_owned(),
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(path) => path.display().fmt(f),
            Place::Memory(name) => write!(f, "memory:{name}"),
            // Nothing that bears credentials gets this far.
            Place::Cloud(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match text.parse::<RepositoryUrl>() {
            Ok(url) => url.to_string(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn urls_name_places() {
        assert_eq!(parsed("/var/backups"), "/var/backups");
        assert_eq!(parsed("backups"), "backups");
        assert_eq!(parsed("file:///var/back%20ups"), "/var/back ups");
        assert_eq!(parsed("memory:"), "memory:");
        assert_eq!(parsed("memory://a"), "memory:a");
        for same in [
            "s3://bucket/prefix",
            "gs://bucket/prefix",
            "az://container/prefix",
            "abfss://container@account.dfs.core.windows.net/prefix",
            "https://bucket.s3.eu-west-1.amazonaws.com/prefix",
        ] {
            assert_eq!(parsed(same), same);
        }
    }

    #[test]
    fn what_names_no_place_is_refused_without_credentials() {
        for text in [
            "",
            " ",
            "s3:bucket",
            "s3://",
            "az:///path",
            "ftp://host/path",
            "http://host/path",
            "https://example.com/path",
            "file://host/path",
            "s3://key:hunter2@bucket/prefix",
            "s3://hunter2@bucket/prefix",
            "https://account.blob.core.windows.net/container?sig=hunter2",
            "gs://bucket/x#hunter2",
            "s3://key:hunter2@[bad/prefix",
        ] {
            let error = parsed(text);
            assert!(error.starts_with('!'), "{text}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
