//! Dialogues with a shard.

mod joining;
