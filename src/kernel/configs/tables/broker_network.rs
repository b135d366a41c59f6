//! Broker keys of listeners, sockets, threads, requests, quotas and metrics.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_NETWORK:

    "advertised.listeners" List null, Valid::Distinct(EmptyList::NotEmpty), High ReadOnly,
        "The addresses that clients are told to connect to, where they differ from listeners; 0.0.0.0 cannot be advertised.";
    "background.threads" Int "10", Valid::AtLeast(1.0), High ClusterWide,
        "The number of threads for work in the background.";
    "client.quota.callback.class" Class null, Valid::Any, Low ReadOnly,
        "The Java class which decides the quotas of clients.";
    "connections.max.idle.ms" Long "600000", Valid::Any, Medium ReadOnly,
        "A connection that is idle for longer than this is closed.";
    "controlled.shutdown.enable" Boolean "true", Valid::Any, Medium ReadOnly,
        "Whether a stopping broker first hands its leaderships over.";
    "delete.records.purgatory.purge.interval.requests" Int "1", Valid::Any, Medium ReadOnly,
        "How many completed DeleteRecords requests may collect before they are purged.";
    "fetch.max.bytes" Int "57671680", Valid::AtLeast(1024.0), Medium ReadOnly,
        "The most bytes returned to one fetch request.";
    "fetch.purgatory.purge.interval.requests" Int "1000", Valid::Any, Medium ReadOnly,
        "How many completed fetches may collect before they are purged.";
    "inter.broker.listener.name" Str null, Valid::Any, Medium ReadOnly,
        "The listener that brokers use among themselves.";
    "kafka.metrics.polling.interval.secs" Int "10", Valid::AtLeast(1.0), Low ReadOnly,
        "How often the reporters of kafka.metrics.reporters run.";
    "kafka.metrics.reporters" List "", Valid::Distinct(EmptyList::Empty), Low ReadOnly,
        "Java classes that report the broker's metrics.";
    "listener.security.protocol.map" Str "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", Valid::Any, Low PerBroker,
        "Maps the name of each listener to its security protocol.";
    "listeners" List "PLAINTEXT://:9092", Valid::Distinct(EmptyList::NotEmpty), High PerBroker,
        "The listeners as NAME://host:port, separated by commas; an empty host means every address.";
    "max.connection.creation.rate" Int "2147483647", Valid::AtLeast(0.0), Medium ClusterWide,
        "The most connections accepted per second on a listener.";
    "max.connections" Int "2147483647", Valid::AtLeast(0.0), Medium ClusterWide,
        "The most connections of the broker, over all listeners.";
    "max.connections.per.ip" Int "2147483647", Valid::AtLeast(0.0), Medium ClusterWide,
        "The most connections from one address.";
    "max.connections.per.ip.overrides" Str "", Valid::Any, Medium ClusterWide,
        "Limits for single addresses or names, as host:limit separated by commas.";
    "max.incremental.fetch.session.cache.slots" Int "1000", Valid::AtLeast(0.0), Medium ReadOnly,
        "The most incremental fetch sessions kept.";
    "max.request.partition.size.limit" Int "2000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most partitions described in one answer.";
    "metric.reporters" List "org.apache.kafka.common.metrics.JmxReporter", Valid::Distinct(EmptyList::Empty), Low ClusterWide,
        "Java classes that report metrics.";
    "metrics.num.samples" Int "2", Valid::AtLeast(1.0), Low ReadOnly,
        "The number of samples kept to compute metrics.";
    "metrics.recording.level" Str "INFO", Valid::Any, Low ReadOnly,
        "The level of detail of recorded metrics.";
    "metrics.sample.window.ms" Long "30000", Valid::AtLeast(1.0), Low ReadOnly,
        "The length of each sample of metrics.";
    "num.io.threads" Int "8", Valid::AtLeast(1.0), High ClusterWide,
        "The number of threads that handle requests.";
    "num.network.threads" Int "3", Valid::AtLeast(1.0), High ClusterWide,
        "The number of threads that read requests and write answers, for each listener.";
    "producer.purgatory.purge.interval.requests" Int "1000", Valid::Any, Medium ReadOnly,
        "How many completed produce requests may collect before they are purged.";
    "queued.max.request.bytes" Long "-1", Valid::Any, Medium ReadOnly,
        "The bytes of queued requests above which nothing more is read; -1 means no limit.";
    "queued.max.requests" Int "500", Valid::AtLeast(1.0), High ReadOnly,
        "The number of queued requests above which the network threads wait.";
    "quota.window.num" Int "11", Valid::AtLeast(1.0), Low ReadOnly,
        "The number of samples kept to compute client quotas.";
    "quota.window.size.seconds" Int "1", Valid::AtLeast(1.0), Low ReadOnly,
        "The length of each sample of client quotas.";
    "request.timeout.ms" Int "30000", Valid::Any, High ReadOnly,
        "How long a request of the broker itself waits for its answer.";
    "socket.connection.setup.timeout.max.ms" Long "30000", Valid::Any, Medium ReadOnly,
        "The longest time an outgoing connection may take to open, after retries.";
    "socket.connection.setup.timeout.ms" Long "10000", Valid::Any, Medium ReadOnly,
        "The first time an outgoing connection may take to open; it doubles with each failure.";
    "socket.listen.backlog.size" Int "50", Valid::AtLeast(1.0), Medium ReadOnly,
        "The most connections that wait to be accepted.";
    "socket.receive.buffer.bytes" Int "102400", Valid::Any, High ReadOnly,
        "The receive buffer of server sockets; -1, and the default too, leave it to the system.";
    "socket.request.max.bytes" Int "104857600", Valid::AtLeast(1.0), High ReadOnly,
        "The largest request that is read.";
    "socket.send.buffer.bytes" Int "102400", Valid::Any, High ReadOnly,
        "The send buffer of server sockets; -1 leaves it to the system.";
    "telemetry.max.bytes" Int "1048576", Valid::AtLeast(1.0), Low ReadOnly,
        "The largest push of client metrics that is accepted.";
}
