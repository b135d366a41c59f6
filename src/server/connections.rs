//! From the configuration to listeners and the rules of their connections.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::api::answer::Answer;
use crate::api::context::Ctx;
use crate::api::dispatch::{Origin, decoded_bytes, dispatch};
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::configs::listeners::Endpoint;
use crate::shell::clock::Clock;
use crate::shell::net::Settings;
use crate::shell::net::creation_rate::Window;
use crate::shell::net::limits::{ListenerQuota, QuotaSource, Quotas};
use crate::shell::net::listen::{Address, Bound, SocketOptions};
use crate::shell::net::worker::TICK_MAX;
use crate::shell::resources;
use crate::shell::service::{ListenerType, Memory, Service};

/// More threads than this bring nothing: the sockets, not the requests, are the work.
const THREADS_MAX: usize = 16;
/// The share of our descriptors that connections may take; the rest is for files.
const CONNECTIONS_SHARE_PERCENT: u64 = 75;
/// The share of the connections that is for listeners of the controller.
const CONTROLLER_SHARE_PERCENT: u64 = 10;
/// How many descriptors are kept for what is no connection, where there are few: listeners, runtimes, and the files
/// that the metadata log must be able to open at any time.
const DESCRIPTORS_KEPT: u64 = 48;
/// The share of the memory that large requests may take where `queued.max.request.bytes` sets no limit.
const QUEUED_SHARE_PERCENT: u64 = 25;

/// Kafka's default for `socket.receive.buffer.bytes`, which its sample configurations repeat. It takes the system's own
/// adaptation away and wakes us for every few packets: receiving large requests then costs almost four times as much.
/// This value leaves the buffer to the system; any other is obeyed.
const KAFKAS_RECEIVE_BUFFER_BYTES: i32 = 102_400;

/// Answers with the APIs of this node.
pub struct Apis {
    /// What they may touch.
    pub ctx: Arc<Ctx>,
    /// When a request came.
    pub clock: Clock,
}

impl Service for Apis {
    fn decoded_bytes(&self, frame: &Bytes) -> usize {
        decoded_bytes(frame)
    }

    fn call(&self, origin: &Origin, frame: Bytes, memory: Memory) -> Answer {
        dispatch(&self.ctx, origin, self.clock.now(), (frame, &memory))
    }
}

/// The addresses of this node, taken. Nobody can connect yet, and no other node can have them.
#[derive(Debug)]
pub struct BoundListeners {
    /// Where clients will connect.
    pub clients: Vec<Bound>,
    /// Where those will connect who want the controller.
    pub controllers: Vec<Bound>,
}

impl BoundListeners {
    /// The port of a listener; 0 if there is no such listener.
    pub fn port(&self, name: &str) -> u16 {
        let all = self.clients.iter().chain(&self.controllers);
        let mut of_name = all.filter(|bound| **bound.name() == *name);
        of_name.next().map_or(0, |bound| bound.address().port())
    }
}

/// Takes the addresses of all listeners.
pub fn bind(config: &BrokerConfig) -> io::Result<BoundListeners> {
    let receive_buffer = Some(config.socket_receive_buffer_bytes)
        .filter(|&bytes| bytes != KAFKAS_RECEIVE_BUFFER_BYTES);
    let options = SocketOptions {
        send_buffer_bytes: usize::try_from(config.socket_send_buffer_bytes).ok(),
        receive_buffer_bytes: receive_buffer.and_then(|bytes| usize::try_from(bytes).ok()),
        backlog: config.socket_listen_backlog_size,
    };
    let take = |endpoint: &Endpoint, listener_type: ListenerType| {
        let address = Address {
            name: endpoint.name.as_str().into(),
            listener_type,
            host: endpoint.host.clone(),
            port: endpoint.port,
        };
        Bound::all(&address, options)
    };
    let mut bound = BoundListeners { clients: Vec::new(), controllers: Vec::new() };
    for endpoint in config.broker_listeners() {
        bound.clients.extend(take(endpoint, ListenerType::Broker)?);
    }
    for endpoint in config.controller_listeners() {
        bound.controllers.extend(take(endpoint, ListenerType::Controller)?);
    }
    Ok(bound)
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// The rules, within what the machine allows. `changing` is the configuration as it is at any moment.
pub fn settings(changing: &Arc<ArcSwap<BrokerConfig>>) -> Settings {
    let config = &changing.load();
    let descriptors = resources::raise_descriptors();
    let connections = (descriptors.saturating_mul(CONNECTIONS_SHARE_PERCENT) / 100)
        .min(descriptors.saturating_sub(DESCRIPTORS_KEPT))
        .max(1);
    // Each listener's share of the descriptors is its own, so that neither can starve the other.
    let of_controllers = (connections * CONTROLLER_SHARE_PERCENT / 100).max(1);
    let of_brokers = connections.saturating_sub(of_controllers).max(1);
    let quotas = |listener_type: ListenerType, share: u64| {
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        changing_quotas(Arc::clone(changing), listener_type, share)
    };
    let memory = resources::memory_bytes() / 100 * QUEUED_SHARE_PERCENT;
    // One thread does what Kafka's network and request threads do together.
    let threads = count(config.num_network_threads.max(config.num_io_threads));
    Settings {
        threads: resources::processors().min(threads).clamp(1, THREADS_MAX),
        request_bytes_max: config.socket_request_max_bytes,
        idle_max: u64::try_from(config.connections_max_idle_ms).ok().map(Duration::from_millis),
        tick_max: TICK_MAX,
        quotas: quotas(ListenerType::Broker, of_brokers),
        controller_quotas: quotas(ListenerType::Controller, of_controllers),
        queued_bytes_max: u64::try_from(config.queued_max_request_bytes)
            .ok()
            .filter(|&bytes| bytes > 0)
            .unwrap_or(memory)
            .try_into()
            .unwrap_or(usize::MAX),
    }
}

/// The limits of connections, made anew when the configuration is another one: names may have to be looked up for it.
fn changing_quotas(
    changing: Arc<ArcSwap<BrokerConfig>>,
    listener_type: ListenerType,
    share: usize,
) -> QuotaSource {
    let made = Mutex::new(None::<(Arc<BrokerConfig>, Arc<Quotas>)>);
    Arc::new(move || {
        let config = changing.load();
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, quotas)) if Arc::ptr_eq(of, &config) => Arc::clone(quotas),
            _ => {
                let quotas = Arc::new(quotas(&config, listener_type, share));
                *made = Some((Arc::clone(&config), Arc::clone(&quotas)));
                quotas
            }
        }
    })
}

fn quotas(config: &BrokerConfig, listener_type: ListenerType, share: usize) -> Quotas {
    let listeners: Vec<&Endpoint> = match listener_type {
        ListenerType::Broker => config.broker_listeners().collect(),
        ListenerType::Controller => config.controller_listeners().collect(),
    };
    // Negative ones, and those that cannot be read, have stopped the start.
    let rate = |number: i32| u32::try_from(number).unwrap_or_default();
    let quota = |endpoint: &&Endpoint| {
        let own = config.connection_creation_rate_of(&endpoint.name);
        let quota = ListenerQuota {
            creation_rate: own.map_or(u32::MAX, rate),
            is_protected: listeners.len() > 1 && endpoint.name == config.inter_broker_listener_name,
        };
        (endpoint.name.clone(), quota)
    };
    let sample = Duration::from_secs(count(config.quota_window_size_seconds).max(1) as u64);
    let whole_samples = rate(config.quota_window_num).saturating_sub(1).max(1);
    Quotas {
        connections_max: count(config.max_connections).min(share),
        per_ip_max: count(config.max_connections_per_ip),
        per_ip_overrides: overrides(config),
        creation_rate: rate(config.max_connection_creation_rate),
        listeners: listeners.iter().map(quota).collect(),
        window: Window { burst: sample.saturating_mul(whole_samples), wait_max: sample },
    }
}

/// A name stands for all its addresses.
fn overrides(config: &BrokerConfig) -> BTreeMap<IpAddr, usize> {
    let mut overrides = BTreeMap::new();
    for (host, &limit) in &config.max_connections_per_ip_overrides {
        let limit = usize::try_from(limit).unwrap_or_default();
        match (host.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => {
                overrides.extend(addresses.map(|address| (address.ip().to_canonical(), limit)));
            }
            Err(error) => {
                tracing::warn!(%host, %error, "max.connections.per.ip.overrides: unknown host");
            }
        }
    }
    overrides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::configs::layers::Texts;

    fn config(keys: &[(&str, &str)]) -> BrokerConfig {
        let fixed = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.quorum.voters", "1@localhost:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", "PLAINTEXT://localhost:0,CONTROLLER://localhost:0"),
        ];
        let all = fixed.iter().chain(keys).map(|&(k, v)| (k.to_owned(), v.to_owned()));
        BrokerConfig::new(&all.collect::<Texts>()).unwrap()
    }

    #[test]
    fn defaults_are_finite_and_keys_are_obeyed() {
        let settings_of =
            |keys: &[(&str, &str)]| settings(&Arc::new(ArcSwap::from_pointee(config(keys))));
        let defaults = settings_of(&[]);
        for quotas in [(defaults.quotas)(), (defaults.controller_quotas)()] {
            assert!(quotas.connections_max < 1 << 20 && quotas.connections_max > 1);
        }
        assert!(defaults.queued_bytes_max as u64 <= resources::memory_bytes() / 4);
        assert!(defaults.threads <= 8);
        assert_eq!(defaults.request_bytes_max, 104_857_600);
        assert_eq!(defaults.idle_max, Some(Duration::from_mins(10)));
        let set = settings_of(&[
            ("max.connections", "5"),
            ("max.connections.per.ip", "4"),
            ("max.connections.per.ip.overrides", "127.0.0.1:3,localhost:2"),
            ("connections.max.idle.ms", "-1"),
            ("queued.max.request.bytes", "200000000"),
            ("num.io.threads", "1"),
            ("num.network.threads", "1"),
        ]);
        let quotas = (set.quotas)();
        assert_eq!((quotas.connections_max, quotas.per_ip_max, set.threads), (5, 4, 1));
        assert_eq!((set.idle_max, set.queued_bytes_max), (None, 200_000_000));
        assert_eq!(quotas.per_ip_overrides.get(&IpAddr::from([127, 0, 0, 1])), Some(&2));
    }

    #[test]
    fn rates_are_those_of_the_keys_and_change_with_them() {
        let keys = [
            ("listeners", "PLAINTEXT://:0,INSIDE://:1,CONTROLLER://:2"),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("inter.broker.listener.name", "INSIDE"),
            ("max.connection.creation.rate", "30"),
            ("listener.name.plaintext.max.connection.creation.rate", "20"),
            ("quota.window.num", "4"),
            ("quota.window.size.seconds", "2"),
        ];
        let config = config(&keys);
        let changing = Arc::new(ArcSwap::from_pointee(config.clone()));
        let settings = settings(&changing);
        let quotas = (settings.quotas)();
        let listener =
            |creation_rate: u32, is_protected: bool| ListenerQuota { creation_rate, is_protected };
        let expected = [("INSIDE", listener(30, true)), ("PLAINTEXT", listener(20, false))];
        let expected = expected.map(|(name, quota)| (name.to_owned(), quota));
        assert_eq!((quotas.creation_rate, &quotas.listeners), (30, &BTreeMap::from(expected)));
        let seconds = Duration::from_secs;
        assert_eq!(quotas.window, Window { burst: seconds(6), wait_max: seconds(2) });
        let of_controllers = (settings.controller_quotas)();
        let expected = [("CONTROLLER".to_owned(), listener(30, false))];
        assert_eq!(of_controllers.listeners, BTreeMap::from(expected));

        let dynamic = [("max.connection.creation.rate", "7"), ("max.connections", "3")];
        let dynamic = dynamic.map(|(key, text)| (key.to_owned(), text.to_owned()));
        let dynamic = config.with_dynamic(&Texts::from(dynamic), &Texts::new()).unwrap();
        changing.store(Arc::new(dynamic));
        let quotas = (settings.quotas)();
        assert_eq!((quotas.creation_rate, quotas.connections_max), (7, 3));
        let rates = quotas.listeners.values().map(|quota| quota.creation_rate);
        assert_eq!(rates.collect::<Vec<_>>(), [7, 20]);
    }

    #[test]
    fn listeners_are_bound_those_of_clients_apart() {
        let bound = bind(&config(&[])).unwrap();
        assert!(bound.clients.iter().all(|one| **one.name() == *"PLAINTEXT"));
        assert_eq!(bound.port("PLAINTEXT"), bound.clients[0].address().port());
        assert_ne!(bound.port("CONTROLLER"), 0);
        assert_eq!(bound.port("OTHER"), 0);
        let is_controller = |one: &Bound| one.listener_type() == ListenerType::Controller;
        assert!(bound.controllers.iter().all(is_controller) && !bound.controllers.is_empty());
        assert!(!bound.clients.iter().any(is_controller));
    }
}
