//! The pace that users of the cache do not feel.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use larder_metrics_model::NodeAddress;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::{Pace, StepTaken};
use crate::Server;

/// What a governor keeps to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GovernorOptions {
    /// How long one step may keep a server from its other clients, as its round trip shows it; 250 µs.
    pub step_time: Duration,
    /// The most of a server's time that is taken, from 0 to 1; 0.7.
    pub max_share: f64,
    /// How much slower than at the beginning a server may answer others before less of it is taken; 500 µs.
    pub slack: Duration,
    /// The share of a server's time that is left free beside what its other clients use, from 0 to 1; 0.2.
    pub headroom: f64,
}

impl Default for GovernorOptions {
    fn default() -> Self {
        Self {
            step_time: Duration::from_micros(250),
            max_share: 0.7,
            slack: Duration::from_micros(500),
            headroom: 0.2,
        }
    }
}

/// What a server shows beside the round trips of the sweep itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ServerSigns {
    /// The round trip of a PING on a connection of its own: what another client would wait.
    pub ping: Option<Duration>,
    /// `instantaneous_ops_per_sec` of INFO, the sweep's own commands included.
    pub operations_per_second: Option<f64>,
}

impl ServerSigns {
    /// Records a PING.
    #[must_use]
    pub fn of_ping(ping: Duration) -> Self {
        Self { ping: Some(ping), ..Self::default() }
    }

    /// Records the commands that a server runs a second.
    #[must_use]
    pub fn of_operations(per_second: f64) -> Self {
        Self { operations_per_second: Some(per_second), ..Self::default() }
    }
}

/// Paces work by what it observes, node by node.
///
/// - Steps are so small that the round trip of each stays near [`GovernorOptions::step_time`]: nothing that another
///   client sends waits longer for the sweep than one step.
/// - Between steps it rests, so that it takes no more than a share of the server's time. The share falls when another
///   client would wait longer than at the beginning by more than [`GovernorOptions::slack`], when a step takes far
///   longer than it should, and where other clients use so much of the server that no headroom is left; it comes back
///   slowly.
#[derive(Debug, Default)]
pub struct Governor {
    options: GovernorOptions,
    nodes: Mutex<HashMap<NodeAddress, NodePace>>,
}

/// How often servers are asked how they are.
const PING_EVERY: Duration = Duration::from_millis(100);
/// How many pings lie between two looks at the operations of a second.
const PINGS_PER_LOOK: u32 = 10;

impl Governor {
    /// Makes a governor.
    #[must_use]
    pub fn new(options: GovernorOptions) -> Self {
        Self { options, nodes: Mutex::default() }
    }

    /// Takes note of what a server shows.
    pub fn observe(&self, node: &NodeAddress, signs: ServerSigns) {
        let mut nodes = self.nodes();
        let pace = nodes.entry(node.clone()).or_insert_with(|| NodePace::new(&self.options));
        if let Some(ping) = signs.ping {
            pace.heed_ping(ping, &self.options);
        }
        if let Some(operations) = signs.operations_per_second {
            pace.heed_operations(operations, Instant::now(), &self.options);
        }
    }

    /// Returns the share of a node's time that is taken now, from 0 to 1.
    #[must_use]
    pub fn share(&self, node: &NodeAddress) -> f64 {
        self.nodes().get(node).map_or(self.options.max_share, NodePace::share)
    }

    /// Asks servers how they are, again and again, until the handle is dropped: PING ten times a second, INFO once. A
    /// server that does not answer is asked again; its round trips are heeded all the same.
    pub fn watch(self: &Arc<Self>, servers: Vec<Arc<dyn Server>>) -> AbortOnDropHandle<()> {
        let governor = Arc::clone(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            for round in 0_u32.. {
                for server in &servers {
                    governor.look(server.as_ref(), round).await;
                }
                sleep(PING_EVERY).await;
            }
        }))
    }

    async fn look(&self, server: &dyn Server, round: u32) {
        if let Ok(ping) = server.ping().await {
            self.observe(server.node(), ServerSigns::of_ping(ping));
        }
        if round.is_multiple_of(PINGS_PER_LOOK)
            && let Ok(info) = server.info().await
            && let Some(operations) =
                info.field("instantaneous_ops_per_sec").and_then(|figure| figure.parse().ok())
        {
            self.observe(server.node(), ServerSigns::of_operations(operations));
        }
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<NodeAddress, NodePace>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Pace for Governor {
    async fn next_step(&self, node: &NodeAddress, most: usize) -> usize {
        let (due, keys) = {
            let mut nodes = self.nodes();
            let pace = nodes.entry(node.clone()).or_insert_with(|| NodePace::new(&self.options));
            (pace.due, pace.step_keys(&self.options))
        };
        // Timers are no finer than this; what is slept too long is caught up with.
        if due > Instant::now() + TIMER {
            sleep_until(due).await;
        }
        keys.clamp(1, most.max(1))
    }

    fn taken(&self, node: &NodeAddress, step: StepTaken) {
        let mut nodes = self.nodes();
        let pace = nodes.entry(node.clone()).or_insert_with(|| NodePace::new(&self.options));
        pace.heed_step(step, Instant::now(), &self.options);
    }
}

const TIMER: Duration = Duration::from_millis(1);
/// How far behind its share a sweep may catch up.
const LAG: Duration = Duration::from_millis(4);
const FIRST_STEP_KEYS: f64 = 16.0;
const MOST_STEP_KEYS: f64 = 1000.0;
/// The least share that is taken however slow the server is: a sweep that stands still helps no one.
const LEAST_SHARE: f64 = 0.02;
/// How much of a new figure goes into a mean.
const WEIGHT: f64 = 0.2;
/// A step that takes so many times what it should is a sign that the server is busy with something else.
const FAR_TOO_LONG: u32 = 8;
const LESS: f64 = 0.7;
const MORE: f64 = 1.05;
const MORE_A_STEP: f64 = 1.01;

/// What is known of one node.
#[derive(Debug)]
struct NodePace {
    due: Instant,
    /// Seconds that a key takes in a step, a mean.
    seconds_per_key: Option<f64>,
    /// Seconds that a command takes, a mean.
    seconds_per_command: Option<f64>,
    /// The share that the pings and round trips allow.
    felt_share: f64,
    /// The share that the other clients leave.
    left_share: f64,
    /// The quickest PING so far.
    quickest_ping: Option<Duration>,
    /// Commands of the sweep since the last look at the server's operations, and when that was.
    own_commands: usize,
    looked_at: Option<Instant>,
}

impl NodePace {
    fn new(options: &GovernorOptions) -> Self {
        Self {
            due: Instant::now(),
            seconds_per_key: None,
            seconds_per_command: None,
            felt_share: options.max_share,
            left_share: 1.0,
            quickest_ping: None,
            own_commands: 0,
            looked_at: None,
        }
    }

    fn share(&self) -> f64 {
        self.felt_share.min(self.left_share).max(LEAST_SHARE)
    }

    fn step_keys(&self, options: &GovernorOptions) -> usize {
        let keys = self.seconds_per_key.map_or(FIRST_STEP_KEYS, |key| options.step_time.as_secs_f64() / key);
        whole(keys.clamp(1.0, MOST_STEP_KEYS))
    }

    fn heed_step(&mut self, step: StepTaken, now: Instant, options: &GovernorOptions) {
        let seconds = step.round_trip.as_secs_f64();
        self.own_commands += step.commands;
        if step.keys > 0 {
            fold(&mut self.seconds_per_key, seconds / count(step.keys));
        }
        if step.commands > 0 {
            fold(&mut self.seconds_per_command, seconds / count(step.commands));
        }
        if step.round_trip > options.step_time * FAR_TOO_LONG {
            self.felt_share = (self.felt_share * LESS).max(LEAST_SHARE);
        } else if self.quickest_ping.is_none() {
            // Nobody asks the server how it is, so only its own steps can tell that it is quick again.
            self.felt_share = (self.felt_share * MORE_A_STEP).min(options.max_share);
        }
        let earliest = now.checked_sub(step.round_trip + LAG).unwrap_or(now);
        let taken = Duration::from_secs_f64((seconds / self.share()).min(1.0));
        self.due = self.due.max(earliest) + taken;
    }

    /// What another client waits is compared with the quickest answer; one that is slow once is not yet a sign.
    fn heed_ping(&mut self, ping: Duration, options: &GovernorOptions) {
        let quickest = self.quickest_ping.map_or(ping, |quickest| quickest.min(ping));
        self.quickest_ping = Some(quickest);
        let factor = if ping > quickest + options.slack { LESS } else { MORE };
        self.felt_share = (self.felt_share * factor).clamp(LEAST_SHARE, options.max_share);
    }

    /// Commands of others are taken to cost what those of the sweep cost.
    fn heed_operations(&mut self, per_second: f64, now: Instant, options: &GovernorOptions) {
        if let (Some(looked_at), Some(seconds)) = (self.looked_at, self.seconds_per_command) {
            let own = count(self.own_commands) / now.duration_since(looked_at).as_secs_f64().max(0.1);
            let others = (per_second - own).max(0.0) * seconds;
            self.left_share = (1.0 - others - options.headroom).clamp(LEAST_SHARE, 1.0);
        }
        self.own_commands = 0;
        self.looked_at = Some(now);
    }
}

fn fold(mean: &mut Option<f64>, figure: f64) {
    *mean = Some(mean.map_or(figure, |mean| mean + (figure - mean) * WEIGHT));
}

#[expect(clippy::cast_precision_loss, reason = "counts of one step or one second are small")]
fn count(of: usize) -> f64 {
    of as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small range")]
fn whole(keys: f64) -> usize {
    keys as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    fn node() -> NodeAddress {
        NodeAddress::new("n")
    }

    /// Works for a time on a server that takes this long a key, three commands each; gives keys a second and the longest
    /// step.
    async fn work(governor: &Governor, key: Duration, time: Duration) -> (f64, Duration) {
        let begun = Instant::now();
        let (mut keys, mut longest) = (0, Duration::ZERO);
        while begun.elapsed() < time {
            let step = governor.next_step(&node(), 1000).await;
            let round_trip = key * u32::try_from(step).unwrap();
            tokio::time::advance(round_trip).await;
            governor.taken(&node(), StepTaken::new(step, step * 3, round_trip));
            keys += step;
            longest = longest.max(round_trip);
        }
        (count(keys) / begun.elapsed().as_secs_f64(), longest)
    }

    #[tokio::test(start_paused = true)]
    async fn steps_are_as_long_as_allowed_and_the_share_is_kept() {
        for microseconds in [1, 4, 50, 100] {
            let governor = Governor::default();
            let (rate, longest) = work(&governor, MICROSECOND * microseconds, Duration::from_secs(5)).await;
            let full = 1e6 / f64::from(microseconds);
            assert!((0.6..0.75).contains(&(rate / full)), "{microseconds} µs a key: {rate} of {full}");
            let most = GovernorOptions::default().step_time.max(MICROSECOND * microseconds * 16);
            assert!(longest <= most, "{microseconds} µs a key: a step took {longest:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_others_late_is_spared_until_it_is_quick_again() {
        let governor = Governor::default();
        governor.observe(&node(), ServerSigns::of_ping(MICROSECOND * 100));
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
        for _ in 0..20 {
            governor.observe(&node(), ServerSigns::of_ping(MICROSECOND * 700));
        }
        assert!((governor.share(&node()) - LEAST_SHARE).abs() < 1e-9, "it does not stop altogether");
        let (rate, _) = work(&governor, MICROSECOND * 4, Duration::from_secs(5)).await;
        assert!(rate < 250_000.0 * LEAST_SHARE * 1.5, "{rate}");
        for _ in 0..100 {
            governor.observe(&node(), ServerSigns::of_ping(MICROSECOND * 550));
        }
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9, "within the slack it comes back");
    }

    #[tokio::test(start_paused = true)]
    async fn what_other_clients_use_is_left_to_them() {
        let governor = Governor::default();
        for (others, expected) in [(0.0, 0.7), (400_000.0, 0.4), (2_000_000.0, LEAST_SHARE)] {
            governor.observe(&node(), ServerSigns::of_operations(0.0));
            // A command takes one microsecond.
            let (rate, _) = work(&governor, MICROSECOND * 3, Duration::from_secs(1)).await;
            governor.observe(&node(), ServerSigns::of_operations(others + rate * 3.0));
            let share = governor.share(&node());
            assert!((share - expected).abs() < 0.02, "{others} operations of others leave {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_takes_far_too_long_is_a_sign_too() {
        let governor = Governor::default();
        governor.taken(&node(), StepTaken::new(16, 48, MICROSECOND * 100));
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
        governor.taken(&node(), StepTaken::new(16, 48, Duration::from_millis(20)));
        assert!(governor.share(&node()) < 0.5);
        for _ in 0..40 {
            governor.taken(&node(), StepTaken::new(16, 48, MICROSECOND * 100));
        }
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9, "steps that are quick again show it");
        assert_eq!(governor.next_step(&node(), 0).await, 1, "a step has one key at least");
    }
}
