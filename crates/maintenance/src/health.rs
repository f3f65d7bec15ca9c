//! Gathering what a health verdict is made from.

use std::time::Duration;

use larder_analysis::{HealthThresholds, HealthVerdict, judge_health};
use larder_cache_client::{ApplicationEndpoints, CacheClient, StatsSource};
use larder_metrics_model::{ApplicationObservation, HealthFacts, Observed};

use crate::{
    ContainerOptions, MachineOptions, containers,
    deadline::{Deadline, observed},
    machine,
    node::{self, CacheAnswers},
};

/// What is looked at, for how long, and where trouble begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HealthOptions {
    /// How long the whole check may take.
    pub timeout: Duration,
    /// What of the machine.
    pub machine: MachineOptions,
    /// The service that uses the cache.
    pub application: Option<ApplicationEndpoints>,
    /// Which containers; `None` for none.
    pub containers: Option<ContainerOptions>,
    /// Where trouble begins.
    pub thresholds: HealthThresholds,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            machine: MachineOptions::default(),
            application: None,
            containers: Some(ContainerOptions::default()),
            thresholds: HealthThresholds::default(),
        }
    }
}

/// Looks at the machine, the nodes, the application and the containers, all at once, and judges.
///
/// Ends within the timeout whatever is down; what could not be seen is part of the verdict.
pub async fn check_health(client: &CacheClient, options: &HealthOptions) -> HealthVerdict {
    judge_health(&gather_health(client, options).await, &options.thresholds)
}

/// Gathers what [`check_health`] judges.
pub async fn gather_health(client: &CacheClient, options: &HealthOptions) -> HealthFacts {
    gather(client, options).await.0
}

/// Gathers the facts, and keeps the nodes' answers for whoever needs more of them.
pub(crate) async fn gather(client: &CacheClient, options: &HealthOptions) -> (HealthFacts, CacheAnswers) {
    let deadline = Deadline::after(options.timeout);
    let (answers, machine, application, containers) = tokio::join!(
        node::ask_all(client, deadline),
        deadline.look("the machine", machine::observe(&options.machine)),
        application(options.application.as_ref(), deadline),
        async {
            match &options.containers {
                Some(containers) => {
                    deadline.look("the Docker engine", containers::observe(containers, options.timeout)).await
                }
                None => Observed::skipped("containers are not to be looked at"),
            }
        },
    );
    let mut facts = HealthFacts::unseen();
    facts.machine = machine;
    facts.nodes =
        answers.nodes.clone().map(|nodes| nodes.iter().map(node::NodeAnswers::observation).collect());
    facts.application = application;
    facts.containers = containers;
    facts.skipped.clone_from(&answers.skipped);
    (facts, answers)
}

async fn application(
    endpoints: Option<&ApplicationEndpoints>,
    deadline: Deadline,
) -> Observed<ApplicationObservation> {
    let Some(endpoints) = endpoints else { return Observed::skipped("no application is configured") };
    let name = larder_metrics_model::NodeAddress::new(endpoints.name());
    let (health, statistics) =
        tokio::join!(deadline.wait(&name, endpoints.health()), deadline.wait(&name, endpoints.statistics()),);
    let statistics = statistics.map(|statistics| statistics.stats);
    Observed::Known(ApplicationObservation::new(endpoints.name(), observed(health), observed(statistics)))
}
