//! Listeners and connections: frames in, replies out, nothing decided.
