//! Resolution over the layers, and what a topic may have.

use super::*;

fn texts(pairs: &[(&str, &str)]) -> Texts {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn resolve(
    broker: &[(&str, &str)],
    default: &[(&str, &str)],
    fixed: &[(&str, &str)],
    own: &[(&str, &str)],
) -> TopicConfig {
    let (broker, default, fixed) = (texts(broker), texts(default), texts(fixed));
    let layers = BrokerLayers { dynamic_broker: &broker, dynamic_default: &default, fixed: &fixed };
    TopicConfig::resolve(&layers, &texts(own))
}

#[test]
fn without_anything_set_the_defaults_are_kafkas() {
    let config = resolve(&[], &[], &[], &[]);
    assert!(config.delete && !config.compact && !config.ottla_validate_compressed);
    assert_eq!(config.compression_type, CompressionType::Producer);
    assert_eq!(config.message_timestamp_type, MessageTimestampType::CreateTime);
    assert_eq!((config.segment_bytes, config.effective_segment_bytes()), (1 << 30, 1 << 30));
    let week_ms = 7 * 24 * 3_600_000;
    assert_eq!(
        (config.retention_ms, config.segment_ms, config.segment_jitter_ms),
        (week_ms, week_ms, 0)
    );
    assert_eq!((config.flush_ms, config.flush_messages), (i64::MAX, i64::MAX));
    assert_eq!((config.max_message_bytes, config.min_insync_replicas), (1_048_588, 1));
    assert!((config.min_cleanable_dirty_ratio - 0.5).abs() < f64::EPSILON);
}

#[test]
fn the_nearest_layer_wins() {
    let key = "log.segment.bytes";
    let (a, b, c, d) = ("2000001", "2000002", "2000003", "2000004");
    let topic = [("segment.bytes", a)];
    assert_eq!(resolve(&[(key, b)], &[(key, c)], &[(key, d)], &topic).segment_bytes, 2_000_001);
    assert_eq!(resolve(&[(key, b)], &[(key, c)], &[(key, d)], &[]).segment_bytes, 2_000_002);
    assert_eq!(resolve(&[], &[(key, c)], &[(key, d)], &[]).segment_bytes, 2_000_003);
    assert_eq!(resolve(&[], &[], &[(key, d)], &[]).segment_bytes, 2_000_004);
}

#[test]
fn finer_units_win_and_are_converted() {
    let retention_ms = |fixed: &[(&str, &str)]| resolve(&[], &[], fixed, &[]).retention_ms;
    let (ms, minutes, hours) =
        (("log.retention.ms", "5"), ("log.retention.minutes", "3"), ("log.retention.hours", "2"));
    assert_eq!(retention_ms(&[hours]), 7_200_000);
    assert_eq!(retention_ms(&[hours, minutes]), 180_000);
    assert_eq!(retention_ms(&[hours, minutes, ms]), 5);
    assert_eq!(retention_ms(&[("log.retention.minutes", "-4")]), -1);
    let config = resolve(&[], &[], &[("log.roll.hours", "1"), ("log.roll.jitter.hours", "2")], &[]);
    assert_eq!((config.segment_ms, config.segment_jitter_ms), (3_600_000, 7_200_000));
    assert_eq!(resolve(&[], &[], &[("log.flush.scheduler.interval.ms", "9")], &[]).flush_ms, 9);
    let both = [("log.flush.scheduler.interval.ms", "9"), ("log.flush.interval.ms", "8")];
    assert_eq!(resolve(&[], &[], &both, &[]).flush_ms, 8);
}

#[test]
fn a_stored_value_that_is_wrong_is_passed_over() {
    let config = resolve(&[], &[], &[], &[("retention.ms", "x"), ("cleanup.policy", "compact")]);
    assert!(config.compact && !config.delete);
    assert_eq!(config.retention_ms, 604_800_000);
}

#[test]
fn what_a_topic_may_not_have_is_told_in_kafkas_words() {
    let check = |own: &[(&str, &str)], words: &str| {
        let none = Texts::new();
        let fixed = texts(&[("log.cleaner.max.compaction.lag.ms", "50")]);
        let layers = BrokerLayers { dynamic_broker: &none, dynamic_default: &none, fixed: &fixed };
        let told = validate(&layers, &texts(own)).err().map(|refusal| refusal.to_string());
        assert_eq!(told.unwrap_or_default(), words, "{own:?}");
    };
    check(&[], "");
    check(
        &[("retention.ms", " 81000 "), ("cleanup.policy", ""), ("internal.segment.bytes", "5000")],
        "",
    );
    check(&[("foo", "1")], "Unknown topic config name: foo");
    check(
        &[("retention.ms", "x")],
        "Invalid value x for configuration retention.ms: Not a number of type LONG",
    );
    check(
        &[("retention.ms", "-5")],
        "Invalid value -5 for configuration retention.ms: Value must be at least -1",
    );
    check(
        &[("compression.type", "GZIP")],
        "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
    );
    check(
        &[("min.compaction.lag.ms", "100")],
        "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)",
    );
    check(
        &[("remote.storage.enable", " True")],
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
    );
    check(&[("remote.log.copy.disable", "true"), ("remote.storage.enable", "false")], "");
}
