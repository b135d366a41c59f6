//! Stock clients against the broker: librdkafka, built from its source, and rskafka, which has protocol code of its
//! own. What goes in comes out, whatever the codec, the size, or the way in which the broker ended meanwhile; groups
//! and transactions go on after that, too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crashes;
mod groups;
mod librdkafka;
mod pure_rust;
mod transactions;
