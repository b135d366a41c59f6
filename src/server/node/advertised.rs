//! What others are told to connect to: the advertised addresses, with the ports that the system chose.

use crate::kernel::configs::listeners::Endpoint;
use crate::kernel::metadata::image::ListenerEndpoint;
use crate::server::connections::BoundListeners;

/// The addresses of a registration record. An advertised port of 0 is the port that was bound; an address without a
/// host is this machine's name, as in Kafka.
pub fn endpoints(endpoints: &[Endpoint], bound: &BoundListeners) -> Vec<ListenerEndpoint> {
    let endpoint = |endpoint: &Endpoint| ListenerEndpoint {
        name: endpoint.name.clone(),
        host: host(endpoint),
        port: if endpoint.port == 0 { bound.port(&endpoint.name) } else { endpoint.port },
        security_protocol: endpoint.protocol as i16,
    };
    endpoints.iter().map(endpoint).collect()
}

fn host(endpoint: &Endpoint) -> String {
    match endpoint.host.as_deref() {
        None | Some("") => crate::shell::resources::host_name(),
        Some(host) => host.to_owned(),
    }
}
