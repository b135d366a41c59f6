//! What the tool computes and how it tells it.

use std::time::Duration;

use protocol_tests::load::{Latencies, Report, table};

#[test]
fn percentiles_are_the_nearest_rank() {
    let mut latencies = Latencies::default();
    (1..=200).rev().for_each(|micros| latencies.add(Duration::from_micros(micros)));
    for (per_mille, expected) in [(0, 1.0), (500, 100.0), (990, 198.0), (991, 199.0), (1000, 200.0)]
    {
        assert!((latencies.micros(per_mille) - expected).abs() < 1e-9, "{per_mille}");
    }
    assert_eq!(latencies.count(), 200);
}

fn report(broker: &str, cost: f64) -> Report {
    let mut report = Report::default();
    report.text("mode", "a \"quoted\" one");
    report.figure("cost", cost);
    report.number("wall_s", 1.0);
    report.lead("broker", broker);
    report.lead("scenario", "some:key=1");
    report
}

#[test]
fn a_trial_is_a_line_of_json() {
    let line = r#"{"scenario":"some:key=1","broker":"a","mode":"a \"quoted\" one","cost":0.1235,"wall_s":1}"#;
    assert_eq!(report("a", 0.123_456).to_string(), line);
    assert!(report("a", f64::NAN).to_string().contains("\"cost\":null"));
}

#[test]
fn a_table_has_medians_and_how_many_times_the_first() {
    let reports = [
        report("ours", 1.0),
        report("theirs", 8.0),
        report("theirs", 12.0),
        report("ours", 3.0),
        report("ours", 9.0),
    ];
    let expected = "| scenario | figure | ours | theirs | × |\n|---|---|---|---|---|\n\
                    | some:key=1 a \"quoted\" one | cost | 3.00 | 10.0 | 3.33 |\n";
    assert_eq!(table(&reports), expected);
}
