//! The controller as the worker asks it; chance is drawn here, and images are handed to whoever acts upon them.

use std::sync::Arc;

use bytes::Bytes;

use super::batches::Batches;
use super::worker::{Decide, Decision, Written};
use crate::kernel::controller::{Controller, ControllerStart, Output, Reply, Request};
use crate::kernel::metadata::changes::Changes;
use crate::kernel::metadata::delta::Delta;
use crate::kernel::metadata::image::{Image, Provenance};
use crate::kernel::metadata::snapshot::snapshot_records;
use crate::kernel::raft::view::QuorumView;
use crate::shell::random::random_bytes;
use crate::types::offset::Offset;
use crate::types::time::Now;

/// A new image, all of it durable.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The image.
    pub image: Arc<Image>,
    /// What differs from the image before it. For the first one that is one without any record.
    pub changes: Changes,
    /// The quorum at this moment.
    pub quorum: QuorumView,
    /// When.
    pub now: Now,
}

/// Acts upon new images.
pub trait Publish: Send {
    /// All parts of the node act upon `publication` before this returns: who asked for the change is answered next.
    fn publish(&mut self, publication: Publication);
}

impl<F: FnMut(Publication) + Send> Publish for F {
    fn publish(&mut self, publication: Publication) {
        self(publication);
    }
}

/// See the module.
pub struct Decider<P> {
    controller: Controller,
    published: Arc<Image>,
    publisher: P,
}

impl<P: Publish> Decider<P> {
    /// Builds upon `loaded`, all that was in the log. `publisher` is told of it once what a start writes is durable.
    pub fn new(start: ControllerStart, loaded: Delta, publisher: P) -> Self {
        let controller = Controller::new(start, loaded);
        Self { controller, published: Arc::new(Image::empty()), publisher }
    }
}

impl From<Output> for Written {
    fn from(output: Output) -> Self {
        Self { values: output.values, atomic: output.atomic }
    }
}

impl<P: Publish> Decide for Decider<P> {
    type Request = Request;
    type Reply = Reply;

    fn decide(&mut self, _now: Now, _next: Offset, request: Request) -> Decision<Reply> {
        let fits = |values: &[Bytes]| Batches::check_atomic(values).is_ok();
        let (output, reply) = self.controller.decide(&request, &mut random_bytes, &fits);
        Decision { written: output.into(), reply: Ok(reply) }
    }

    fn activate(&mut self, _now: Now, next: Offset) -> Option<Written> {
        self.controller.activate(next).map(Into::into)
    }

    fn idle(&mut self, _now: Now, _next: Offset) -> Written {
        self.controller.idle().into()
    }

    fn leave(&mut self, _now: Now, _next: Offset) -> Option<Written> {
        self.controller.leave().map(Into::into)
    }

    fn publish(&mut self, now: Now, quorum: QuorumView) {
        let (image, changes) = self.controller.publish(Provenance {
            offset: Offset(quorum.high_watermark.0 - 1),
            epoch: quorum.leader_epoch,
            timestamp: now.wall,
        });
        self.published = Arc::clone(&image);
        self.publisher.publish(Publication { image, changes, quorum, now });
    }

    fn snapshot(&self) -> Vec<Bytes> {
        let metadata_version = self.published.metadata_version();
        snapshot_records(&self.published).map(|record| record.encode(metadata_version)).collect()
    }
}
