//! What a handler may touch.

/// The node, as far as handlers see it.
#[derive(Debug)]
pub struct Ctx;
