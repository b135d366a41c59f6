//! Addresses in configuration: listeners, voters, bootstrap servers; parsed as Kafka parses them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::value::ConfigError;

/// How a listener protects its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Not at all.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL over plain TCP.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// All, in Kafka's order.
    pub const ALL: [Self; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The protocol of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// One entry of `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, in upper case.
    pub name: String,
    /// Where to bind, or what to advertise. Empty means every address, IPv4 and IPv6; `localhost`
    /// means both loopback addresses, because clients ask for `::1` first.
    pub host: Option<String>,
    /// 0 lets the system choose.
    pub port: u16,
    /// From `listener.security.protocol.map`.
    pub protocol: SecurityProtocol,
}

/// As in the configuration: `NAME://host:port`, an IPv6 address in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        if host.contains(':') {
            write!(f, "{}://[{host}]:{}", self.name, self.port)
        } else {
            write!(f, "{}://{host}:{}", self.name, self.port)
        }
    }
}

/// The protocol of each listener name.
pub type ProtocolMap = BTreeMap<String, SecurityProtocol>;

/// Parses `listener.security.protocol.map`.
pub fn parse_protocol_map(text: &str) -> Result<ProtocolMap, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let mut map = ProtocolMap::new();
    for entry in entries {
        let Some((name, protocol)) = entry.rsplit_once(':') else {
            let message = format!(
                "Error parsing configuration property '{KEY}': {entry} is not of the form NAME:PROTOCOL"
            );
            return Err(ConfigError::of(KEY, message));
        };
        let protocol = protocol.trim();
        let Some(protocol) = SecurityProtocol::from_name(protocol) else {
            let message = format!("Invalid security protocol `{protocol}` defined in {KEY}");
            return Err(ConfigError::of(KEY, message));
        };
        map.insert(name.trim().to_uppercase(), protocol);
    }
    Ok(map)
}

/// Whether every name has its own port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Listeners: two may share a port only as one IPv4 and one IPv6 address.
    Distinct,
    /// Advertised listeners may share ports: they can be behind a proxy.
    Any,
}

/// Parses the value of `key`, a list of endpoints.
pub fn parse_endpoints(
    key: &str,
    entries: &[String],
    protocols: &ProtocolMap,
    ports: Ports,
) -> Result<Vec<Endpoint>, ConfigError> {
    let text = entries.join(", ");
    let refuse = |why: String| {
        ConfigError::of(key, format!("Error creating broker listeners from '[{text}]': {why}"))
    };
    let mut endpoints = Vec::with_capacity(entries.len());
    for entry in entries {
        endpoints.push(parse_endpoint(entry, protocols).map_err(&refuse)?);
    }
    let names: BTreeSet<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    if names.len() != endpoints.len() {
        return Err(refuse(format!(
            "Each listener must have a different name, listeners: [{text}]"
        )));
    }
    if ports == Ports::Distinct {
        check_ports(&endpoints, &text).map_err(refuse)?;
    }
    Ok(endpoints)
}

fn parse_endpoint(entry: &str, protocols: &ProtocolMap) -> Result<Endpoint, String> {
    let unparsable = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.rsplit_once("://").ok_or_else(unparsable)?;
    let (host, port) = split_host_port(address).ok_or_else(unparsable)?;
    // Kafka reads any number here and fails when it binds; here it is said at once.
    let port: u16 = port
        .parse()
        .map_err(|_| format!("Unable to parse {entry} to a broker endpoint: port out of range"))?;
    let name = name.to_uppercase();
    let protocol = *protocols
        .get(&name)
        .ok_or_else(|| format!("No security protocol defined for listener {name}"))?;
    let host = (!host.is_empty()).then(|| host.to_owned());
    Ok(Endpoint { name, host, port, protocol })
}

/// The host, without brackets, and the port's digits, of `host:port`, `[v6]:port` or `:port`.
fn split_host_port(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && is_host_text(host)).then_some((host, port))
}

/// The characters Kafka allows in a host, which may be empty.
pub fn is_host_text(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte))
}

/// Port 0 may be used by any number of listeners; another only by a pair of one IPv4 and one IPv6
/// address (KIP-797).
fn check_ports(endpoints: &[Endpoint], text: &str) -> Result<(), String> {
    let mut by_port: BTreeMap<u16, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.port != 0) {
        by_port.entry(endpoint.port).or_default().push(endpoint);
    }
    for (port, sharing) in by_port {
        let is_v4 = |endpoint: &&Endpoint| host_is::<Ipv4Addr>(endpoint);
        let is_v6 = |endpoint: &&Endpoint| host_is::<Ipv6Addr>(endpoint);
        match sharing.as_slice() {
            [_] => {}
            [a, b] if (is_v4(a) && is_v6(b)) || (is_v6(a) && is_v4(b)) => {}
            [..] if sharing.iter().all(|endpoint| !is_v4(endpoint) && !is_v6(endpoint)) => {
                return Err(format!(
                    "Each listener must have a different port, listeners: [{text}]"
                ));
            }
            [a, b] if (is_v4(a) || is_v6(a)) && (is_v4(b) || is_v6(b)) => {
                return Err(format!(
                    "If you have two listeners on the same port then one needs to be IPv4 and the \
                     other IPv6, listeners: [{text}], port: {port}"
                ));
            }
            _ => {
                return Err(format!(
                    "Each listener must have a different port unless exactly one listener has an \
                     IPv4 address and the other IPv6 address, listeners: [{text}], port: {port}"
                ));
            }
        }
    }
    Ok(())
}

fn host_is<A: std::str::FromStr>(endpoint: &Endpoint) -> bool {
    endpoint.host.as_deref().is_some_and(|host| host.parse::<A>().is_ok())
}

/// One entry of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The voter's `node.id`.
    pub id: i32,
    /// Where its controller listens.
    pub host: String,
    /// The port there.
    pub port: u16,
}

/// Parses `id@host:port`.
pub fn parse_voter(entry: &str) -> Result<Voter, ConfigError> {
    const KEY: &str = "controller.quorum.voters";
    const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
    let refuse = |message: String| ConfigError::of(KEY, message);
    let Some((id, address)) = entry.split_once('@').filter(|(_, address)| !address.contains('@'))
    else {
        return Err(refuse(format!("Invalid configuration value for {KEY}. {FORM}")));
    };
    let id = id
        .parse()
        .map_err(|_| refuse(format!("Failed to parse voter ID as an integer from {id}")))?;
    let (host, port) = host_and_port(address).ok_or_else(|| {
        let what =
            format!("Failed to parse host name from entry {entry} for the configuration {KEY}");
        refuse(format!("{what}. {FORM}"))
    })?;
    let port = port.parse().map_err(|_| refuse(format!("port out of range:{port}")))?;
    Ok(Voter { id, host: host.to_owned(), port })
}

/// Parses an entry of `controller.quorum.bootstrap.servers`, `host:port`.
pub fn parse_bootstrap(entry: &str) -> Result<(String, u16), ConfigError> {
    const KEY: &str = "controller.quorum.bootstrap.servers";
    let (host, port) = host_and_port(entry).ok_or_else(|| {
        let message = format!(
            "Failed to parse host name from {entry} for the configuration {KEY}. Each entry should \
             be in the form \"{{host}}:{{port}}\""
        );
        ConfigError::of(KEY, message)
    })?;
    let port =
        port.parse().map_err(|_| ConfigError::of(KEY, format!("port out of range:{port}")))?;
    Ok((host.to_owned(), port))
}

/// `host:port` with a host; a protocol in front, as in `PLAINTEXT://host:port`, is passed over.
fn host_and_port(address: &str) -> Option<(&str, &str)> {
    let address = address.rsplit_once("://").map_or(address, |(_, address)| address);
    split_host_port(address).filter(|(host, _)| !host.is_empty())
}
