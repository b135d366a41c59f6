//! What changes of configuration write, and whether they may.
//!
//! What a change does to a resource's overrides is decided in `kernel::configs::alter`; the broker that got the
//! request has checked what concerns itself.

use std::collections::BTreeMap;

use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Altered;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementallyAltered;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::requests::text;
use super::topic_names::check_topic_name;
use super::view::{BROKER, GROUP, TOPIC, View};
use super::{Decided, RECORDS_MAX, Refusal, Reply, too_large};
use crate::kernel::configs::alter::{self, Change, Operation, Resource, applied};
use crate::kernel::configs::group;
use crate::kernel::configs::layers::Texts;
use crate::kernel::configs::topic;
use crate::types::error_code::ErrorCode;
use crate::types::ids::NodeId;
use crate::wire::records::{ClearElrRecord, ConfigRecord, MetadataRecord};

/// The longest value, in Java's characters: longer ones would not fit Kafka's strings.
const VALUE_LENGTH_MAX: usize = 32_767;
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// Decides on IncrementalAlterConfigs.
pub fn incremental_alter_configs(
    view: &View<'_>,
    request: &IncrementalAlterConfigsRequest,
) -> Result<Decided, Refusal> {
    // Kafka's controller fails on its own mistake over an operation that does not exist, and with it the request.
    let mut changes = request.resources.iter().flat_map(|resource| &resource.configs);
    if changes.any(|change| Operation::from_wire(change.config_operation).is_none()) {
        return Err(Refusal { code: ErrorCode::UnknownServerError, message: None });
    }
    let asked = request.resources.iter().map(|it| (it.resource_type, &it.resource_name));
    let mut decisions = Decisions::new(view, asked);
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in &request.resources {
        let change = |config: &kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig| Change {
            key: config.name.to_string(),
            operation: config.config_operation,
            value: config.value.as_ref().map(ToString::to_string),
        };
        let changes: Vec<Change> = asked.configs.iter().map(change).collect();
        let elr = view.elr_enabled();
        let done =
            decisions.decide(asked.resource_type, &asked.resource_name, |resource, current| {
                alter::incremental(resource, current, &changes, elr)
            })?;
        responses.extend(done.map(|done| {
            let (code, message) = code_and_message(done);
            IncrementallyAltered::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone())
                .with_error_code(code)
                .with_error_message(message)
        }));
    }
    let reply = IncrementalAlterConfigsResponse::default().with_responses(responses);
    let reply = Reply::IncrementalAlterConfigs(reply);
    Ok(Decided { records: decisions.finish(request.validate_only), reply })
}

/// Decides on AlterConfigs.
pub fn alter_configs(view: &View<'_>, request: &AlterConfigsRequest) -> Result<Decided, Refusal> {
    let asked = request.resources.iter().map(|it| (it.resource_type, &it.resource_name));
    let mut decisions = Decisions::new(view, asked);
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in &request.resources {
        let pair = |config: &kafka_protocol::messages::alter_configs_request::AlterableConfig| {
            Some((config.name.to_string(), config.value.as_ref()?.to_string()))
        };
        let new: Texts = asked.configs.iter().filter_map(pair).collect();
        let elr = view.elr_enabled();
        let done =
            decisions.decide(asked.resource_type, &asked.resource_name, |resource, current| {
                alter::legacy(resource, current, &new, elr)
            })?;
        responses.extend(done.map(|done| {
            let (code, message) = code_and_message(done);
            Altered::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone())
                .with_error_code(code)
                .with_error_message(message)
        }));
    }
    let reply = Reply::AlterConfigs(AlterConfigsResponse::default().with_responses(responses));
    Ok(Decided { records: decisions.finish(request.validate_only), reply })
}

fn code_and_message(done: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match done {
        Ok(()) => (0, None),
        Err(refusal) => (refusal.code.code(), refusal.message.map(text)),
    }
}

/// The records of a new topic's configuration.
pub fn of_new_topic(
    view: &View<'_>,
    name: &str,
    configs: &Texts,
) -> Result<Vec<MetadataRecord>, Refusal> {
    if configs.is_empty() {
        return Ok(Vec::new());
    }
    let altered = alter::legacy(Resource::Topic, &Texts::new(), configs, view.elr_enabled())?;
    check_sizes(&altered)?;
    check_topic(view, name, configs)?;
    let mut records = records(TOPIC, name, altered);
    append_clear_elr(view, &mut records);
    Ok(records)
}

/// The decisions on one request's resources.
struct Decisions<'a> {
    view: &'a View<'a>,
    counts: BTreeMap<(i8, &'a str), usize>,
    records: Vec<MetadataRecord>,
}

impl<'a> Decisions<'a> {
    fn new(view: &'a View<'a>, asked: impl Iterator<Item = (i8, &'a StrBytes)>) -> Self {
        let mut counts = BTreeMap::new();
        for (kind, name) in asked {
            *counts.entry((kind, &**name)).or_default() += 1;
        }
        Self { view, counts, records: Vec::new() }
    }

    /// Decides on a resource. None for one that has been answered already: where a resource is there several times,
    /// it is answered once. The outer error refuses the whole request.
    fn decide(
        &mut self,
        kind: i8,
        name: &'a str,
        alter: impl FnOnce(Resource, &Texts) -> Result<alter::Altered, Refusal>,
    ) -> Result<Option<Result<(), Refusal>>, Refusal> {
        match self.counts.get_mut(&(kind, name)) {
            None | Some(1) => {}
            Some(0) => return Ok(None),
            Some(several) => {
                *several = 0;
                let refusal = Refusal::new(ErrorCode::InvalidRequest, "Duplicate resource.");
                return Ok(Some(Err(refusal)));
            }
        }
        let new = resource_of(kind, name).and_then(|resource| {
            let current = self.view.overrides(kind, name);
            let altered = alter(resource, current)?;
            check_sizes(&altered)?;
            match resource {
                Resource::Topic => {
                    check_topic(self.view, name, &applied(current, &altered))?;
                    check_topic_exists(self.view, name)?;
                }
                Resource::Broker | Resource::ClusterDefault => check_broker(self.view, name)?,
                Resource::Group => check_group(self.view, name, &applied(current, &altered))?,
            }
            Ok(records(kind, name, altered))
        });
        let done = new.map(|new| self.records.extend(new));
        if self.records.len() > RECORDS_MAX {
            return Err(too_large());
        }
        Ok(Some(done))
    }

    fn finish(mut self, validate_only: bool) -> Vec<MetadataRecord> {
        if validate_only {
            return Vec::new();
        }
        append_clear_elr(self.view, &mut self.records);
        self.records
    }
}

fn resource_of(kind: i8, name: &str) -> Result<Resource, Refusal> {
    let unexpected = |kind: &str| {
        let message = format!("Unexpected resource type {kind}.");
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    };
    match kind {
        TOPIC => Ok(Resource::Topic),
        BROKER if name.is_empty() => Ok(Resource::ClusterDefault),
        BROKER => Ok(Resource::Broker),
        8 => unexpected("BROKER_LOGGER"),
        16 => unexpected("CLIENT_METRICS"),
        GROUP => Ok(Resource::Group),
        other => {
            let message = format!("Unknown resource type {other}.");
            Err(Refusal::new(ErrorCode::UnsupportedVersion, message))
        }
    }
}

fn records(kind: i8, name: &str, altered: alter::Altered) -> Vec<MetadataRecord> {
    let record = |(key, value): (String, Option<String>)| {
        let resource_name = name.to_owned();
        ConfigRecord { resource_type: kind, resource_name, name: key, value }.into()
    };
    altered.into_iter().map(record).collect()
}

fn check_sizes(altered: &alter::Altered) -> Result<(), Refusal> {
    let is_long = |text: &String| {
        text.len() > VALUE_LENGTH_MAX && text.encode_utf16().count() > VALUE_LENGTH_MAX
    };
    if altered.iter().any(|(_, value)| value.as_ref().is_some_and(is_long)) {
        let message = format!(
            "The configuration value cannot be added because it exceeds the maximum value size of \
             {VALUE_LENGTH_MAX} bytes."
        );
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    Ok(())
}

fn check_topic(view: &View<'_>, name: &str, overrides: &Texts) -> Result<(), Refusal> {
    if name.is_empty() {
        let message = "Default topic resources are not allowed.";
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    check_topic_name(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
    topic::validate(&view.layers(), overrides)
        .map_err(|refusal| Refusal::new(ErrorCode::InvalidConfig, refusal.0.message))
}

fn check_group(view: &View<'_>, name: &str, overrides: &Texts) -> Result<(), Refusal> {
    if name.is_empty() {
        let message = "Default group resources are not allowed.";
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    group::validate(&view.layers(), overrides)
        .map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.message))
}

fn check_topic_exists(view: &View<'_>, name: &str) -> Result<(), Refusal> {
    if view.image.topics.named(name).is_some() {
        return Ok(());
    }
    let message = format!("The topic '{name}' does not exist.");
    Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
}

fn check_broker(view: &View<'_>, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Ok(());
    }
    let refuse = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    match name.parse::<i32>() {
        Err(_) => refuse("Unable to parse broker name as a base 10 number."),
        Ok(id) if id < 0 => refuse("Invalid negative broker ID."),
        Ok(id) => {
            let id = NodeId(id);
            if view.broker(id).is_some() || view.image.controllers.contains_key(&id) {
                return Ok(());
            }
            let message = format!("No node with id {id} found.");
            Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message))
        }
    }
}

/// Eligible leader replicas depend on min.insync.replicas: those chosen under another value are forgotten (KIP-966).
fn append_clear_elr(view: &View<'_>, records: &mut Vec<MetadataRecord>) {
    if !view.elr_enabled() {
        return;
    }
    let cleared = |record: &MetadataRecord| match record {
        MetadataRecord::Config(config) if config.name == MIN_INSYNC_REPLICAS => {
            let is_topic = config.resource_type == TOPIC;
            let topic_name = if is_topic { config.resource_name.clone() } else { String::new() };
            Some(ClearElrRecord { topic_name }.into())
        }
        _ => None,
    };
    let clear: Vec<MetadataRecord> = records.iter().filter_map(cleared).collect();
    records.extend(clear);
}

/// What must hold before eligible leader replicas are switched on: one min.insync.replicas, that of the cluster.
pub fn make_safe_for_elr(view: &View<'_>) -> Vec<MetadataRecord> {
    let mut new = Vec::new();
    if !view.overrides(BROKER, "").contains_key(MIN_INSYNC_REPLICAS) {
        let value = Some(fixed_min_insync_replicas(view).to_owned());
        new.extend(records(BROKER, "", vec![(MIN_INSYNC_REPLICAS.to_owned(), value)]));
    }
    for (resource, texts) in view.image.configs.iter() {
        let is_one_broker = resource.kind == BROKER && !resource.name.is_empty();
        if is_one_broker && texts.contains_key(MIN_INSYNC_REPLICAS) {
            let gone = vec![(MIN_INSYNC_REPLICAS.to_owned(), None)];
            new.extend(records(BROKER, &resource.name, gone));
        }
    }
    new
}

/// min.insync.replicas as it was set before the start, or its default.
pub fn fixed_min_insync_replicas<'a>(view: &View<'a>) -> &'a str {
    view.config.explicit.get(MIN_INSYNC_REPLICAS).map_or("1", String::as_str)
}
