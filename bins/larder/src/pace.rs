//! How fast keys are gone through.

use std::{str::FromStr, sync::Arc};

use anyhow::Result;
use larder_cache_client::{CacheClient, FixedRate, FullSpeed, Governor, Pace};
use larder_metrics_model::{NodeKind, Role};
use tokio_util::task::AbortOnDropHandle;

/// How fast keys are gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rate {
    /// So that other clients do not feel it.
    #[default]
    Governed,
    /// So many keys a second on every node.
    KeysPerSecond(u32),
    /// As fast as it goes.
    Max,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            "governed" => Ok(Self::Governed),
            number => match number.parse() {
                Ok(0) | Err(_) => Err("it is `governed`, `max`, or keys a second, from 1 on".to_owned()),
                Ok(rate) => Ok(Self::KeysPerSecond(rate)),
            },
        }
    }
}

/// A pace, and what watches the servers for it.
#[derive(Debug)]
pub(crate) struct Paced {
    pub(crate) pace: Arc<dyn Pace>,
    _watch: Option<AbortOnDropHandle<()>>,
}

impl Paced {
    /// Begins to watch the servers where the pace heeds them.
    pub(crate) async fn of(client: &CacheClient, rate: Rate, reads: Role) -> Self {
        match rate {
            Rate::Max => Self { pace: Arc::new(FullSpeed), _watch: None },
            Rate::KeysPerSecond(rate) => Self { pace: Arc::new(FixedRate::new(rate)), _watch: None },
            Rate::Governed => {
                let governor = Arc::new(Governor::default());
                // Without it the governor heeds its own round trips alone, and whoever goes through the keys says why.
                let watch = client.nodes().discover().await.ok().map(|topology| {
                    let watched = topology.nodes.into_iter().filter(|server| {
                        server.kind() == NodeKind::Data
                            && server.known_role().is_none_or(|role| role == reads)
                    });
                    governor.watch(watched.collect())
                });
                Self { pace: governor, _watch: watch }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("governed".parse(), Ok(Rate::Governed));
        assert_eq!("5000".parse(), Ok(Rate::KeysPerSecond(5000)));
        for wrong in ["", "0", "-1", "fast", "1.5", "99999999999"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
