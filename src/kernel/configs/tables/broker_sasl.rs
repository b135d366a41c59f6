//! Broker keys of SASL.
//!
//! Names, types, defaults, ranges, importance and update modes are those of Apache Kafka 4.3.1.

use super::definitions;
use crate::kernel::configs::definition::{EmptyList, Valid};

definitions! {
    BROKER_SASL:

    "sasl.client.callback.handler.class" Class null, Valid::Any, Medium ReadOnly,
        "The callback handler of SASL clients.";
    "sasl.enabled.mechanisms" List "GSSAPI", Valid::Distinct(EmptyList::Empty), Medium PerBroker,
        "The SASL mechanisms that are offered.";
    "sasl.jaas.config" Password null, Valid::Any, Medium PerBroker,
        "The JAAS login context of SASL connections.";
    "sasl.kerberos.kinit.cmd" Str "/usr/bin/kinit", Valid::Any, Medium PerBroker,
        "The path of kinit.";
    "sasl.kerberos.min.time.before.relogin" Long "60000", Valid::Any, Medium PerBroker,
        "The least time between two refreshes of a Kerberos login.";
    "sasl.kerberos.principal.to.local.rules" List "DEFAULT", Valid::Distinct(EmptyList::Empty), Medium PerBroker,
        "Rules that shorten Kerberos principals to names.";
    "sasl.kerberos.service.name" Str null, Valid::Any, Medium PerBroker,
        "The Kerberos name the broker runs as.";
    "sasl.kerberos.ticket.renew.jitter" Double "0.05", Valid::Any, Medium PerBroker,
        "The random share added to the renewal time of a Kerberos ticket.";
    "sasl.kerberos.ticket.renew.window.factor" Double "0.8", Valid::Any, Medium PerBroker,
        "The share of a Kerberos ticket's life after which it is renewed.";
    "sasl.login.callback.handler.class" Class null, Valid::Any, Medium ReadOnly,
        "The callback handler of SASL logins.";
    "sasl.login.class" Class null, Valid::Any, Medium ReadOnly,
        "The class that performs SASL logins.";
    "sasl.login.connect.timeout.ms" Int null, Valid::Any, Low ReadOnly,
        "How long a connection to the identity provider may take to open; for OAUTHBEARER.";
    "sasl.login.read.timeout.ms" Int null, Valid::Any, Low ReadOnly,
        "How long an answer of the identity provider may take; for OAUTHBEARER.";
    "sasl.login.refresh.buffer.seconds" Short "300", Valid::Any, Medium PerBroker,
        "The time before expiry at which credentials are refreshed at the latest; for OAUTHBEARER.";
    "sasl.login.refresh.min.period.seconds" Short "60", Valid::Any, Medium PerBroker,
        "The least time before credentials are refreshed; for OAUTHBEARER.";
    "sasl.login.refresh.window.factor" Double "0.8", Valid::Any, Medium PerBroker,
        "The share of a credential's life after which it is refreshed; for OAUTHBEARER.";
    "sasl.login.refresh.window.jitter" Double "0.05", Valid::Any, Medium PerBroker,
        "The random share added to the refresh time of credentials; for OAUTHBEARER.";
    "sasl.login.retry.backoff.max.ms" Long "10000", Valid::Any, Low ReadOnly,
        "The longest pause before the identity provider is asked again; for OAUTHBEARER.";
    "sasl.login.retry.backoff.ms" Long "100", Valid::Any, Low ReadOnly,
        "The first pause before the identity provider is asked again; for OAUTHBEARER.";
    "sasl.mechanism.controller.protocol" Str "GSSAPI", Valid::Any, High ReadOnly,
        "The SASL mechanism used towards controllers.";
    "sasl.mechanism.inter.broker.protocol" Str "GSSAPI", Valid::Any, Medium PerBroker,
        "The SASL mechanism used between brokers.";
    "sasl.oauthbearer.assertion.algorithm" Str "RS256", Valid::OneOfIgnoringCase(&["ES256", "RS256"]), Medium ReadOnly,
        "The algorithm that signs client assertions.";
    "sasl.oauthbearer.assertion.claim.aud" Str null, Valid::Any, Medium ReadOnly,
        "The audience claim of client assertions.";
    "sasl.oauthbearer.assertion.claim.exp.seconds" Int "300", Valid::Between(0.0, 86_400.0), Low ReadOnly,
        "The life of a client assertion.";
    "sasl.oauthbearer.assertion.claim.iss" Str null, Valid::Any, Medium ReadOnly,
        "The issuer claim of client assertions.";
    "sasl.oauthbearer.assertion.claim.jti.include" Boolean "false", Valid::Any, Medium ReadOnly,
        "Whether client assertions carry a unique id.";
    "sasl.oauthbearer.assertion.claim.nbf.seconds" Int "60", Valid::Between(0.0, 3600.0), Low ReadOnly,
        "How far back a client assertion's not-before claim lies.";
    "sasl.oauthbearer.assertion.claim.sub" Str null, Valid::Any, Medium ReadOnly,
        "The subject claim of client assertions.";
    "sasl.oauthbearer.assertion.file" Str null, Valid::Any, Medium ReadOnly,
        "A file with a ready client assertion.";
    "sasl.oauthbearer.assertion.private.key.file" Str null, Valid::Any, Medium ReadOnly,
        "The file of the private key that signs client assertions.";
    "sasl.oauthbearer.assertion.private.key.passphrase" Password null, Valid::Any, Medium ReadOnly,
        "The passphrase of the private key that signs client assertions.";
    "sasl.oauthbearer.assertion.template.file" Str null, Valid::Any, Medium ReadOnly,
        "A file with a template of client assertions.";
    "sasl.oauthbearer.client.credentials.client.id" Str null, Valid::Any, Medium ReadOnly,
        "The client id shown to the identity provider.";
    "sasl.oauthbearer.client.credentials.client.secret" Password null, Valid::Any, Medium ReadOnly,
        "The client secret shown to the identity provider.";
    "sasl.oauthbearer.clock.skew.seconds" Int "30", Valid::Any, Low ReadOnly,
        "The difference of clocks that is tolerated when a token is checked.";
    "sasl.oauthbearer.expected.audience" List "", Valid::Distinct(EmptyList::Empty), High ReadOnly,
        "The audiences of which a token must name one.";
    "sasl.oauthbearer.expected.issuer" Str null, Valid::Any, High ReadOnly,
        "The issuer that a token must name.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms" Long "3600000", Valid::Any, Low ReadOnly,
        "The time between refreshes of the identity provider's keys.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" Long "10000", Valid::Any, Low ReadOnly,
        "The longest pause before the identity provider's keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" Long "100", Valid::Any, Low ReadOnly,
        "The first pause before the identity provider's keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.url" Str null, Valid::Any, Medium ReadOnly,
        "Where the identity provider's keys are found.";
    "sasl.oauthbearer.jwt.retriever.class" Class "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Valid::Any, Medium ReadOnly,
        "The class that fetches tokens.";
    "sasl.oauthbearer.jwt.validator.class" Class "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Valid::Any, Medium ReadOnly,
        "The class that checks tokens.";
    "sasl.oauthbearer.scope" Str null, Valid::Any, Medium ReadOnly,
        "The scope asked for with a token.";
    "sasl.oauthbearer.scope.claim.name" Str "scope", Valid::Any, Low ReadOnly,
        "The name of the claim that holds the scope.";
    "sasl.oauthbearer.sub.claim.name" Str "sub", Valid::Any, Low ReadOnly,
        "The name of the claim that holds the subject.";
    "sasl.oauthbearer.token.endpoint.url" Str null, Valid::Any, Medium ReadOnly,
        "Where tokens are fetched.";
    "sasl.server.callback.handler.class" Class null, Valid::Any, Medium ReadOnly,
        "The callback handler of a listener's SASL mechanism.";
    "sasl.server.max.receive.size" Int "524288", Valid::Any, Medium ReadOnly,
        "The largest SASL message that is read before authentication.";
}
