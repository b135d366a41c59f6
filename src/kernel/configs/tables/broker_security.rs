//! Broker keys of TLS, authorisation, delegation tokens and other security.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_SECURITY:

    "authorizer.class.name" Str "", Valid::NonNull, Low ReadOnly,
        "The class that authorises requests; empty means that everyone may do everything.";
    "config.providers" List "", Valid::Distinct(EmptyList::Empty), Low ClusterWide,
        "Names of the classes that supply configuration values from elsewhere.";
    "connection.failed.authentication.delay.ms" Int "100", Valid::AtLeast(0.0), Low ReadOnly,
        "How long the close of a connection is delayed after a failed authentication; not more than connections.max.idle.ms.";
    "connections.max.reauth.ms" Long "0", Valid::Any, Medium ReadOnly,
        "When positive, SASL connections must authenticate again within this time or are closed.";
    "delegation.token.expiry.check.interval.ms" Long "3600000", Valid::AtLeast(1.0), Low ReadOnly,
        "The time between scans for expired delegation tokens.";
    "delegation.token.expiry.time.ms" Long "86400000", Valid::AtLeast(1.0), Medium ReadOnly,
        "How long a delegation token is valid before it must be renewed.";
    "delegation.token.max.lifetime.ms" Long "604800000", Valid::AtLeast(1.0), Medium ReadOnly,
        "The longest life of a delegation token, renewals included.";
    "delegation.token.secret.key" Password null, Valid::Any, Medium ReadOnly,
        "The secret with which delegation tokens are signed; the same on every broker and controller.";
    "early.start.listeners" List null, Valid::Distinct(EmptyList::Empty), High ReadOnly,
        "Listeners that open before the authorizer is ready; by default those of controllers.";
    "principal.builder.class" Class "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", Valid::Any, Medium PerBroker,
        "The class that derives the principal of a connection.";
    "security.inter.broker.protocol" Str "PLAINTEXT", Valid::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium ReadOnly,
        "The security protocol between brokers; not together with inter.broker.listener.name.";
    "security.providers" Str null, Valid::Any, Low ReadOnly,
        "Java classes that supply security algorithms.";
    "ssl.allow.dn.changes" Boolean "false", Valid::Any, Low ReadOnly,
        "Whether a new key store may hold another distinguished name.";
    "ssl.allow.san.changes" Boolean "false", Valid::Any, Low ReadOnly,
        "Whether a new key store may hold other subject alternative names.";
    "ssl.cipher.suites" List "", Valid::Distinct(EmptyList::Empty), Medium PerBroker,
        "The cipher suites that are offered; empty means the defaults.";
    "ssl.client.auth" Str "none", Valid::OneOf(&["required", "requested", "none"]), Medium PerBroker,
        "Whether clients must show a certificate: required, requested or none.";
    "ssl.enabled.protocols" List "TLSv1.2,TLSv1.3", Valid::Distinct(EmptyList::Empty), Medium PerBroker,
        "The versions of TLS that are offered.";
    "ssl.endpoint.identification.algorithm" Str "https", Valid::Any, Low PerBroker,
        "How the host name in a certificate is checked; empty means not at all.";
    "ssl.engine.factory.class" Class null, Valid::Any, Low PerBroker,
        "The class that makes TLS engines.";
    "ssl.key.password" Password null, Valid::Any, Medium PerBroker,
        "The password of the private key.";
    "ssl.keymanager.algorithm" Str "SunX509", Valid::Any, Medium PerBroker,
        "The algorithm of the key manager.";
    "ssl.keystore.certificate.chain" Password null, Valid::Any, Medium PerBroker,
        "The certificate chain, in PEM.";
    "ssl.keystore.key" Password null, Valid::Any, Medium PerBroker,
        "The private key, in PEM.";
    "ssl.keystore.location" Str null, Valid::Any, Medium PerBroker,
        "The file of the key store.";
    "ssl.keystore.password" Password null, Valid::Any, Medium PerBroker,
        "The password of the key store.";
    "ssl.keystore.type" Str "JKS", Valid::Any, Medium PerBroker,
        "The format of the key store: JKS, PKCS12 or PEM.";
    "ssl.principal.mapping.rules" Str "DEFAULT", Valid::Any, Low ReadOnly,
        "Rules that shorten distinguished names to user names.";
    "ssl.protocol" Str "TLSv1.3", Valid::Any, Medium PerBroker,
        "The version of TLS used to make the context.";
    "ssl.provider" Str null, Valid::Any, Medium PerBroker,
        "The Java provider of TLS.";
    "ssl.secure.random.implementation" Str null, Valid::Any, Low PerBroker,
        "The random number generator of TLS.";
    "ssl.trustmanager.algorithm" Str "PKIX", Valid::Any, Medium PerBroker,
        "The algorithm of the trust manager.";
    "ssl.truststore.certificates" Password null, Valid::Any, Medium PerBroker,
        "The trusted certificates, in PEM.";
    "ssl.truststore.location" Str null, Valid::Any, Medium PerBroker,
        "The file of the trust store.";
    "ssl.truststore.password" Password null, Valid::Any, Medium PerBroker,
        "The password of the trust store.";
    "ssl.truststore.type" Str "JKS", Valid::Any, Medium PerBroker,
        "The format of the trust store: JKS, PKCS12 or PEM.";
}
