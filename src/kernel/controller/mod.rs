//! Decides changes of the metadata: (image, request) to records and a reply.
//!
//! Requests and replies are the messages of the protocol crate; handlers deal with versions and with the wire. Each
//! decision sees those before it, whether they are on disk or not; what is published is what was decided up to then.
//!
//! - [`requests`]: what is asked and answered; [`view`]: what decisions ask of the image.
//! - [`lifecycle`], [`partition_change`]: registrations, and who leads while brokers come and go.
//! - [`create_topics`], [`delete_topics`], [`create_partitions`], [`placement`], [`topic_names`]: topics.
//! - [`acls`], [`configs`], [`features`], [`feature_table`], [`producer_ids`]: the rest.
//!
//! Deliberately absent while a cluster has one broker: heartbeats, reassignments, preferred elections, quotas on changes.

pub mod acls;
pub mod configs;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod feature_table;
pub mod features;
pub mod lifecycle;
pub mod partition_change;
pub mod placement;
pub mod producer_ids;
pub mod requests;
pub mod topic_names;
pub mod view;

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use self::lifecycle::Step;
use self::placement::Random;
pub use self::requests::{Reply, Request};
use self::view::View;
use super::configs::alter::AlterRefusal as Refusal;
use super::configs::broker::BrokerConfig;
use super::metadata::changes::Changes;
use super::metadata::delta::Delta;
use super::metadata::image::{Image, ListenerEndpoint, Provenance};
use crate::types::epoch::BrokerEpoch;
use crate::types::error_code::ErrorCode;
use crate::types::ids::DirectoryId;
use crate::types::offset::Offset;
use crate::wire::records::{MetadataRecord, NoOpRecord};

/// One request makes no more records, as in Kafka.
pub const RECORDS_MAX: usize = 10_000;

/// Everything the controller is told at its start.
#[derive(Clone, Debug)]
pub struct ControllerStart {
    /// This node's configuration, as it was set before the start.
    pub config: Arc<BrokerConfig>,
    /// Where a transaction begins that the log ends in.
    pub open_transaction: Option<Offset>,
    /// The quorum's level of kraft.version.
    pub kraft_version: i16,
    /// What a new cluster begins with, of `bootstrap.checkpoint`; without a level of metadata.version, the latest one.
    pub bootstrap: Vec<MetadataRecord>,
    /// Where clients reach this broker: advertised addresses, with the ports that were bound.
    pub broker_listeners: Vec<ListenerEndpoint>,
    /// Where other nodes reach this controller.
    pub controller_listeners: Vec<ListenerEndpoint>,
    /// Drawn anew at each start.
    pub broker_incarnation_id: Uuid,
    /// Drawn anew at each start.
    pub controller_incarnation_id: Uuid,
    /// The ids of the log directories in use.
    pub log_dirs: Vec<DirectoryId>,
    /// The broker epoch that the last stop in order wrote down; −1 without one.
    pub previous_broker_epoch: BrokerEpoch,
}

/// What a decision writes: the values of records, which the controller's next decision sees already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// In their frames.
    pub values: Vec<Bytes>,
    /// Whether they must be in one batch.
    pub atomic: bool,
}

/// A decision before it is written.
#[derive(Debug, PartialEq)]
pub struct Decided {
    /// What it writes, all or nothing.
    pub records: Vec<MetadataRecord>,
    /// What is answered.
    pub reply: Reply,
}

/// The request would write more than one batch can hold.
fn too_large() -> Refusal {
    let message = "Unable to perform excessively large batch operation.";
    Refusal::new(ErrorCode::PolicyViolation, message)
}

/// What has been done of a start or an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Begin,
    RegisterController,
    RegisterBroker,
    Uncordon,
    Unfence,
    Recover,
    Working,
    Fence,
    Gone,
}

/// The controller of a node. It never waits and never fails: what cannot be done is answered.
pub struct Controller {
    start: ControllerStart,
    working: Delta,
    stage: Stage,
    /// A record that it made did not apply to the image it was made from: a fault of this program. Nothing is decided
    /// from then on, since nobody could know what it would mean.
    is_broken: bool,
}

impl Controller {
    /// A controller that builds upon what was loaded. The first image that is published differs by all that from
    /// the one that `loaded` began with.
    pub fn new(start: ControllerStart, loaded: Delta) -> Self {
        Self { start, working: loaded, stage: Stage::Begin, is_broken: false }
    }

    /// The image with everything decided so far.
    #[cfg(any(test, feature = "internals"))]
    pub fn image(&self) -> &Image {
        self.working.image()
    }

    /// Decides on `request`. `fits` says whether these values can be written in one batch.
    pub fn decide(
        &mut self,
        request: &Request,
        random: Random<'_>,
        fits: &dyn Fn(&[Bytes]) -> bool,
    ) -> (Output, Reply) {
        let refused = |refusal: &Refusal| (Output::default(), request.refused(refusal));
        let unknown = Refusal { code: ErrorCode::UnknownServerError, message: None };
        if self.is_broken {
            return refused(&unknown);
        }
        let decided = match self.decide_records(request, random) {
            Ok(decided) => decided,
            Err(refusal) => return refused(&refusal),
        };
        let values = self.encode(&decided.records);
        if !fits(&values) {
            return refused(&too_large());
        }
        if !self.apply(&decided.records) {
            return refused(&unknown);
        }
        (Output { values, atomic: true }, decided.reply)
    }

    fn decide_records(&self, request: &Request, random: Random<'_>) -> Result<Decided, Refusal> {
        let view = &self.view();
        match request {
            Request::CreateTopics(request) => create_topics::create_topics(view, request, random),
            Request::DeleteTopics(request) => delete_topics::delete_topics(view, request),
            Request::CreatePartitions(request) => {
                create_partitions::create_partitions(view, request, random)
            }
            Request::IncrementalAlterConfigs(request) => {
                configs::incremental_alter_configs(view, request)
            }
            Request::AlterConfigs(request) => configs::alter_configs(view, request),
            Request::UpdateFeatures(request) => {
                Ok(features::update_features(view, request, self.start.kraft_version))
            }
            Request::CreateAcls(request) => acls::create_acls(view, request, random),
            Request::DeleteAcls(request) => acls::delete_acls(view, request),
            Request::AllocateProducerIds(request) => producer_ids::allocate(view, request),
        }
    }

    /// What a new leader writes next, its first record at `next`; none once this node is at work.
    pub fn activate(&mut self, next: Offset) -> Option<Output> {
        while self.stage < Stage::Working {
            let view = self.view();
            let (step, stage) = match self.stage {
                Stage::Begin => (lifecycle::begin(&view, &self.start), Stage::RegisterController),
                Stage::RegisterController => {
                    (lifecycle::register_controller(&view, &self.start), Stage::RegisterBroker)
                }
                Stage::RegisterBroker => {
                    (lifecycle::register_broker(&view, &self.start, next), Stage::Uncordon)
                }
                Stage::Uncordon => (lifecycle::uncordon(&view), Stage::Unfence),
                Stage::Unfence => (lifecycle::unfence(&view), Stage::Recover),
                _ => (lifecycle::recover(&view), Stage::Working),
            };
            self.stage = stage;
            if let Some(output) = self.take(&step) {
                return Some(output);
            }
        }
        None
    }

    /// What this node writes next when it leaves; none when it has left.
    pub fn leave(&mut self) -> Option<Output> {
        while self.stage < Stage::Gone {
            let (step, stage) = match self.stage {
                Stage::Fence => (lifecycle::fence(&self.view()), Stage::Gone),
                _ => (lifecycle::shut_down(&self.view()), Stage::Fence),
            };
            self.stage = stage;
            if let Some(output) = self.take(&step) {
                return Some(output);
            }
        }
        None
    }

    /// What is written when nothing else was for a while (KIP-835).
    pub fn idle(&mut self) -> Output {
        let records = vec![NoOpRecord::default().into()];
        self.take(&Step { records, atomic: false }).unwrap_or_default()
    }

    /// Everything decided so far as an image, and what changed since the last one. `at` is the last record of the log.
    pub fn publish(&mut self, at: Provenance) -> (Arc<Image>, Changes) {
        let next = Delta::new(self.working.image());
        let (image, changes) = std::mem::replace(&mut self.working, next).finish(at);
        let image = Arc::new(image);
        self.working = Delta::new(&image);
        (image, changes)
    }

    fn view(&self) -> View<'_> {
        View { image: self.working.image(), config: &self.start.config }
    }

    /// Applies and encodes a step; none if there is nothing in it.
    fn take(&mut self, step: &Step) -> Option<Output> {
        if step.records.is_empty() || self.is_broken {
            return None;
        }
        let values = self.encode(&step.records);
        self.apply(&step.records).then_some(Output { values, atomic: step.atomic })
    }

    fn encode(&self, records: &[MetadataRecord]) -> Vec<Bytes> {
        let metadata_version = self.working.image().metadata_version();
        records.iter().map(|record| record.encode(metadata_version)).collect()
    }

    fn apply(&mut self, records: &[MetadataRecord]) -> bool {
        for record in records {
            if let Err(error) = self.working.replay(record) {
                tracing::error!(%error, ?record, "the controller's own record does not apply");
                self.is_broken = true;
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
