//! Everything that a node consists of, in the order in which it comes to be: directories, the metadata log, the quorum,
//! partitions, the controller. What is started here is stopped here, the other way round.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Failure, advertised};
use crate::api::api_versions;
use crate::api::cluster::auto_creation::AutoCreation;
use crate::api::context::{Ctx, NodeInfo};
use crate::api::coordinators::Coordinators;
use crate::api::data::producer_ids::ProducerIds;
use crate::kernel::authorizer::Authorizer;
use crate::kernel::configs::broker::BrokerConfig;
use crate::kernel::controller::{ControllerStart, Reply, Request};
use crate::kernel::metadata::image::Image;
use crate::kernel::raft::checkpoint::Checkpoint;
use crate::kernel::raft::view::QuorumView;
use crate::kernel::raft::voters::Endpoint;
use crate::kernel::replica::fetch_session::FetchSessions;
use crate::server::config::Settings;
use crate::server::connections::BoundListeners;
use crate::server::format::Storage;
use crate::server::format::start::{Prepared, prepare};
use crate::shell::clock::Clock;
use crate::shell::disk::directory_lock::DirectoryLock;
use crate::shell::disk::files::Files;
use crate::shell::drivers::background::Background;
use crate::shell::drivers::cleaner::Cleaner;
use crate::shell::drivers::controller::Running;
use crate::shell::drivers::controller::decider::Decider;
use crate::shell::drivers::controller::quorum::{self, LocalVoter};
use crate::shell::drivers::controller::worker::Worker;
use crate::shell::drivers::metadata_log::replayer::Replayer;
use crate::shell::drivers::metadata_log::store::{Store, StoreOptions, read_bootstrap};
use crate::shell::drivers::partitions::Partitions;
use crate::shell::drivers::publisher::{Published, Publisher};
use crate::shell::random::random_bytes;
use crate::types::epoch::BrokerEpoch;
use crate::types::ids::uuid_from_random;
use crate::wire::records::MetadataRecord;

/// A node at work, without its connections.
pub struct Node {
    ctx: Arc<Ctx>,
    controller: Running<Request, Reply>,
    coordinators: Coordinators,
    background: Background,
    /// Held to the end, so that no other process touches the directories before.
    _locks: Vec<DirectoryLock>,
}

impl Node {
    /// Starts everything; when this returns, the node leads its partitions and may be asked. `failed` is told when it
    /// can do so no longer.
    pub fn start(
        settings: &Settings,
        bound: &BoundListeners,
        clock: Clock,
        failed: Arc<Notify>,
    ) -> Result<Self, Failure> {
        let config = &settings.broker;
        let storage = Storage::of(config);
        let (prepared, locks) = take_directories(settings, &storage, clock)?;
        let now = clock.now();
        let options = StoreOptions {
            segment_bytes: config.metadata_log_segment_bytes.max(0).cast_unsigned(),
            segment_ms: config.metadata_log_segment_ms,
            limits: quorum::snapshot_limits(config),
        };
        let (mut store, _) = Store::open(Files, &storage.metadata_log_dir, options, now)?;
        let mut replayer = Replayer::default();
        let loaded = store.load(&mut replayer)?;
        let raft = quorum::raft(
            config,
            &local_voter(config, bound, &prepared)?,
            &loaded,
            store.quorum_state()?,
        )?;
        let partitions = Arc::new(Partitions::open(
            config.node_id,
            config.clone(),
            prepared.directories.clone(),
            now,
        )?);
        let published = Published {
            image: Arc::new(ArcSwap::from_pointee(Image::empty())),
            config: Arc::new(ArcSwap::from_pointee(config.clone())),
            quorum: Arc::new(ArcSwap::from_pointee(QuorumView::default())),
        };
        let coordinators = Coordinators::start(&published, &partitions, clock)?;
        let publisher = Publisher::new(
            published.clone(),
            Arc::clone(&partitions),
            coordinators.followers.clone(),
            config.clone(),
        );
        let start = ControllerStart {
            open_transaction: loaded.open_transaction,
            kraft_version: loaded.kraft_version,
            previous_broker_epoch: partitions.previous_broker_epoch(),
            ..controller_start(settings, bound, &prepared, bootstrap_records(&storage)?)
        };
        let decider = Decider::new(start, replayer.into_delta(), publisher);
        let worker = Worker::new(decider, store, raft, quorum::idle_interval(config));
        let ended = Arc::clone(&failed);
        let controller = Running::start(worker, clock, move |fatal| {
            tracing::error!(%fatal, "the controller ended");
            ended.notify_one();
        })?;
        let background = start_background(&partitions, &published, clock, failed)?;
        let ctx = Arc::new(Ctx {
            node: NodeInfo {
                node_id: config.node_id,
                cluster_id: prepared.cluster_id.as_str().into(),
            },
            image: published.image,
            authorizer: Authorizer::of(&config.explicit)?.map(Arc::new),
            config: published.config,
            quorum: published.quorum,
            controller: controller.handle(),
            partitions,
            groups: Arc::clone(&coordinators.groups),
            transactions: Arc::clone(&coordinators.transactions),
            markers: Arc::clone(&coordinators.markers),
            api_versions: api_versions::Bodies::default(),
            auto_creation: AutoCreation::default(),
            fetch_sessions: Mutex::new(FetchSessions::new(fetch_session_slots(config))),
            producer_ids: ProducerIds::default(),
        });
        Ok(Self { ctx, controller, coordinators, background, _locks: locks })
    }

    /// What handlers may touch.
    pub const fn ctx(&self) -> &Arc<Ctx> {
        &self.ctx
    }

    /// The node is about to stop: what nobody will ask for any more is not begun, nor gone on with.
    pub fn begin_stop(&self) {
        self.coordinators.threads.end_loads();
    }

    /// Leaves in order, once nobody is answered any more: first what coordinators do by themselves ends; then the
    /// metadata log, whose records the clean mark vouches for; then the partitions.
    pub fn stop(self) -> Result<(), Failure> {
        let node_id = self.ctx.node.node_id;
        let image = self.ctx.image.load();
        let epoch = image.brokers.get(&node_id).map_or(BrokerEpoch::UNKNOWN, |broker| broker.epoch);
        self.coordinators.threads.stop();
        self.background.stop();
        let left = self.controller.stop();
        self.ctx.partitions.close(epoch);
        Ok(left?)
    }
}

/// What is done from time to time, and what compacts.
fn start_background(
    partitions: &Arc<Partitions>,
    published: &Published,
    clock: Clock,
    failed: Arc<Notify>,
) -> std::io::Result<Background> {
    let cleaner = Cleaner::new(Arc::clone(partitions), Arc::clone(&published.config), clock);
    Background::start(Arc::clone(partitions), cleaner, clock, move || failed.notify_one())
}

/// What the controller is told of this node.
fn controller_start(
    settings: &Settings,
    bound: &BoundListeners,
    prepared: &Prepared,
    bootstrap: Vec<MetadataRecord>,
) -> ControllerStart {
    let config = &settings.broker;
    let controllers = &config.advertised_controller_listeners;
    ControllerStart {
        config: Arc::new(config.clone()),
        open_transaction: None,
        kraft_version: 0,
        bootstrap,
        broker_listeners: advertised::endpoints(&config.advertised_listeners, bound),
        controller_listeners: advertised::endpoints(controllers, bound),
        broker_incarnation_id: random_uuid(),
        controller_incarnation_id: random_uuid(),
        log_dirs: prepared.directories.iter().map(|(_, id)| *id).collect(),
        previous_broker_epoch: BrokerEpoch::UNKNOWN,
    }
}

/// Formats what is empty, refuses what is foreign, and keeps everyone else out.
fn take_directories(
    settings: &Settings,
    storage: &Storage,
    clock: Clock,
) -> Result<(Prepared, Vec<DirectoryLock>), Failure> {
    let cluster_id = settings.cluster_id.as_deref();
    let prepared = prepare(storage, cluster_id, clock.now(), &mut random_bytes)?;
    let mut paths: Vec<&PathBuf> = prepared.directories.iter().map(|(path, _)| path).collect();
    if !paths.contains(&&storage.metadata_log_dir) {
        paths.push(&storage.metadata_log_dir);
    }
    let locks = paths.into_iter().map(|path| DirectoryLock::take(path));
    let locks = locks.collect::<Result<Vec<_>, _>>()?;
    Ok((prepared, locks))
}

fn local_voter(
    config: &BrokerConfig,
    bound: &BoundListeners,
    prepared: &Prepared,
) -> Result<LocalVoter, Failure> {
    let endpoints = advertised::endpoints(&config.advertised_controller_listeners, bound);
    let endpoint = endpoints.into_iter().next().ok_or("no controller listener is configured")?;
    Ok(LocalVoter {
        directory_id: prepared.metadata_directory_id,
        listener: endpoint.name,
        endpoint: Endpoint { host: endpoint.host, port: endpoint.port },
    })
}

/// What a new cluster begins with.
fn bootstrap_records(storage: &Storage) -> Result<Vec<MetadataRecord>, Failure> {
    let checkpoint = read_bootstrap(&Files, &storage.metadata_log_dir)?;
    let values = checkpoint.map(|Checkpoint { values, .. }| values).unwrap_or_default();
    let records = values.iter().map(MetadataRecord::decode);
    Ok(records.collect::<Result<Vec<_>, _>>()?)
}

fn random_uuid() -> Uuid {
    loop {
        if let Some(uuid) = uuid_from_random(random_bytes()) {
            return uuid;
        }
    }
}

/// How many fetch sessions are kept.
fn fetch_session_slots(config: &BrokerConfig) -> usize {
    usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0)
}
