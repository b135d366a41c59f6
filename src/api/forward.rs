//! Requests that the controller decides: asked on behalf of a client, answered once the decision is on disk and every
//! part of this node has seen it.

use std::sync::Arc;

use super::answer::{Answer, Call};
use super::context::Ctx;
use super::dispatch::refuse;
use crate::kernel::configs::alter::AlterRefusal as Refusal;
use crate::kernel::controller::{Reply, Request};

/// Asks the controller, and answers what it says with `answer`, which knows the variant of its reply; none is a fault
/// of this program, and ends the connection.
pub fn forward(
    ctx: &Arc<Ctx>,
    call: Call,
    request: Request,
    answer: impl FnOnce(&Call, Reply) -> Option<Answer> + Send + 'static,
) -> Answer {
    let controller = ctx.controller.clone();
    let memory = call.memory.hold();
    Answer::Later(Box::pin(async move {
        let _held_until_it_is_answered = memory;
        let reply = match controller.call(request.clone()).await {
            Ok(reply) => reply,
            // Without a controller nothing was done.
            Err(code) => request.refused(&Refusal { code, message: None }),
        };
        let other = || refuse(call.peer, &"the controller answered something else");
        answer(&call, reply).unwrap_or_else(other)
    }))
}
