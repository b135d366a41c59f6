use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::*;
use crate::types::epoch::{BrokerEpoch, LeaderEpoch};
use crate::types::ids::{DirectoryId, PartitionId, TopicId};
use crate::types::offset::Offset;
use crate::wire::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use crate::wire::reply::Chunk;

const WITH_IDS: i16 = 13;
const WITH_NAMES: i16 = 12;

fn asked(index: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        index: PartitionId(index),
        current_leader_epoch: LeaderEpoch::UNKNOWN,
        fetch_offset: Offset(fetch_offset),
        last_fetched_epoch: LeaderEpoch::UNKNOWN,
        log_start_offset: Offset::UNKNOWN,
        max_bytes: 1000,
        replica_directory_id: DirectoryId::default(),
        high_watermark: Offset(i64::MAX),
    }
}

/// A request about partitions of topic "t", whose id is 7.
fn request(
    version: i16,
    session_id: i32,
    session_epoch: i32,
    partitions: &[(i32, i64)],
) -> FetchRequest {
    let (name, id) = topic(version);
    let partitions = partitions.iter().map(|&(index, offset)| asked(index, offset)).collect();
    let topics = [FetchTopic { name, id, partitions }];
    FetchRequest {
        cluster_id: None,
        replica_id: NodeId::NONE,
        replica_epoch: BrokerEpoch::UNKNOWN,
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: 0,
        isolation_level: 0,
        session_id,
        session_epoch,
        topics: topics.into_iter().filter(|topic| !topic.partitions.is_empty()).collect(),
        forgotten: [].into(),
        rack_id: StrBytes::default(),
    }
}

fn topic(version: i16) -> (StrBytes, TopicId) {
    match version {
        WITH_IDS => (StrBytes::default(), TopicId(Uuid::from_u128(7))),
        _ => (StrBytes::from_static_str("t"), TopicId::ZERO),
    }
}

fn forgetting(mut request: FetchRequest, version: i16, partitions: &[i32]) -> FetchRequest {
    let (name, id) = topic(version);
    let partitions = partitions.iter().map(|index| PartitionId(*index)).collect();
    request.forgotten.push(ForgottenTopic { name, id, partitions });
    request
}

fn at_secs(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

fn partitions_of(request: &FetchRequest) -> SessionPartitions {
    let mut partitions = SessionPartitions::default();
    partitions.update(request);
    partitions
}

/// Starts a session of so many partitions; `number` becomes its id.
fn start(
    sessions: &mut FetchSessions,
    now: Mono,
    privileged: bool,
    count: i32,
    number: u32,
) -> i32 {
    let wanted: Vec<_> = (0..count).map(|index| (index, 0)).collect();
    let request = request(WITH_IDS, 0, 0, &wanted);
    assert!(matches!(sessions.begin(now, WITH_IDS, &request), Begun::Full));
    sessions.start(now, privileged, true, partitions_of(&request), || number << 1)
}

#[expect(clippy::unnecessary_box_returns, reason = "as the sessions take it back")]
fn go_on(sessions: &mut FetchSessions, now: Mono, request: &FetchRequest) -> Box<Session> {
    match sessions.begin(now, WITH_IDS, request) {
        Begun::Incremental(session) => session,
        other => panic!("{other:?}"),
    }
}

fn order(session: &Session) -> Vec<(i32, i64)> {
    let asked = session.partitions().iter().map(|(_, partition)| partition.asked);
    asked.map(|asked| (asked.index.0, asked.fetch_offset.0)).collect()
}

fn place(session: &Session, index: i32) -> Place {
    session.partitions().iter().find(|(_, it)| it.asked.index.0 == index).unwrap().0
}

fn told(index: i32, high_watermark: i64, log_start_offset: i64) -> FetchPartitionReply {
    FetchPartitionReply {
        high_watermark: Offset(high_watermark),
        log_start_offset: Offset(log_start_offset),
        ..FetchPartitionReply::failed(PartitionId(index), ErrorCode::None)
    }
}

fn with_records(mut answer: FetchPartitionReply) -> FetchPartitionReply {
    answer.records.push(Chunk::Bytes(bytes::Bytes::from_static(b"batch")));
    answer
}

#[test]
fn a_session_goes_on_with_what_changed() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 3, 5);
    assert_eq!((id, sessions.partitions()), (5, 3));

    let change = forgetting(request(WITH_IDS, id, 1, &[(1, 40), (9, 90)]), WITH_IDS, &[0, 77]);
    let session = go_on(&mut sessions, at_secs(1), &change);
    assert_eq!(order(&session), [(1, 40), (2, 0), (9, 90)]);
    assert_eq!((session.id(), sessions.len(), sessions.partitions()), (5, 1, 3));
    sessions.give_back(session);

    let session = go_on(&mut sessions, at_secs(2), &request(WITH_IDS, id, 2, &[]));
    assert_eq!(order(&session), [(1, 40), (2, 0), (9, 90)]);
}

#[test]
fn a_place_that_became_free_is_used_again() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 4, 5);
    let change = forgetting(request(WITH_IDS, id, 1, &[]), WITH_IDS, &[1, 3]);
    let session = go_on(&mut sessions, at_secs(0), &change);
    assert_eq!(order(&session), [(0, 0), (2, 0)]);
    sessions.give_back(session);
    let session =
        go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 2, &[(1, 7), (3, 8), (4, 9)]));
    assert_eq!(order(&session), [(0, 0), (2, 0), (1, 7), (3, 8), (4, 9)]);
}

#[test]
fn topics_are_told_apart_by_name() {
    let mut partitions = SessionPartitions::default();
    let t = request(WITH_NAMES, 0, 0, &[(0, 1)]);
    let mut u = request(WITH_NAMES, 0, 0, &[(0, 2)]);
    u.topics[0].name = StrBytes::from_static_str("u");
    partitions.update(&t);
    partitions.update(&u);
    partitions.update(&t);
    let all: Vec<_> =
        partitions.iter().map(|(_, it)| (it.topic.clone(), it.asked.fetch_offset.0)).collect();
    let named = |name| TopicKey::Name(StrBytes::from_static_str(name));
    assert_eq!(all, [(named("t"), 1), (named("u"), 2)]);
}

#[test]
fn a_partition_is_news_when_something_changed() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 1, 5);
    let mut session = go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 1, &[]));
    let at = place(&session, 0);
    let mut check = |what: &str, answer: FetchPartitionReply, expected: bool| {
        assert_eq!(session.is_news(at, &answer), expected, "{what}");
    };
    check("the first answer", told(0, 10, 0), true);
    check("nothing new", told(0, 10, 0), false);
    check("the high watermark", told(0, 11, 0), true);
    check("the log start", told(0, 11, 4), true);
    check("nothing new", told(0, 11, 4), false);
    check("records", with_records(told(0, 11, 4)), true);
    check(
        "a replica",
        FetchPartitionReply { preferred_read_replica: NodeId(2), ..told(0, 11, 4) },
        true,
    );
    check(
        "an error",
        FetchPartitionReply { error: ErrorCode::KafkaStorageError, ..told(0, 11, 4) },
        true,
    );
    check("its end", told(0, 11, 4), true);
    check("nothing new", told(0, 11, 4), false);
    let diverging =
        crate::wire::fetch_reply::EpochEndOffset { epoch: LeaderEpoch(1), end_offset: Offset(3) };
    check(
        "another past",
        FetchPartitionReply { diverging_epoch: Some(diverging), ..told(0, 11, 4) },
        true,
    );
}

#[test]
fn who_gave_records_comes_last_next_time() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 3, 5);
    let mut session = go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 1, &[]));
    let check = |session: &mut Session, index: i32, expected: [i32; 3]| {
        let at = place(session, index);
        assert!(session.is_news(at, &with_records(told(index, 10, 0))));
        assert!(session.partitions().at(at).unwrap().asked.index.0 == index);
        assert_eq!(order(session).iter().map(|it| it.0).collect::<Vec<_>>(), expected);
    };
    check(&mut session, 0, [1, 2, 0]);
    check(&mut session, 2, [1, 0, 2]);
    check(&mut session, 2, [1, 0, 2]);
    check(&mut session, 1, [0, 2, 1]);
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 1, 5);
    let mut check = |version: i16, id: i32, epoch: i32, expected: ErrorCode| match sessions.begin(
        at_secs(0),
        version,
        &request(version, id, epoch, &[]),
    ) {
        Begun::Refused(error) => assert_eq!(error, expected),
        other => panic!("{other:?} in place of {expected:?}"),
    };
    check(WITH_IDS, 6, 1, ErrorCode::FetchSessionIdNotFound);
    check(WITH_IDS, -1, 1, ErrorCode::FetchSessionIdNotFound);
    check(WITH_IDS, 0, 1, ErrorCode::FetchSessionIdNotFound);
    check(WITH_IDS, id, 2, ErrorCode::InvalidFetchSessionEpoch);
    check(WITH_IDS, id, -2, ErrorCode::InvalidFetchSessionEpoch);
    check(WITH_IDS, id, i32::MAX, ErrorCode::InvalidFetchSessionEpoch);
    check(WITH_NAMES, id, 1, ErrorCode::FetchSessionTopicIdError);
    // None of this harmed the session, and a second request finds it lent out.
    let session = go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 1, &[]));
    let again = sessions.begin(at_secs(0), WITH_IDS, &request(WITH_IDS, id, 2, &[]));
    assert!(matches!(again, Begun::Refused(ErrorCode::InvalidFetchSessionEpoch)));
    sessions.give_back(session);
    go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 2, &[]));
}

#[test]
fn a_full_request_ends_the_session_that_it_names() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 2, 5);
    let closing = sessions.begin(at_secs(0), WITH_IDS, &request(WITH_IDS, id, -1, &[]));
    assert!(matches!(closing, Begun::Sessionless));
    assert_eq!((sessions.len(), sessions.partitions()), (0, 0));

    let id = start(&mut sessions, at_secs(0), false, 2, 6);
    let session = go_on(&mut sessions, at_secs(0), &request(WITH_IDS, id, 1, &[]));
    let restarting = sessions.begin(at_secs(0), WITH_IDS, &request(WITH_IDS, id, 0, &[(0, 0)]));
    assert!(matches!(restarting, Begun::Full));
    // The request which was under way ends after its session did.
    sessions.give_back(session);
    assert!(sessions.is_empty());
}

#[test]
fn a_session_without_partitions_ends() {
    let mut sessions = FetchSessions::new(10);
    let id = start(&mut sessions, at_secs(0), false, 1, 5);
    let change = forgetting(request(WITH_IDS, id, 1, &[]), WITH_IDS, &[0]);
    assert!(matches!(sessions.begin(at_secs(0), WITH_IDS, &change), Begun::Sessionless));
    assert_eq!((sessions.len(), sessions.partitions()), (0, 0));
}

#[test]
fn epochs_begin_again_after_the_largest() {
    assert_eq!(next_epoch(0), 1);
    assert_eq!(next_epoch(i32::MAX - 1), i32::MAX);
    assert_eq!(next_epoch(i32::MAX), 1);
}

#[test]
fn numbers_are_positive_and_free() {
    let mut sessions = FetchSessions::new(10);
    start(&mut sessions, at_secs(0), false, 1, 5);
    let partitions = partitions_of(&request(WITH_IDS, 0, 0, &[(0, 0)]));
    let mut drawn = [0, 1, 10, 11, u32::MAX].into_iter();
    let random = || drawn.next().unwrap();
    assert_eq!(sessions.start(at_secs(0), false, true, partitions.clone(), random), i32::MAX);
    assert_eq!(sessions.start(at_secs(0), false, true, partitions, || 10), NO_SESSION);
}

/// Kafka's order of worth: (privileged, partitions), and whom age protects.
#[test]
fn who_makes_room_for_whom() {
    let check = |what: &str, old: &[(u64, bool, i32)], new: (u64, bool, i32), gone: Option<u32>| {
        let mut sessions = FetchSessions::new(old.len());
        for (number, &(born, privileged, count)) in (1..).zip(old) {
            assert_eq!(
                start(&mut sessions, at_secs(born), privileged, count, number),
                number as i32
            );
            // Used at 200 s, except for number 9.
            if count != 9 {
                let session =
                    go_on(&mut sessions, at_secs(200), &request(WITH_IDS, number as i32, 1, &[]));
                sessions.give_back(session);
            }
        }
        let (now, privileged, count) = new;
        let id = start(&mut sessions, at_secs(now), privileged, count, 77);
        assert_eq!(id == 77, gone.is_some(), "{what}");
        let missing =
            (1..=old.len() as u32).find(|number| !sessions.slots.contains_key(&(*number as i32)));
        assert_eq!(missing, gone, "{what}");
        assert_eq!(
            (sessions.len(), sessions.evictions() == 1),
            (old.len(), gone.is_some()),
            "{what}"
        );
    };
    check(
        "a smaller one that has lived",
        &[(0, false, 3), (0, false, 2)],
        (201, false, 4),
        Some(2),
    );
    check("none of the same size", &[(0, false, 3)], (201, false, 3), None);
    check("none that is young", &[(150, false, 1)], (201, false, 100), None);
    check("a consumer for a follower", &[(150, false, 100)], (201, true, 1), Some(1));
    check("no follower for a consumer", &[(0, true, 1)], (201, false, 100), None);
    check(
        "a small follower for a large one",
        &[(0, true, 1), (0, true, 2)],
        (201, true, 3),
        Some(1),
    );
    check("no young follower", &[(150, true, 1)], (201, true, 3), None);
    check("the one which is stale", &[(0, false, 1), (50, false, 9)], (201, false, 1), Some(2));
    check("even a follower's", &[(50, true, 9), (0, false, 1)], (201, false, 1), Some(1));
    check("after more than the age", &[(50, false, 9)], (170, false, 1), None);
}

#[test]
fn what_all_sessions_hold_is_bounded() {
    let mut sessions = FetchSessions::new(2);
    let id = start(&mut sessions, at_secs(0), false, 1, 1);
    sessions.partitions = SESSION_PARTITIONS_MAX;
    assert_eq!(start(&mut sessions, at_secs(0), false, 1, 2), NO_SESSION);
    // A session that grows beyond the bound is gone, and its client starts again.
    let grown = sessions.begin(at_secs(0), WITH_IDS, &request(WITH_IDS, id, 1, &[(5, 0)]));
    assert!(matches!(grown, Begun::Refused(ErrorCode::FetchSessionIdNotFound)));
    assert_eq!((sessions.len(), sessions.partitions()), (0, SESSION_PARTITIONS_MAX - 1));
}
