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

use super::{Pace, StepTaken, recent::Recent};
use crate::Server;

/// What a governor keeps to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GovernorOptions {
    /// How long one step may keep a server from its other clients; 150 µs.
    pub step_time: Duration,
    /// The most of a server's time that is taken, from 0 to 1; 0.7.
    pub max_share: f64,
    /// How much slower than when it was quick a server may answer others before less of it is taken; 500 µs.
    pub slack: Duration,
    /// The share of a server's time that is left free beside what its other clients use, from 0 to 1; 0.2.
    pub headroom: f64,
}

impl Default for GovernorOptions {
    fn default() -> Self {
        Self {
            step_time: Duration::from_micros(150),
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
    /// The commands that it ran a second since the last look, the sweep's own included.
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
/// - Steps are so small that each stays near [`GovernorOptions::step_time`]: nothing that another client sends waits
///   longer for the sweep than one step. How long the server was at it is the round trip of the step without that of steps
///   of one key, which are sent now and then: a long way to the server makes steps neither smaller nor rarer.
/// - Between steps it rests, so that it takes no more than a share of the server's time. The share falls when another
///   client would wait longer by more than [`GovernorOptions::slack`] than in the quickest moment of the last minute,
///   when steps take far longer than they should, and where other clients use so much of the server that no headroom is
///   left; it comes back within seconds.
/// - Most of the last few pings or steps must be slow before that is a sign: one alone may as well have been held up in
///   this process or on the way, and a sweep that rests for it spares no one.
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
        let mut watched: Vec<_> = servers.into_iter().map(Watched::new).collect();
        AbortOnDropHandle::new(tokio::spawn(async move {
            for round in 0_u32.. {
                for server in &mut watched {
                    governor.look(server, round).await;
                }
                sleep(PING_EVERY).await;
            }
        }))
    }

    async fn look(&self, watched: &mut Watched, round: u32) {
        let node = watched.server.node().clone();
        if let Ok(ping) = watched.server.ping().await {
            self.observe(&node, ServerSigns::of_ping(ping));
        }
        if round.is_multiple_of(PINGS_PER_LOOK)
            && let Some(operations) = watched.operations_per_second().await
        {
            self.observe(&node, ServerSigns::of_operations(operations));
        }
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<NodeAddress, NodePace>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that is asked again and again.
#[derive(Debug)]
struct Watched {
    server: Arc<dyn Server>,
    /// The commands that it had run at the last look.
    looked: Option<(Instant, u64)>,
}

impl Watched {
    fn new(server: Arc<dyn Server>) -> Self {
        Self { server, looked: None }
    }

    /// Tells what the server ran since the last look, which is the time for which the governor knows its own commands.
    /// What the server says itself (`instantaneous_ops_per_sec`) is behind by a second or two, and when the sweep slows
    /// down its own commands would then look like those of others.
    async fn operations_per_second(&mut self) -> Option<f64> {
        let info = self.server.info().await.ok()?;
        let commands = info.field("total_commands_processed")?.parse().ok()?;
        let now = Instant::now();
        let (looked_at, before) = self.looked.replace((now, commands)).unwrap_or((now, commands));
        // After a restart the server counts from nothing.
        let ran = commands.checked_sub(before).and_then(|ran| usize::try_from(ran).ok())?;
        Some(count(ran) / now.duration_since(looked_at).as_secs_f64().max(SHORTEST_LOOK))
    }
}

#[async_trait]
impl Pace for Governor {
    async fn next_step(&self, node: &NodeAddress, most: usize) -> usize {
        let (due, keys) = {
            let mut nodes = self.nodes();
            let pace = nodes.entry(node.clone()).or_insert_with(|| NodePace::new(&self.options));
            (pace.due, pace.next_step_keys(&self.options))
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
const MOST_STEP_KEYS: f64 = 1000.0;
/// The least share that is taken however slow the server is: a sweep that stands still helps no one.
const LEAST_SHARE: f64 = 0.02;
/// How much of a new figure goes into a mean.
const WEIGHT: f64 = 0.2;
/// So many times the mean is all that one figure counts: what a single step was held up by does not tell what the next
/// one costs, and where all of them become slower the mean is there after a few.
const OUTLIER: f64 = 2.0;
/// Steps that take so many times what they should are a sign that the server is busy with something else.
const FAR_TOO_LONG: u32 = 8;
/// Of how many pings or steps most must be slow before it is a sign.
const JUDGED_TOGETHER: usize = 5;
/// Of so many steps the first ones have one key: the second one is nothing but that key, because the questions about the
/// keys of a step go out with the SCAN of the next.
const STEPS_A_MEASURING: u32 = 128;
const MEASURING_STEPS: u32 = 2;
/// The way is the median of so many: the wake-ups on it take their time, now more and now less.
const REMEMBERED_WAYS: usize = 15;
/// How many pings back the quickest one is looked for: a minute. What a server or the way to it has become since then is
/// how it is now.
const REMEMBERED_PINGS: usize = 600;
const LESS: f64 = 0.7;
const MORE: f64 = 1.1;
const MORE_A_STEP: f64 = 1.01;
const LESS_A_KEY: f64 = 0.99;
/// Seconds below which the commands of a look are not yet a rate.
const SHORTEST_LOOK: f64 = 0.1;

/// What is known of one node.
#[derive(Debug)]
struct NodePace {
    due: Instant,
    /// Seconds that a key takes in a step, a mean.
    seconds_per_key: f64,
    /// Seconds that a command takes, a mean.
    seconds_per_command: Option<f64>,
    /// The share that the pings and round trips allow.
    felt_share: f64,
    /// The share that the other clients leave.
    left_share: f64,
    pings: Recent,
    /// The round trips of the last steps of one key.
    one_key: Recent,
    /// Steps that were sent.
    steps: u32,
    /// How long the server was at the last few steps.
    at_work: Recent,
    /// Commands of the sweep since the last look at the server's operations, and when that was.
    own_commands: usize,
    looked_at: Option<Instant>,
}

impl NodePace {
    fn new(options: &GovernorOptions) -> Self {
        Self {
            due: Instant::now(),
            // The fewest keys that show what one of them takes.
            seconds_per_key: options.step_time.as_secs_f64() / 2.0,
            seconds_per_command: None,
            felt_share: options.max_share,
            left_share: 1.0,
            pings: Recent::new(REMEMBERED_PINGS),
            one_key: Recent::new(REMEMBERED_WAYS),
            steps: 0,
            at_work: Recent::new(JUDGED_TOGETHER),
            own_commands: 0,
            looked_at: None,
        }
    }

    fn share(&self) -> f64 {
        self.felt_share.min(self.left_share).max(LEAST_SHARE)
    }

    fn next_step_keys(&mut self, options: &GovernorOptions) -> usize {
        let place = self.steps % STEPS_A_MEASURING;
        self.steps = self.steps.wrapping_add(1);
        if place < MEASURING_STEPS { 1 } else { self.step_keys(options) }
    }

    fn step_keys(&self, options: &GovernorOptions) -> usize {
        whole((options.step_time.as_secs_f64() / self.seconds_per_key).clamp(1.0, MOST_STEP_KEYS))
    }

    fn heed_step(&mut self, step: StepTaken, now: Instant, options: &GovernorOptions) {
        self.own_commands += step.commands;
        if step.keys == 1 {
            self.one_key.push(step.round_trip);
        }
        let one_key = self.one_key.median_of_last(REMEMBERED_WAYS).unwrap_or_default();
        let at_work = step.round_trip.saturating_sub(one_key);
        // Where a key takes long, the way is much shorter than a step of one key; a PING is nothing but the way.
        let way = self.pings.least().unwrap_or_default().min(one_key);
        let mut seconds = step.round_trip.saturating_sub(way).as_secs_f64();
        if step.keys > 1 {
            let keys = count(step.keys - 1);
            let per_key =
                (at_work.as_secs_f64() / keys).max(options.step_time.as_secs_f64() / MOST_STEP_KEYS);
            self.seconds_per_key = fold(self.seconds_per_key, per_key.min(self.seconds_per_key * OUTLIER));
            let held_up = (per_key - self.seconds_per_key * OUTLIER).max(0.0) * keys;
            seconds = (seconds - held_up).max(0.0);
        } else if self.step_keys(options) == 1 {
            // Steps of one key do not show what another one would take: two are tried now and then.
            self.seconds_per_key *= LESS_A_KEY;
        }
        if step.commands > 0 {
            let per_command = seconds / count(step.commands);
            self.seconds_per_command =
                Some(self.seconds_per_command.map_or(per_command, |mean| fold(mean, per_command)));
        }
        self.at_work.push(at_work);
        if self.at_work.median_of_last(JUDGED_TOGETHER) > Some(options.step_time * FAR_TOO_LONG) {
            self.felt_share = (self.felt_share * LESS).max(LEAST_SHARE);
        } else if self.pings.is_empty() {
            // Nobody asks the server how it is, so only its own steps can tell that it is quick again.
            self.felt_share = (self.felt_share * MORE_A_STEP).min(options.max_share);
        }
        let earliest = now.checked_sub(step.round_trip + LAG).unwrap_or(now);
        let taken = Duration::from_secs_f64((seconds / self.share()).min(1.0));
        self.due = self.due.max(earliest) + taken;
    }

    /// What another client waits is compared with the quickest answer; the longer the way, the more its time varies.
    fn heed_ping(&mut self, ping: Duration, options: &GovernorOptions) {
        self.pings.push(ping);
        let slowest = self.pings.least().map(|quickest| quickest + quickest / 4 + options.slack);
        let is_slow = self.pings.median_of_last(JUDGED_TOGETHER) > slowest;
        let factor = if is_slow { LESS } else { MORE };
        self.felt_share = (self.felt_share * factor).clamp(LEAST_SHARE, options.max_share);
    }

    /// Commands of others are taken to cost what those of the sweep cost.
    fn heed_operations(&mut self, per_second: f64, now: Instant, options: &GovernorOptions) {
        if let (Some(looked_at), Some(seconds)) = (self.looked_at, self.seconds_per_command) {
            let own =
                count(self.own_commands) / now.duration_since(looked_at).as_secs_f64().max(SHORTEST_LOOK);
            let others = (per_second - own).max(0.0) * seconds;
            self.left_share = (1.0 - others - options.headroom).clamp(LEAST_SHARE, 1.0);
        }
        self.own_commands = 0;
        self.looked_at = Some(now);
    }
}

fn fold(mean: f64, figure: f64) -> f64 {
    mean + (figure - mean) * WEIGHT
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

    /// A server that takes so long a key, three commands each, and the way to it and back.
    #[derive(Clone, Copy)]
    struct Far {
        key: Duration,
        way: Duration,
    }

    fn near(key: Duration) -> Far {
        Far { key, way: Duration::ZERO }
    }

    /// Works on a server for a time; gives keys a second and for how long the longest step kept the server.
    async fn work(governor: &Governor, server: Far, time: Duration) -> (f64, Duration) {
        let begun = Instant::now();
        let (mut keys, mut longest) = (0, Duration::ZERO);
        while begun.elapsed() < time {
            let step = governor.next_step(&node(), 1000).await;
            let at_work = server.key * u32::try_from(step).unwrap();
            tokio::time::advance(server.way + at_work).await;
            governor.taken(&node(), StepTaken::new(step, step * 3, server.way + at_work));
            keys += step;
            longest = longest.max(at_work);
        }
        (count(keys) / begun.elapsed().as_secs_f64(), longest)
    }

    fn observe_pings(governor: &Governor, microseconds: u32, times: usize) {
        for _ in 0..times {
            governor.observe(&node(), ServerSigns::of_ping(MICROSECOND * microseconds));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn steps_are_as_long_as_allowed_and_the_share_is_kept() {
        for microseconds in [1, 4, 50, 100] {
            let key = MICROSECOND * microseconds;
            let governor = Governor::default();
            let (rate, longest) = work(&governor, near(key), Duration::from_secs(5)).await;
            let full = 1e6 / f64::from(microseconds);
            assert!((0.6..0.75).contains(&(rate / full)), "{microseconds} µs a key: {rate} of {full}");
            let most = GovernorOptions::default().step_time + key;
            assert!(longest <= most, "{microseconds} µs a key: a step took {longest:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_way_makes_steps_neither_smaller_nor_rarer() {
        let step_time = GovernorOptions::default().step_time;
        for way in [200, 1000, 5000, 100_000] {
            let server = Far { key: MICROSECOND * 4, way: MICROSECOND * way };
            // A step on each way there and back; where nobody asks how the server is, there are rests for all of it.
            let full = step_time.as_secs_f64() / 4e-6 / (server.way + step_time).as_secs_f64();
            for (is_watched, least) in [(true, 0.7), (false, 0.55)] {
                let governor = Governor::default();
                observe_pings(&governor, way, if is_watched { 10 } else { 0 });
                let (rate, longest) = work(&governor, server, Duration::from_secs(30)).await;
                assert!(rate > full * least, "{way} µs, watched: {is_watched}: {rate} of {full}");
                assert!(longest <= step_time + MICROSECOND * 4, "{way} µs: a step took {longest:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_others_late_is_spared_until_it_is_quick_again() {
        let governor = Governor::default();
        observe_pings(&governor, 100, 1);
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
        observe_pings(&governor, 700, 20);
        assert!((governor.share(&node()) - LEAST_SHARE).abs() < 1e-9, "it does not stop altogether");
        let server = Far { key: MICROSECOND * 4, way: MICROSECOND * 100 };
        let (rate, _) = work(&governor, server, Duration::from_secs(5)).await;
        assert!(rate < 250_000.0 * LEAST_SHARE * 1.5, "{rate}");
        observe_pings(&governor, 550, 50);
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9, "within the slack it comes back in seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_become_slower_for_good_is_taken_as_it_is() {
        let governor = Governor::default();
        observe_pings(&governor, 100, 10);
        observe_pings(&governor, 5000, REMEMBERED_PINGS - 1);
        assert!((governor.share(&node()) - LEAST_SHARE).abs() < 1e-9);
        observe_pings(&governor, 5000, 50);
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_now_and_then_is_no_sign() {
        let governor = Governor::default();
        observe_pings(&governor, 100, 5);
        let server = Far { key: MICROSECOND * 4, way: MICROSECOND * 100 };
        let (before, _) = work(&governor, server, Duration::from_secs(2)).await;
        for _ in 0..40 {
            // One of five pings, and a step in a quarter of a second, are held up by something else.
            observe_pings(&governor, 100, 4);
            observe_pings(&governor, 30_000, 1);
            governor.taken(&node(), StepTaken::new(37, 111, Duration::from_millis(20)));
            assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
            let (rate, _) = work(&governor, server, Duration::from_millis(250)).await;
            assert!(rate > before * 0.9, "{rate} of {before}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_other_clients_use_is_left_to_them() {
        let governor = Governor::default();
        for (others, expected) in [(0.0, 0.7), (400_000.0, 0.4), (2_000_000.0, LEAST_SHARE)] {
            governor.observe(&node(), ServerSigns::of_operations(0.0));
            // A command takes one microsecond.
            let (rate, _) = work(&governor, near(MICROSECOND * 3), Duration::from_secs(1)).await;
            governor.observe(&node(), ServerSigns::of_operations(others + rate * 3.0));
            let share = governor.share(&node());
            assert!((share - expected).abs() < 0.02, "{others} operations of others leave {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn steps_that_take_far_too_long_are_a_sign_too() {
        let governor = Governor::default();
        assert_eq!(governor.next_step(&node(), 1000).await, 1, "before anything is known a step is small");
        governor.taken(&node(), StepTaken::new(16, 48, MICROSECOND * 100));
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9);
        for _ in 0..4 {
            governor.taken(&node(), StepTaken::new(16, 48, Duration::from_millis(20)));
        }
        assert!(governor.share(&node()) < 0.5);
        for _ in 0..300 {
            governor.taken(&node(), StepTaken::new(16, 48, MICROSECOND * 100));
        }
        assert!((governor.share(&node()) - 0.7).abs() < 1e-9, "steps that are quick again show it");
        assert_eq!(governor.next_step(&node(), 0).await, 1, "a step has one key at least");
    }
}
