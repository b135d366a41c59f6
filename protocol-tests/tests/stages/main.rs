//! The 25 stages of the public "build your own Kafka" course, as its tester plays them or stricter, and the traps
//! that a full broker meets there.
//!
//! A stage has fixed ports (9092, 9093) and fixed paths (/tmp/server.properties, /tmp/kraft-combined-logs), so
//! each runs in a network and under a /tmp of its own: see `place`. One seed decides all random choices; the
//! variable `STAGES_SEED` takes another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod base;
mod client;
mod consuming;
mod files;
mod listing;
mod place;
mod producing;
mod random;
mod run;
mod traps;

use place::Place;
use random::Random;

type Stage = fn(&Place, &mut Random);

/// A test per stage, and the table of all in their order.
macro_rules! stages {
    ($( $slug:ident $title:literal $module:ident::$stage:ident; )*) => {
        const STAGES: &[(&str, Stage)] =
            &[ $( (concat!(stringify!($slug), " ", $title), $module::$stage), )* ];
        mod stage {
            $(
                #[test]
                fn $slug() {
                    let name = concat!("stage::", stringify!($slug));
                    crate::place::alone(name, |place| {
                        let stage: crate::Stage = crate::$module::$stage;
                        stage(place, &mut crate::Random::of(stringify!($slug)));
                    });
                }
            )*
        }
    };
}

stages! {
    vi6 "Bind to a port" base::bind_to_a_port;
    nv3 "Send Correlation ID" base::send_correlation_id;
    wa6 "Parse Correlation ID" base::parse_correlation_id;
    nc5 "Parse API Version" base::parse_api_version;
    pv1 "Handle ApiVersions requests" base::api_versions;
    nh4 "Serial requests" base::serial_requests;
    sk0 "Concurrent requests" base::concurrent_requests;
    yk1 "Include DescribeTopicPartitions in ApiVersions" listing::is_listed;
    vt6 "List for an unknown topic" listing::unknown_topic;
    ea7 "List for a single partition" listing::single_partition;
    ku4 "List for multiple partitions" listing::multiple_partitions;
    wq2 "List for multiple topics" listing::multiple_topics;
    gs0 "Include Fetch in ApiVersions" consuming::is_listed;
    dh6 "Fetch with no topics" consuming::no_topics;
    hn6 "Fetch with an unknown topic" consuming::unknown_topic;
    cm4 "Fetch with an empty topic" consuming::empty_topic;
    eg2 "Fetch single message from disk" consuming::single_message;
    fd8 "Fetch multiple messages from disk" consuming::multiple_messages;
    xz1 "Include Produce in ApiVersions" producing::is_listed;
    zf2 "Respond for invalid topic or partition" producing::invalid_topic_or_partition;
    gg1 "Respond for valid topic and partition" producing::valid_topic_and_partition;
    ls8 "Produce a single record" producing::single_record;
    yd8 "Produce multiple records" producing::multiple_records;
    ct4 "Produce to multiple partitions" producing::multiple_partitions;
    ov0 "Produce to multiple partitions of multiple topics" producing::multiple_topics;
}

/// As the tester runs them: one after another on the same ports and paths, a stop and a start between them.
#[test]
fn all_in_their_order_on_the_same_ports() {
    place::alone("all_in_their_order_on_the_same_ports", |place| {
        let mut random = Random::of("all");
        assert_eq!(STAGES.len(), 25);
        for (title, stage) in STAGES {
            println!("{title}");
            stage(place, &mut random);
        }
    });
}
