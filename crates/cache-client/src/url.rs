//! How a cache is named.

use std::{fmt, path::PathBuf, str::FromStr};

use larder_metrics_model::NodeAddress;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Error, Result};

/// The URL of a cache. It is shown without its password, in every form.
///
/// | URL | cache |
/// |---|---|
/// | `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `valkey://…` | one server; a replica of it is reached only where a sweep or a dump asks for one |
/// | `rediss://…`, `valkeys://…` | the same over TLS |
/// | `unix://[USER:PASSWORD@]/PATH/OF/SOCKET[?db=N]` | one server over a Unix socket |
/// | `redis-sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[/DB][?tls=true]` | what the Sentinels call SERVICE |
/// | `redis-cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][?tls=true]` | a cluster, from any of its nodes |
/// | `memory:` | an embedded cache, empty |
/// | `memory:sample` | an embedded cache with a built-in data set that a short workload has run on |
/// | `memory:FILE[?db=N]` | an embedded cache with the keys of one database of a dump (RDB file) |
///
/// Ports default to 6379, those of Sentinels to 26379. A user name without a password is allowed; the password can
/// come from [`ConnectOptions`](crate::ConnectOptions) instead. The path of a dump is taken as it is written, without
/// `%` signs decoded: `memory:dump.rdb`, `memory:/var/lib/redis/dump.rdb`, `memory:./sample` for a file of that name.
#[derive(Clone, Debug)]
pub struct CacheUrl {
    scheme: String,
    pub(crate) target: Target,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: u32,
}

/// What a URL points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One server.
    Server { endpoint: Endpoint, tls: bool },
    /// What Sentinels watch.
    Sentinel { sentinels: Vec<HostPort>, service: String, tls: bool },
    /// A cluster.
    Cluster { seeds: Vec<HostPort>, tls: bool },
    /// An embedded cache, empty.
    Memory,
    /// An embedded cache with the built-in data set.
    Sample,
    /// An embedded cache with the keys of a dump.
    Dump { path: PathBuf },
}

/// Where one server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp(HostPort),
    Unix(PathBuf),
}

/// A host with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const FORMS: &str = "it begins with redis://, rediss://, valkey://, valkeys://, unix://, redis-sentinel://, \
                     redis-cluster:// or memory:";

impl HostPort {
    pub(crate) fn address(&self) -> NodeAddress {
        NodeAddress::from_host_port(&self.host, self.port)
    }
}

impl Endpoint {
    pub(crate) fn address(&self) -> NodeAddress {
        match self {
            Self::Tcp(host_port) => host_port.address(),
            Self::Unix(path) => NodeAddress::new(path.display().to_string()),
        }
    }
}

impl CacheUrl {
    /// Returns the cache's name: the URL without user and password, which tells caches apart in the metrics history.
    #[must_use]
    pub fn name(&self) -> String {
        self.written(None)
    }

    /// Tells whether the cache is reached over TLS.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        match &self.target {
            Target::Server { tls, .. } | Target::Sentinel { tls, .. } | Target::Cluster { tls, .. } => *tls,
            Target::Memory | Target::Sample | Target::Dump { .. } => false,
        }
    }

    /// Tells whether the URL itself holds a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Returns the number of the database that the URL names.
    #[must_use]
    pub fn database(&self) -> u32 {
        self.database
    }

    /// Returns the same cache with another of its databases. A cluster has one, unless it is of Valkey 9.0 or later and is
    /// configured with several (`cluster-databases`).
    #[must_use]
    pub fn with_database(&self, database: u32) -> Self {
        Self { database, ..self.clone() }
    }

    /// Tells whether the cache lives inside this process.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.target, Target::Memory | Target::Sample | Target::Dump { .. })
    }

    fn written(&self, credentials: Option<&str>) -> String {
        let credentials = credentials.unwrap_or_default();
        let database = if self.database > 0 { format!("/{}", self.database) } else { String::new() };
        let tls_parameter = |tls: bool| if tls { "?tls=true" } else { "" };
        let hosts = |hosts: &[HostPort]| {
            hosts.iter().map(|host| host.address().to_string()).collect::<Vec<_>>().join(",")
        };
        let scheme = &self.scheme;
        match &self.target {
            Target::Server { endpoint: Endpoint::Tcp(host), .. } => {
                format!("{scheme}://{credentials}{}{database}", host.address())
            }
            Target::Server { endpoint: Endpoint::Unix(path), .. } => {
                let database =
                    if self.database > 0 { format!("?db={}", self.database) } else { String::new() };
                format!("{scheme}://{credentials}{}{database}", path.display())
            }
            Target::Sentinel { sentinels, service, tls } => {
                let tls = tls_parameter(*tls);
                format!("{scheme}://{credentials}{}/{service}{database}{tls}", hosts(sentinels))
            }
            Target::Cluster { seeds, tls } => {
                format!("{scheme}://{credentials}{}{}", hosts(seeds), tls_parameter(*tls))
            }
            Target::Memory => format!("{scheme}:"),
            Target::Sample => format!("{scheme}:sample"),
            Target::Dump { path } => {
                let path = path.display().to_string();
                // Without it, the end of some paths would be taken for a database, or for blanks behind the URL.
                let is_misread = with_parameters(&path).1.is_some() || path.ends_with(char::is_whitespace);
                let is_needed = self.database > 0 || is_misread;
                let database = if is_needed { format!("?db={}", self.database) } else { String::new() };
                format!("{scheme}:{path}{database}")
            }
        }
    }
}

impl fmt::Display for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.username.as_deref().unwrap_or_default();
        let credentials = match &self.password {
            Some(_) => format!("{user}:****@"),
            None if user.is_empty() => String::new(),
            None => format!("{user}@"),
        };
        f.pad(&self.written(Some(&credentials)))
    }
}

impl PartialEq for CacheUrl {
    fn eq(&self, other: &Self) -> bool {
        let password = |url: &Self| url.password.as_ref().map(|secret| secret.expose_secret().to_owned());
        self.scheme == other.scheme
            && self.target == other.target
            && self.username == other.username
            && self.database == other.database
            && password(self) == password(other)
    }
}

impl FromStr for CacheUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = |reason: String| Error::Url { url: masked(text), reason };
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(wrong(FORMS.to_owned()));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "memory" {
            return embedded(scheme, rest).map_err(wrong);
        }
        let rest =
            rest.strip_prefix("//").ok_or_else(|| wrong("`//` is missing behind the scheme".to_owned()))?;
        let parts = Parts::split(rest).map_err(wrong)?;
        match scheme.as_str() {
            "redis" | "valkey" => parts.server(scheme, false),
            "rediss" | "valkeys" => parts.server(scheme, true),
            "unix" => parts.socket(scheme),
            "redis-sentinel" | "valkey-sentinel" => parts.sentinel(scheme),
            "redis-cluster" | "valkey-cluster" => parts.cluster(scheme),
            _ => Err(FORMS.to_owned()),
        }
        .map_err(wrong)
    }
}

fn embedded(scheme: String, rest: &str) -> Result<CacheUrl, String> {
    let (path, parameters) = with_parameters(rest);
    let number = match parameters {
        None => 0,
        Some(parameters) => match parameters.strip_prefix("db=") {
            Some(number) => database(number)?,
            None => return Err(format!("the parameter `{parameters}` is not known here; there is db=N")),
        },
    };
    let target = match path {
        "" | "sample" if parameters.is_some() => {
            return Err("`db` is a database of a file, and there is no file".to_owned());
        }
        "" => Target::Memory,
        "sample" => Target::Sample,
        path if path.starts_with("//") => {
            return Err(
                "the path stands right behind `memory:`, as in memory:dump.rdb or memory:/var/lib/dump.rdb"
                    .to_owned(),
            );
        }
        path => Target::Dump { path: PathBuf::from(path) },
    };
    Ok(CacheUrl { scheme, target, username: None, password: None, database: number })
}

/// Parts a path from what looks like `?NAME=VALUE` behind it; any other question mark belongs to the path.
fn with_parameters(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once('?') {
        Some((path, parameters)) if parameters.contains('=') && !parameters.contains('/') => {
            (path, Some(parameters))
        }
        _ => (rest, None),
    }
}

/// Of a text that is no valid URL nothing is shown but a scheme that is known: where a URL is mistyped, a password can
/// stand anywhere in it. For the same reason no error repeats a part of the text.
fn masked(text: &str) -> String {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    match scheme.as_str() {
        "memory" => text.to_owned(),
        known if SCHEMES.contains(&known) => format!("{known}://…"),
        _ => "…".to_owned(),
    }
}

const SCHEMES: [&str; 9] = [
    "redis",
    "rediss",
    "valkey",
    "valkeys",
    "unix",
    "redis-sentinel",
    "valkey-sentinel",
    "redis-cluster",
    "valkey-cluster",
];

/// A URL behind its scheme. One host at a time is given to the `url` crate, which knows of one host only.
struct Parts {
    username: Option<String>,
    password: Option<SecretString>,
    hosts: Vec<Url>,
    path: String,
    parameters: Vec<(String, String)>,
}

impl Parts {
    fn split(rest: &str) -> Result<Self, String> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (format!("{userinfo}@"), hosts),
            None => (String::new(), authority),
        };
        let parse = |host: &str| {
            Url::parse(&format!("redis://{userinfo}{host}{tail}")).map_err(|error| error.to_string())
        };
        // A socket has no host; for the other parts any name does.
        let first = parse(hosts.split(',').next().filter(|host| !host.is_empty()).unwrap_or("localhost"))?;
        let hosts = match hosts {
            "" => Vec::new(),
            hosts => hosts.split(',').map(parse).collect::<Result<_, _>>()?,
        };
        if first.fragment().is_some() {
            return Err("a `#` has no meaning here; write it as %23 in a password".to_owned());
        }
        let username = (!first.username().is_empty()).then(|| decode(first.username())).transpose()?;
        let password = first.password().map(decode).transpose()?.map(SecretString::from);
        let path = decode(first.path())?;
        let parameters = first.query_pairs().into_owned().collect();
        Ok(Self { username, password, hosts, path, parameters })
    }

    fn hosts(&self, default_port: u16) -> Result<Vec<HostPort>, String> {
        let host_port = |url: &Url| {
            let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Ok(HostPort { host, port: url.port().unwrap_or(default_port) })
        };
        let hosts: Vec<HostPort> = self.hosts.iter().map(host_port).collect::<Result<_, String>>()?;
        if hosts.is_empty() { Err("the host is missing".to_owned()) } else { Ok(hosts) }
    }

    fn finish(self, scheme: String, target: Target, database: u32) -> CacheUrl {
        CacheUrl { scheme, target, username: self.username, password: self.password, database }
    }

    fn server(self, scheme: String, tls: bool) -> Result<CacheUrl, String> {
        self.allow(&["db"])?;
        let mut hosts = self.hosts(REDIS_PORT)?;
        if hosts.len() > 1 {
            return Err("only redis-cluster:// and redis-sentinel:// take several hosts".to_owned());
        }
        let database = match self.path.trim_matches('/') {
            "" => self.database_parameter()?,
            number => database(number)?,
        };
        let endpoint = Endpoint::Tcp(hosts.remove(0));
        Ok(self.finish(scheme, Target::Server { endpoint, tls }, database))
    }

    fn socket(self, scheme: String) -> Result<CacheUrl, String> {
        self.allow(&["db"])?;
        if !self.hosts.is_empty()
            && self.hosts.iter().any(|url| !url.host_str().unwrap_or_default().is_empty())
        {
            return Err(
                "the path of a socket begins with `/`, so there are three: unix:///run/redis.sock".to_owned()
            );
        }
        if self.path.len() < 2 {
            return Err("the path of the socket is missing".to_owned());
        }
        let database = self.database_parameter()?;
        let endpoint = Endpoint::Unix(PathBuf::from(&self.path));
        Ok(self.finish(scheme, Target::Server { endpoint, tls: false }, database))
    }

    fn sentinel(self, scheme: String) -> Result<CacheUrl, String> {
        self.allow(&["tls", "db"])?;
        let sentinels = self.hosts(SENTINEL_PORT)?;
        let path = self.path.trim_matches('/').to_owned();
        let (service, number) = path.split_once('/').unwrap_or((&path, ""));
        if service.is_empty() {
            return Err("the name that the Sentinels know the cache by is missing: …/SERVICE".to_owned());
        }
        let database = if number.is_empty() { self.database_parameter()? } else { database(number)? };
        let target = Target::Sentinel { sentinels, service: service.to_owned(), tls: self.tls_parameter()? };
        Ok(self.finish(scheme, target, database))
    }

    fn cluster(self, scheme: String) -> Result<CacheUrl, String> {
        self.allow(&["tls"])?;
        if !matches!(self.path.trim_matches('/'), "" | "0") {
            return Err("a cluster has one database, number 0".to_owned());
        }
        let target = Target::Cluster { seeds: self.hosts(REDIS_PORT)?, tls: self.tls_parameter()? };
        Ok(self.finish(scheme, target, 0))
    }

    fn allow(&self, names: &[&str]) -> Result<(), String> {
        match self.parameters.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some(_) => {
                Err(format!("a parameter behind the `?` is not known here; there is {}", names.join(", ")))
            }
            None => Ok(()),
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| value.as_str())
    }

    fn database_parameter(&self) -> Result<u32, String> {
        self.parameter("db").map_or(Ok(0), database)
    }

    fn tls_parameter(&self) -> Result<bool, String> {
        match self.parameter("tls") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err("`tls` is true or false".to_owned()),
        }
    }
}

fn database(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "what names the database is not a number".to_owned())
}

/// Decodes `%2F` and the like.
fn decode(text: &str) -> Result<String, String> {
    let pair = format!("x={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    match decoded {
        Some(decoded) if !decoded.contains('\u{FFFD}') => Ok(decoded),
        _ => Err("a part is not UTF-8 once its % signs are decoded".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> CacheUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn reason(text: &str) -> String {
        text.parse::<CacheUrl>().unwrap_err().to_string()
    }

    #[test]
    fn every_form_is_read_and_named() {
        for (text, name) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://localhost/2", "redis://localhost:6379/2"),
            ("redis://localhost/?db=2", "redis://localhost:6379/2"),
            ("VALKEY://u:p@h:1/0", "valkey://h:1"),
            ("rediss://[::1]:7", "rediss://[::1]:7"),
            ("unix:///run/a b.sock?db=1", "unix:///run/a b.sock?db=1"),
            ("unix://u:p@/run/r.sock", "unix:///run/r.sock"),
            ("redis-sentinel://a,b:7/cache/3?tls=true", "redis-sentinel://a:26379,b:7/cache/3?tls=true"),
            ("redis-cluster://:p@a:1,b", "redis-cluster://a:1,b:6379"),
            ("memory:", "memory:"),
            ("memory:sample", "memory:sample"),
            ("memory:dump.rdb", "memory:dump.rdb"),
            ("MEMORY:/var/lib/a b%20?.rdb?db=0", "memory:/var/lib/a b%20?.rdb"),
            ("memory:./sample?db=3", "memory:./sample?db=3"),
            ("memory:x?db=1?db=0", "memory:x?db=1?db=0"),
            ("memory:x ?db=0", "memory:x ?db=0"),
        ] {
            assert_eq!(url(text).name(), name, "{text}");
            assert_eq!(url(&url(text).name()).name(), name, "a name is a URL");
        }
    }

    #[test]
    fn credentials_are_decoded() {
        let url = url("redis://a%40b:p%2Fw+%23@h");
        assert_eq!(url.username.as_deref(), Some("a@b"));
        assert_eq!(url.password.as_ref().unwrap().expose_secret(), "p/w+#");
        assert_eq!(url.to_string(), "redis://a@b:****@h:6379");
        assert!(!format!("{url:?}").contains("p/w"));
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong() {
        for (text, part) in [
            ("", "begins with"),
            ("localhost:6379", "`//` is missing behind the scheme"),
            ("http://x", "begins with"),
            ("redis:x", "`//` is missing"),
            ("redis://", "host is missing"),
            ("redis://a,b", "several hosts"),
            ("redis://a:notaport", "port"),
            ("redis://a/x", "database is not a number"),
            ("redis://a?tls=true", "not known here; there is db"),
            ("redis://a#b", "%23"),
            ("unix://relative", "three"),
            ("unix:///", "path of the socket"),
            ("redis-sentinel://a", "name that the Sentinels"),
            ("redis-cluster://a/1", "one database"),
            ("redis-cluster://a?tls=maybe", "true or false"),
            ("memory:x.rdb?db=one", "database is not a number"),
            ("memory:x.rdb?tls=true", "`tls=true`"),
            ("memory:sample?db=1", "no file"),
            ("memory:?db=1", "no file"),
            ("memory://x.rdb", "right behind"),
        ] {
            assert!(reason(text).contains(part), "{text}: {}", reason(text));
        }
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "redis://u:secret@h:notaport",
            "http://u:secret@h",
            "u:secret@h",
            "redis://u:sec/ret@h:x/y",
            "redis://h/?pass=secret",
            "redis-cluster://u:secret@h/9",
            "redis://u:secret:1",
            "redis://u:secret%40h:1",
            "redis://u:secret#x@h",
            "redis://u:secret/x@h",
            "redis://h:1/secret@x",
            "redis://h?secret=1",
            "redis-cluster://h?tls=secret",
            "u:secret",
            "secret:u",
            "secret",
            "secret://h",
        ] {
            let words =
                text.parse::<CacheUrl>().map_or_else(|error| error.to_string(), |url| url.to_string());
            assert!(!words.contains("secret") && !words.contains("sec/ret"), "{words}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_an_error(text in ".{0,60}") {
            let _ = text.parse::<CacheUrl>();
        }

        #[test]
        fn the_name_of_an_embedded_cache_is_its_url(path in "[a-z/.?=0% ]{0,16}", database in 0_u32..3) {
            for text in [format!("memory:{path}"), format!("memory:{path}?db={database}")] {
                if let Ok(url) = text.parse::<CacheUrl>() {
                    prop_assert_eq!(url.name().parse::<CacheUrl>().ok(), Some(url));
                }
            }
        }

        #[test]
        fn no_password_is_ever_shown(password in "[a-zA-Z0-9]{12,20}", tail in "[ -~]{0,12}") {
            for text in [format!("redis://u:{password}@h{tail}"), format!("redis-sentinel://u:{password}@{tail}")] {
                let shown = match text.parse::<CacheUrl>() {
                    Ok(url) => format!("{url} {url:?} {}", url.name()),
                    Err(error) => format!("{error} {error:?}"),
                };
                prop_assert!(!shown.contains(&password), "{}", shown);
            }
        }
    }
}
