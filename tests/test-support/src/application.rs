//! A service that uses the cache and tells how it is.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router, extract::State, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};

use crate::http::HttpService;

/// An application with `/health` and `/metrics/cache`, whose answers can be changed while it runs.
#[derive(Debug)]
pub struct Application {
    answers: Arc<Mutex<Answers>>,
    address: SocketAddr,
    _service: HttpService,
}

#[derive(Clone, Debug)]
struct Answers {
    health: (u16, String),
    metrics: (u16, String),
    delay: Duration,
    requests: u64,
}

impl Application {
    /// Starts it; it is healthy, and its cache statistics are those of the guide's collector.
    pub fn start() -> Result<Self> {
        let metrics = json!({
            "hit_rate": 0.75, "miss_rate": 0.25, "total_operations": 110,
            "hit_count": 75, "miss_count": 25, "set_count": 8, "delete_count": 2, "error_count": 0
        });
        let answers = Arc::new(Mutex::new(Answers {
            health: (200, json!({"status": "healthy"}).to_string()),
            metrics: (200, metrics.to_string()),
            delay: Duration::ZERO,
            requests: 0,
        }));
        let router = Router::new()
            .route("/health", get(|State(answers)| answer(answers, |answers| &answers.health)))
            .route("/metrics/cache", get(|State(answers)| answer(answers, |answers| &answers.metrics)))
            .with_state(Arc::clone(&answers));
        let (service, address) = HttpService::on_tcp(router)?;
        Ok(Self { answers, address, _service: service })
    }

    /// Returns its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets what `/health` answers.
    pub fn set_health(&self, status: u16, body: &Value) {
        self.answers().health = (status, body.to_string());
    }

    /// Sets what `/metrics/cache` answers; the body need not be JSON.
    pub fn set_metrics(&self, status: u16, body: impl Into<String>) {
        self.answers().metrics = (status, body.into());
    }

    /// Sets how long every answer takes.
    pub fn set_delay(&self, delay: Duration) {
        self.answers().delay = delay;
    }

    /// Returns how many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answers().requests
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    answers: Arc<Mutex<Answers>>,
    choose: fn(&Answers) -> &(u16, String),
) -> impl IntoResponse + use<> {
    let now = {
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.requests += 1;
        answers.clone()
    };
    tokio::time::sleep(now.delay).await;
    let (status, body) = choose(&now).clone();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], body)
}
