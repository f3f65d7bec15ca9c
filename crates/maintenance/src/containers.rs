//! Containers, as the Docker engine tells of them over its socket.

use std::{path::PathBuf, time::Duration};

use larder_metrics_model::{Container, Failure, FailureKind, Observed};
use reqwest::Client;
use serde::Deserialize;

use crate::wording::with_causes;

/// Which containers are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// The engine's socket; where it is not there, containers are skipped.
    pub socket: PathBuf,
    /// A container belongs to the cache when its name has one of these in it.
    pub names: Vec<String>,
}

impl Default for ContainerOptions {
    fn default() -> Self {
        let names = ["redis", "valkey", "cache"].map(ToOwned::to_owned).to_vec();
        Self { socket: PathBuf::from("/var/run/docker.sock"), names }
    }
}

/// One element of the answer to `GET /containers/json` (Docker Engine API 1.24 and later).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    status: String,
}

/// Lists the containers whose name matches, stopped ones as well.
pub(crate) async fn observe(options: &ContainerOptions, timeout: Duration) -> Observed<Vec<Container>> {
    if !options.socket.exists() {
        return Observed::skipped(format!("there is no Docker socket at {}", options.socket.display()));
    }
    match list(options, timeout).await {
        Ok(listed) => Observed::Known(matching(listed, &options.names)),
        Err(error) if denied(&error) => {
            Observed::skipped(format!("this user may not use the Docker socket {}", options.socket.display()))
        }
        Err(error) => {
            let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Other };
            let words = format!(
                "the Docker engine at {}: {}",
                options.socket.display(),
                with_causes(&error.without_url())
            );
            Observed::Failed(Failure::new(kind, words))
        }
    }
}

async fn list(options: &ContainerOptions, timeout: Duration) -> reqwest::Result<Vec<Listed>> {
    larder_cache_client::choose_crypto_provider();
    let client = Client::builder().unix_socket(options.socket.clone()).timeout(timeout).build()?;
    let response = client.get("http://docker/containers/json?all=true").send().await?;
    response.error_for_status()?.json().await
}

fn matching(listed: Vec<Listed>, names: &[String]) -> Vec<Container> {
    let mut containers: Vec<Container> = listed
        .into_iter()
        .filter_map(|listed| {
            let name = listed.names.first()?.trim_start_matches('/').to_owned();
            let belongs = names.iter().any(|part| name.contains(part.as_str()));
            belongs.then_some(Container {
                name,
                image: listed.image,
                state: listed.state,
                status: listed.status,
            })
        })
        .collect();
    containers.sort_by(|one, other| one.name.cmp(&other.name));
    containers
}

fn denied(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_their_name() {
        let listed: Vec<Listed> = serde_json::from_str(
            r#"[{"Names": ["/redis-cache"], "Image": "redis:7", "State": "running", "Status": "Up 3 days"},
                {"Names": ["/web"], "Image": "redis-ui", "State": "running", "Status": "Up"},
                {"Names": [], "Image": "redis"}, {"Id": "1"}]"#,
        )
        .unwrap();
        let containers = matching(listed, &ContainerOptions::default().names);
        assert_eq!(containers.len(), 1);
        assert_eq!((containers[0].name.as_str(), containers[0].state.as_str()), ("redis-cache", "running"));
    }

    #[tokio::test]
    async fn without_a_socket_containers_are_skipped() {
        let options = ContainerOptions { socket: PathBuf::from("/no/socket"), ..ContainerOptions::default() };
        let observed = observe(&options, Duration::from_secs(1)).await;
        assert!(matches!(observed, Observed::Skipped(reason) if reason.contains("/no/socket")));
    }
}
