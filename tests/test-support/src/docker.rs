//! A service that answers like the Docker Engine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::HttpService;

/// A container that a [`DockerEngine`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFixture {
    /// Its name, without the slash that the engine puts before it.
    pub name: String,
    /// Its image, such as `redis:7`.
    pub image: String,
    /// `running`, `exited`, `restarting`, `paused`, `created` or `dead`.
    pub state: String,
    /// The engine's words, such as `Up 3 days (healthy)`.
    pub status: String,
}

/// A Docker Engine on a Unix socket, as far as `GET /containers/json` of its API (1.24 and later), with `all` and the
/// `name` and `status` filters, under any version prefix or none.
#[derive(Debug)]
pub struct DockerEngine {
    containers: Arc<Mutex<Vec<ContainerFixture>>>,
    socket: PathBuf,
    _service: HttpService,
    _folder: TempDir,
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    #[serde(default)]
    all: String,
    #[serde(default)]
    filters: String,
}

impl ContainerFixture {
    /// Tells of a running container.
    #[must_use]
    pub fn running(name: &str, image: &str) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            state: "running".to_owned(),
            status: "Up 3 days".to_owned(),
        }
    }
}

impl DockerEngine {
    /// Starts it with these containers.
    pub fn start(containers: Vec<ContainerFixture>) -> Result<Self> {
        let folder = TempDir::with_prefix("larder-")?;
        let socket = folder.path().join("docker.sock");
        let containers = Arc::new(Mutex::new(containers));
        let router = Router::new()
            .route("/containers/json", get(list))
            .route("/{version}/containers/json", get(list))
            .route("/_ping", get(|| async { "OK" }))
            .with_state(Arc::clone(&containers));
        let service = HttpService::on_socket(router, &socket)?;
        Ok(Self { containers, socket, _service: service, _folder: folder })
    }

    /// Returns the path of its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Replaces the containers.
    pub fn set_containers(&self, containers: Vec<ContainerFixture>) {
        *self.containers.lock().unwrap_or_else(PoisonError::into_inner) = containers;
    }
}

async fn list(
    State(containers): State<Arc<Mutex<Vec<ContainerFixture>>>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let filters: BTreeMap<String, Vec<String>> = match query.filters.as_str() {
        "" => BTreeMap::new(),
        text => serde_json::from_str(text).map_err(|error| {
            (StatusCode::BAD_REQUEST, Json(json!({"message": format!("invalid filter: {error}")})))
        })?,
    };
    let all = matches!(query.all.as_str(), "1" | "true" | "True" | "TRUE") || filters.contains_key("status");
    let passes = |container: &ContainerFixture| {
        let named =
            filters.get("name").is_none_or(|names| names.iter().any(|name| container.name.contains(name)));
        let state = filters.get("status").is_none_or(|states| states.contains(&container.state));
        named && state && (all || container.state == "running")
    };
    let containers = containers.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(containers.iter().filter(|container| passes(container)).map(describe).collect()))
}

fn describe(container: &ContainerFixture) -> Value {
    json!({
        "Id": format!("{:0<64}", container.name.bytes().fold(0_u64, |id, byte| (id << 7) ^ u64::from(byte))),
        "Names": [format!("/{}", container.name)],
        "Image": container.image,
        "ImageID": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "Command": "docker-entrypoint.sh",
        "Created": 1_700_000_000,
        "Ports": [{"PrivatePort": 6379, "Type": "tcp"}],
        "Labels": {},
        "State": container.state,
        "Status": container.status,
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": []
    })
}
