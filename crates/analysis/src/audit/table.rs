//! The rules.

use Severity::{Critical, Info, Warning};

use super::{configuration as c, rule::AuditRule, security as s};
use crate::{FindingId, Severity};

macro_rules! rules {
    ($($id:literal, $severity:ident, $judge:path, $why:literal, $seen:literal, $mend:literal, $effect:literal, $risk:literal;)*) => {
        &[$(AuditRule {
            id: FindingId::new($id), severity: $severity, judge: $judge,
            why: $why, seen_by: $seen, mend: $mend, effect: $effect, risk: $risk,
        }),*]
    };
}

/// What is looked at on every node that holds keys, in the order in which it is shown.
pub(super) const RULES: &[AuditRule] = rules![
    "audit.open_to_all", Critical, s::open_to_all, "Anyone can read, change and empty it, and often run code.", "ACL LIST, CONFIG GET bind, protected-mode", "Set a password, bind to the addresses that are needed, protected-mode yes.", "Only those who know the password get in.", "Clients without the password are shut out: give it to them first.";
    "audit.no_password", Warning, s::no_password, "A program that is broken into, or a request forged through one, reads and empties the cache.", "ACL LIST, else CONFIG GET requirepass", "Set requirepass, or better a user for each service.", "Only those who know the password get in.", "Clients without the password are shut out: give it to them first.";
    "audit.default_user_unrestricted", Warning, s::default_user_unrestricted, "The users that were made with fewer rights protect nothing while this one has all.", "ACL LIST", "Move what uses it to users of their own, then ACL SETUSER default off.", "Rights hold.", "Replicas without masteruser log in as the default user: set it first.";
    "audit.users_broad", Info, s::users_broad, "A service needs few commands and its own keys.", "ACL LIST", "Take from each what it does not use: ACL LOG tells what is refused.", "A leaked password opens less.", "A command that was overlooked is refused.";
    "audit.users_without_password", Warning, s::users_without_password, "Whoever knows the name is in.", "ACL LIST", "ACL SETUSER NAME resetpass >PASSWORD.", "Only those who know the password get in.", "Clients without the password are shut out: give it to them first.";
    "audit.bind_all", Warning, s::bind_all, "A network that is added later reaches it too.", "CONFIG GET bind", "bind to the addresses that clients and replicas use.", "It is reached only where it should be.", "Clients on other addresses are cut off.";
    "audit.tls_off", Warning, s::tls_off, "Passwords and values cross the network in clear.", "CONFIG GET bind, tls-port", "Set tls-port with a certificate, and move the clients.", "Nobody on the way reads along.", "TLS costs processor time and some latency.";
    "audit.plain_port_open", Warning, s::plain_port_open, "One client that is set up wrongly sends its password in clear.", "CONFIG GET port, tls-port", "Set port 0 once all clients use TLS; tls-replication and tls-cluster first.", "Nothing goes in clear.", "Clients that still use the plain port are cut off.";
    "audit.tls_clients_unverified", Info, s::tls_clients_unverified, "The password alone decides who gets in.", "CONFIG GET tls-auth-clients", "Give the clients certificates, then tls-auth-clients yes.", "A leaked password alone is not enough.", "Clients without a certificate are shut out.";
    "audit.dangerous_commands", Warning, s::dangerous_commands, "One of them empties the cache, stops it, or takes it over.", "ACL DRYRUN, else ACL LIST", "Set a password, or ACL SETUSER default -@dangerous -eval.", "A mistake or an intruder does less harm.", "Tools that need these commands need a user of their own.";
    "audit.debug_command", Warning, s::debug_command, "DEBUG can stop and crash the server, for any client that has the right.", "CONFIG GET enable-debug-command", "enable-debug-command no (or local), and restart.", "DEBUG is refused.", "A restart.";
    "audit.module_command", Warning, s::module_command, "MODULE LOAD runs any code on the server's machine.", "CONFIG GET enable-module-command", "enable-module-command no (or local), and restart.", "Modules come only from the configuration.", "A restart; loadmodule lines go on working.";
    "audit.protected_settings", Warning, s::protected_settings, "CONFIG SET dir and dbfilename write a file anywhere.", "CONFIG GET enable-protected-configs", "enable-protected-configs no (or local), and restart.", "These settings change only in the file.", "A restart.";
    "audit.advisories", Warning, s::advisories, "It is known how to attack this version, unless whoever built it brought the fix back without a new version number, as distributions do.", "INFO server, the list of advisories", "Upgrade; of a distribution's package, read its changelog for the CVE.", "What is known is mended.", "As any upgrade: a replica first.";
    "audit.end_of_life", Warning, s::end_of_life, "What is found next will not be mended, unless a distribution keeps the version.", "INFO server, the list of advisories", "Upgrade to a line that is kept.", "Fixes come again.", "As any upgrade: a replica first.";
    "audit.no_memory_limit", Warning, c::no_memory_limit, "The kernel then ends the server, or swaps it.", "INFO memory, else CONFIG GET maxmemory", "CONFIG SET maxmemory to what the machine can spare, with room for a fork.", "It evicts instead of growing.", "Set below what is used it evicts at once.";
    "audit.nothing_evicted", Warning, c::nothing_evicted, "A cache is there to forget what is used least.", "INFO memory, else CONFIG GET maxmemory-policy", "CONFIG SET maxmemory-policy allkeys-lru or allkeys-lfu.", "Writes go on at maxmemory.", "Keys that are no cache, such as locks or queues, may be evicted: keep them elsewhere.";
    "audit.policy_needs_ttl", Warning, c::policy_needs_ttl, "What cannot be evicted fills the memory, until writes fail.", "INFO memory, keyspace", "Give the keys a TTL, or choose allkeys-lru.", "There is enough to evict.", "With allkeys-* keys without a TTL may be evicted.";
    "audit.persisted_twice", Info, c::persisted_twice, "A cache seldom needs one of them, and each costs memory at a fork and disk.", "CONFIG GET save, INFO persistence", "Keep the one that recovery needs.", "Fewer forks, less disk.", "Without either a restart begins with an empty cache.";
    "audit.primary_not_persisted", Warning, c::primary_not_persisted, "Replicas copy what their primary has, nothing as well.", "INFO replication, persistence, CONFIG GET save", "Turn on save points or appendonly, or see that it is never restarted by itself.", "A restart gives the data back.", "Forks and disk.";
    "audit.replica_writable", Warning, c::replica_writable, "Such writes are lost at the next sync, and differ until then.", "CONFIG GET replica-read-only", "CONFIG SET replica-read-only yes.", "Writes go to the primary.", "What writes to the replica gets an error.";
    "audit.buffers_unlimited", Warning, c::buffers_unlimited, "One slow reader takes all the memory.", "CONFIG GET client-output-buffer-limit", "Set a limit: replica 256mb 64mb 60, pubsub 32mb 8mb 60.", "A slow reader is cut off.", "A limit below what a sync needs breaks it again and again.";
    "audit.dead_clients_kept", Warning, c::dead_clients_kept, "They fill maxclients.", "CONFIG GET timeout, tcp-keepalive", "CONFIG SET tcp-keepalive 300.", "Dead connections are found and closed.", "None that is known.";
    "audit.latency_monitor_off", Info, c::latency_monitor_off, "When it was slow, the server cannot say why.", "CONFIG GET latency-monitor-threshold", "CONFIG SET latency-monitor-threshold 100.", "LATENCY LATEST names forks, evictions and slow commands.", "None that is known.";
    "audit.slow_log_off", Warning, c::slow_log_off, "Slow commands leave no trace.", "CONFIG GET slowlog-log-slower-than, slowlog-max-len", "CONFIG SET slowlog-log-slower-than 10000 and slowlog-max-len 128.", "SLOWLOG GET names them.", "None that is known.";
    "audit.checksum_off", Warning, c::checksum_off, "A damaged file is loaded as if it were sound.", "CONFIG GET rdbchecksum", "rdbchecksum yes, and restart.", "Damage is seen.", "A tenth more time for saving and loading.";
    "audit.failed_saves_ignored", Info, c::failed_saves_ignored, "Nobody notices that what is on disk gets old, unless someone watches it.", "CONFIG GET save, stop-writes-on-bgsave-error", "Leave it if `larder health` is watched; else CONFIG SET stop-writes-on-bgsave-error yes.", "A failed save is noticed.", "A full disk then stops writes.";
    "audit.open_files_short", Warning, c::open_files_short, "Connections fail before maxclients is reached.", "INFO clients, /proc/PID/limits", "Raise LimitNOFILE of the service, or lower maxclients.", "maxclients holds.", "None that is known.";
    "audit.huge_pages", Warning, c::huge_pages, "After a fork each write copies 2 MiB: latency and memory jump.", "/sys/kernel/mm/transparent_hugepage, CONFIG GET disable-thp", "Write madvise or never to it at each start of the machine.", "Forks cost less.", "Other programs on the machine may have used them.";
    "audit.overcommit", Warning, c::overcommit, "The kernel refuses the fork though most pages would be shared.", "/proc/sys/vm/overcommit_memory", "sysctl vm.overcommit_memory=1, and in /etc/sysctl.d.", "Saves and syncs do not fail for want of memory.", "The machine can promise more memory than it has.";
];
